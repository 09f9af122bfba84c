"""Moving label maps between grids whose voxels coincide, by index arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from MusclePropLib.core.geometry import Geometry


@dataclass(frozen=True)
class GridShift:
    """Index on a stored grid from one on a target grid: stored[axes[a]] = signs[a] * target[a] + offset[axes[a]]."""

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]
    offset: tuple[int, int, int]

    def moved(self, axis: int, slices: Iterable[int]) -> list[int]:
        """Slices across the stored `axis` as the target grid counts them, where they may lie outside."""
        sign = self.signs[self.axes.index(axis)]
        return sorted(sign * (t - self.offset[axis]) for t in slices)

    def turn(self, shape: tuple[int, int, int]) -> GridShift:
        """From a stored grid with the same axes, but as large as the target grid, whose `shape` is given."""
        ends = {axis: 0 if sign > 0 else n - 1 for axis, sign, n in zip(self.axes, self.signs, shape, strict=True)}
        return replace(self, offset=(ends[0], ends[1], ends[2]))

    def begun_at(self, low: tuple[int, int, int]) -> GridShift:
        """The same for a target grid that begins at voxel `low` of this one's."""
        offset = list(self.offset)
        for axis, sign, start in zip(self.axes, self.signs, low, strict=True):
            offset[axis] += sign * start
        return replace(self, offset=(offset[0], offset[1], offset[2]))

    def union(self, stored: tuple[int, int, int], target: Geometry) -> tuple[Geometry, tuple[int, int, int]]:
        """The target grid, larger by what a stored grid of this shape has beyond it, and at which voxel it begins."""
        first, last = [], []
        for axis, sign, count in zip(self.axes, self.signs, target.shape, strict=True):
            ends = [sign * (t - self.offset[axis]) for t in (0, stored[axis] - 1)]
            first.append(min(0, *ends))
            last.append(max(count - 1, *ends))
        affine = target.affine.copy()
        affine[:, 3] = target.affine @ [*first, 1]
        shape = tuple(b - a + 1 for a, b in zip(first, last, strict=True))
        return Geometry(shape, affine), (first[0], first[1], first[2])


def grid_shift(stored: Geometry, target: Geometry, tolerance: float = 0.01) -> GridShift | None:
    """How the grids' indices correspond, or None if any target voxel is off a stored one by over `tolerance` voxels."""
    to_stored = np.linalg.solve(stored.affine, target.affine)
    whole = np.rint(to_stored)
    extent = np.append(np.array(target.shape) - 1, 1)
    if np.any(np.abs(to_stored - whole)[:3] @ extent > tolerance):
        return None
    turn = whole[:3, :3]
    if not np.array_equal(np.abs(turn).sum(axis=0), [1, 1, 1]) or not np.array_equal(np.abs(turn @ turn.T), np.eye(3)):
        return None
    axes = np.argmax(np.abs(turn), axis=0)
    signs = turn[axes, range(3)]
    return GridShift(*(tuple(int(v) for v in row) for row in (axes, signs, whole[:3, 3])))


def regrid(array: np.ndarray, shape: tuple[int, int, int], shift: GridShift) -> np.ndarray:
    """`array` on the target grid of `shape`, zero outside its own; voxels that the target lacks are left out."""
    turned = array.transpose(shift.axes)
    result = np.zeros(shape, array.dtype)
    here, there = [], []
    for axis in range(3):
        length, sign, start = turned.shape[axis], shift.signs[axis], shift.offset[shift.axes[axis]]
        if sign < 0:
            turned = np.flip(turned, axis)
            start = length - 1 - start
        low, high = max(0, -start), min(shape[axis], length - start)
        here.append(slice(low, max(low, high)))
        there.append(slice(low + start, max(low, high) + start))
    result[tuple(here)] = turned[tuple(there)]
    return result
