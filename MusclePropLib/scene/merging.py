"""What a result and the expert's segments together come to, slice by slice, in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MusclePropLib.scene.states import SegmentStates
from MusclePropLib.scene.voxels import SegmentVoxels

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Target:
    """A segment that a result is written into: `label` is its value in the result, the rest what it is by now."""

    segment_id: str
    label: int
    voxels: SegmentVoxels
    states: SegmentStates


@dataclass(frozen=True)
class Merge:
    """`labels`: uint8 (slices, rows, columns), possibly a memory map. `protected`: voxels that no target may take."""

    labels: np.ndarray
    targets: Sequence[Target]
    protected: Sequence[SegmentVoxels]

    def plane(self, target: Target, index: int) -> np.ndarray:
        """(rows, columns) bool: the target on one slice. Drawn slices keep every voxel, absent ones are empty."""
        if index in target.states.drawn:
            return target.voxels.mask(index)
        if index in target.states.absent:
            return np.zeros(self.labels.shape[1:], bool)
        mask = self.labels[index] == target.label
        for other in self.targets:
            if other is not target and index in other.states.drawn:
                mask &= ~other.voxels.mask(index)
        for voxels in self.protected:
            mask &= ~voxels.mask(index)
        return mask

    def boxes(self) -> list[Box | None]:
        """For each target the smallest box that holds its label and its drawn slices; None if both are empty."""
        profiles = [tuple(np.zeros(n, bool) for n in self.labels.shape) for _ in self.targets]
        for index, plane in enumerate(self.labels):
            highest = plane.max(initial=0)
            for target, (slices, rows, columns) in zip(self.targets, profiles, strict=True):
                if index in target.states.drawn:
                    mask = target.voxels.mask(index)
                elif target.label <= highest:
                    mask = plane == target.label
                else:
                    continue
                slices[index] = mask.any()
                if slices[index]:
                    rows |= mask.any(axis=1)
                    columns |= mask.any(axis=0)
        return [_box(*its) for its in profiles]


def _box(*profiles: np.ndarray) -> Box | None:
    filled = [np.flatnonzero(p) for p in profiles]
    return tuple(slice(int(f[0]), int(f[-1]) + 1) for f in filled) if all(map(len, filled)) else None
