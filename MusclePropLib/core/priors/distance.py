"""Signed distances of drawn masks, and their interpolation between slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from scipy import ndimage

from MusclePropLib.core.priors.frame import FAR, SIZE, CropFrame


def signed_distance(mask: np.ndarray, frame: CropFrame, index: int) -> np.ndarray:
    """Signed distance (SIZE, SIZE) float32 of a mask (rows, columns), in crop pixels, positive inside.

    Computed on the voxel grid and then sampled, so that the border keeps its sub-pixel position in the crop. The
    border runs between voxels, hence the half voxel. Without a voxel in the window it is FAR everywhere.
    """
    part, matrix = frame.region(mask, index)
    if not part.any():
        return np.full((SIZE, SIZE), FAR, np.float32)
    sampling = (1 / frame.step[0], 1 / frame.step[1])
    half = 0.5 * min(sampling)
    inside = ndimage.distance_transform_edt(part, sampling=sampling) - half
    outside = ndimage.distance_transform_edt(~part, sampling=sampling) - half if not part.all() else 0.0
    field = np.where(part, inside, -outside).astype(np.float32)
    return np.maximum(frame.warp(field, matrix), FAR)


def outline_distance(mask: np.ndarray) -> np.ndarray:
    """Signed distance (rows, columns) float32 in pixels to the outline of a mask, positive inside."""
    inside, outside = (cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5) for side in (mask, ~mask))
    return np.where(mask, inside - 0.5, 0.5 - outside)


def bracket(known: Sequence[int], slice_index: int) -> tuple[int | None, int | None]:
    """The nearest known slices at or before, and at or after, a slice; None where there is none."""
    at = int(np.searchsorted(known, slice_index))
    if at < len(known) and known[at] == slice_index:
        return slice_index, slice_index
    return (known[at - 1] if at else None), (known[at] if at < len(known) else None)


def weight_between(before: int, after: int, slice_index: int, positions: np.ndarray) -> float:
    """Share of `after` on a slice between two known ones, by their distance in mm."""
    span = positions[after] - positions[before]
    return 0.0 if span == 0 else float(np.clip((positions[slice_index] - positions[before]) / span, 0, 1))


def interpolate(fields: Mapping[int, np.ndarray], slices: Sequence[int], positions: np.ndarray) -> np.ndarray:
    """Fields (SIZE, SIZE) of the known slices interpolated linearly in mm on every slice: (n, SIZE, SIZE).

    Beyond the outermost known slices the nearest field stands.
    """
    known = sorted(fields)
    out = np.empty((len(slices), *fields[known[0]].shape), np.float32)
    for row, slice_index in enumerate(slices):
        before, after = bracket(known, slice_index)
        if before is None or after is None:
            out[row] = fields[after if before is None else before]
        else:
            weight = weight_between(before, after, slice_index, positions)
            out[row] = (1 - weight) * fields[before] + weight * fields[after]
    return out
