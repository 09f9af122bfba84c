"""The slices of a volume as a stack that areas are integrated over: where each lies and how thick it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.metrics import slice_thickness


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices first: `positions` and `thickness` (slices,) in mm along the slices' normal, `pixel_mm2` of one pixel.

    Positions count from the first slice towards the last, wherever and whichever way they were recorded. The thickness
    of a tracked frame reaches half way to either neighbour, and is negative where the hand went back, so that what was
    swept twice is not counted twice. `affine` takes (slice, row, column, 1) to LPS mm, as if the slices were even.
    """

    positions: np.ndarray
    thickness: np.ndarray
    pixel_mm2: float
    affine: np.ndarray

    @classmethod
    def of(cls, geometry: Geometry, positions: np.ndarray | None = None) -> Stack:
        """The stack of a grid whose first axis counts the slices, with the true `positions` of tracked frames.

        On a grid whose slices are sheared against each other the distance between them, not the length of the step
        from voxel to voxel, is what makes a volume.
        """
        axes = geometry.affine[:3, :3]
        pixel = float(np.linalg.norm(np.cross(axes[:, 1], axes[:, 2])))
        step = float(abs(np.linalg.det(axes))) / pixel
        if positions is None:
            even = np.arange(geometry.shape[0]) * step
            return cls(even, np.full(geometry.shape[0], step), pixel, geometry.affine)
        positions = np.asarray(positions, dtype=float)
        sign = 1.0 if positions[-1] >= positions[0] else -1.0
        along = sign * (positions - positions[0])
        return cls(along, slice_thickness(positions, geometry), pixel, geometry.affine)

    def forwards(self) -> Stack:
        """The same for surfaces, which cannot go back: where the hand did, slices stay at the place reached before."""
        return replace(self, positions=np.maximum.accumulate(self.positions))

    def millilitres(self, areas_mm2: np.ndarray, slices: np.ndarray | slice = slice(None)) -> float:
        """Volume of areas (as many as `slices` name) in ml."""
        return float(areas_mm2 @ self.thickness[slices]) / 1000.0

    def points(self, indices: np.ndarray) -> np.ndarray:
        """LPS mm (n, 3) of (n, 3) indices (slice, row, column); tracked slices at their true place along the sweep."""
        step = abs(np.linalg.det(self.affine[:3, :3])) / self.pixel_mm2
        along = np.interp(indices[:, 0], np.arange(len(self.positions)), self.positions) / step
        return np.column_stack([along, indices[:, 1:]]) @ self.affine[:3, :3].T + self.affine[:3, 3]
