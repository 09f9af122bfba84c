"""A square window that follows one muscle from slice to slice, at a resolution that fits the muscle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

SIZE = 96
"""Rows and columns of a crop; flow at this size was better than on whole frames on most real volumes."""

FACTOR = 1.5
"""Side of the window over the largest extent of the drawn masks: room for what happens between the slices, and no more,
for what is seen around the muscle is taken from the resolution of its borders."""

WIDER = 1.5
"""Side of a window that shows more than that, over that of the usual one."""

FAR = -50.0
"""Signed distance, in crop pixels, given to whatever lies outside the window or on a slice without the muscle."""

OVERSHOOT = 0.45
"""Sum of the negative weights of OpenCV's cubic interpolation in two dimensions, at most: 2 x 1.1875 x 0.1875."""

cv2.setNumThreads(2)


@dataclass(frozen=True)
class CropFrame:
    """Windows of SIZE x SIZE crop pixels, one for each slice.

    `slices` (n,) are the volume's slice indices; `centres` (n, 2) the windows' centres in (row, column) voxels;
    `step` (row, column) voxels per crop pixel: isotropic in millimetres. `wider` than usual: it shows more around.
    """

    slices: np.ndarray
    centres: np.ndarray
    step: tuple[float, float]
    wider: bool = False

    def matrix(self, index: int) -> np.ndarray:
        """2 x 3 affine, OpenCV's (x, y) order, from crop pixels of window `index` to voxels of its slice."""
        half = (SIZE - 1) / 2
        row, column = self.centres[index]
        step_row, step_column = self.step
        return np.array([[step_column, 0, column - step_column * half], [0, step_row, row - step_row * half]])

    def sample(self, plane: np.ndarray, index: int) -> np.ndarray:
        """The window (SIZE, SIZE) float32 out of a slice (rows, columns), smoothed to the crop's resolution."""
        part, matrix = self.region(plane, index)
        part = part.astype(np.float32)
        if max(self.step) > 1.2:
            part = cv2.GaussianBlur(part, (0, 0), sigmaX=0.5 * self.step[1], sigmaY=0.5 * self.step[0])
        return self.warp(part, matrix)

    def region(self, plane: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The part of the slice under the window and the window's matrix in it: large slices are never worked whole."""
        matrix = self.matrix(index)
        rows = _span(matrix[1, 2], self.step[0], plane.shape[0])
        columns = _span(matrix[0, 2], self.step[1], plane.shape[1])
        return plane[rows, columns], matrix - np.array([[0, 0, columns.start], [0, 0, rows.start]])

    @staticmethod
    def warp(part: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """What lies under the window in a float32 part of a slice; the edge's values go on outside."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(part, matrix, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def inside(self, index: int, shape: tuple[int, int]) -> np.ndarray:
        """Which of the window's pixels (SIZE, SIZE) bool lie on a slice of shape (rows, columns)."""
        matrix, at = self.matrix(index), np.arange(SIZE)
        rows, columns = matrix[1, 1] * at + matrix[1, 2], matrix[0, 0] * at + matrix[0, 2]
        row_in = (rows >= -0.5) & (rows <= shape[0] - 0.5)
        return row_in[:, None] & (columns >= -0.5) & (columns <= shape[1] - 0.5)

    def covered(self, index: int, shape: tuple[int, int]) -> tuple[slice, slice]:
        """(rows, columns) of the voxels of a slice of that shape whose centres lie in the window."""
        row, column = self.matrix(index)[::-1, 2]
        return _covered(row, self.step[0], shape[0]), _covered(column, self.step[1], shape[1])

    def paste(
        self, field: np.ndarray, index: int, shape: tuple[int, int], positive: bool = False
    ) -> tuple[np.ndarray, tuple[slice, slice]]:
        """A crop field (SIZE, SIZE) on the voxel grid: (values, (rows, columns)) of the part that the window covers.

        With `positive`, of a part of that, outside which no value is positive: a muscle fills a third of its window.
        """
        matrix, (rows, columns) = self.matrix(index), self.covered(index, shape)
        if positive:
            high, wide = _positive_part(field)
            rows = _cut(rows, matrix[1, 2], self.step[0], high)
            columns = _cut(columns, matrix[0, 2], self.step[1], wide)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        if min(size) <= 0:
            return np.empty((0, 0), np.float32), (slice(0, 0), slice(0, 0))
        local = matrix - np.array([[0, 0, columns.start], [0, 0, rows.start]])
        values = cv2.warpAffine(field, local, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return values, (rows, columns)

    def transfer(self, field: np.ndarray, index: int, other: CropFrame, other_index: int) -> np.ndarray:
        """A field of `other`'s window resampled into this frame's window of the same slice; FAR where it has none.

        Signed distances are rescaled to this frame's pixels.
        """
        to_other = _compose(_invert(other.matrix(other_index)), self.matrix(index))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(
            field, to_other, (SIZE, SIZE), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=FAR
        )
        return moved * (other.step[0] / self.step[0])


def frame_around(
    drawn: Mapping[int, np.ndarray],
    slices: np.ndarray,
    positions: np.ndarray,
    spacing: tuple[float, float],
    wider: bool = False,
) -> CropFrame:
    """The frame of a muscle drawn on some slices, with the usual windows or WIDER ones.

    `drawn` maps slices to (rows, columns) masks; `positions` (mm) of all of the volume's slices; `spacing` (row,
    column) in mm. The window's centre is interpolated between the drawn masks' bounding boxes and stays beyond them,
    so that a prior interpolated inside the frame is aligned with the muscle's own drift.
    """
    known = np.array(sorted(drawn))
    boxes = np.array([bounding_box(drawn[t]) for t in known], dtype=float)
    middles = np.stack([(boxes[:, 0] + boxes[:, 1] - 1) / 2, (boxes[:, 2] + boxes[:, 3] - 1) / 2], axis=1)
    extent = max(np.ptp(boxes[:, :2], axis=1).max() * spacing[0], np.ptp(boxes[:, 2:], axis=1).max() * spacing[1])
    side = FACTOR * max(extent, 8 * max(spacing)) * (WIDER if wider else 1.0)
    at, along = positions[slices], positions[known]
    order = np.argsort(along)
    centres = np.stack([np.interp(at, along[order], middles[order, i]) for i in (0, 1)], axis=1)
    return CropFrame(np.asarray(slices), centres, (side / SIZE / spacing[0], side / SIZE / spacing[1]), wider)


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(first row, end row, first column, end column) of a mask (rows, columns) that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _covered(origin: float, step: float, length: int) -> slice:
    """Voxels whose centres lie inside the window, along one axis."""
    first = int(np.clip(np.ceil(origin - step / 2), 0, length))
    end = int(np.clip(np.floor(origin + step * (SIZE - 0.5)) + 1, first, length))
    return slice(first, end)


def _positive_part(field: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a field (SIZE, SIZE) from which a cubic curve through it may be positive up to the next."""
    reached = np.ones((4, 4), np.uint8)  # the samples that a value between two depends on, in either direction
    high, low = cv2.dilate(field, reached, anchor=(1, 1)), cv2.erode(field, reached, anchor=(1, 1))
    can_be = high + OVERSHOOT * (high - low) > 0
    found = [np.flatnonzero(can_be.any(axis=axis)) for axis in (1, 0)]
    return tuple(slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0) for at in found)


def _cut(voxels: slice, origin: float, step: float, part: slice) -> slice:
    """Of some voxels along one axis those of a part of the window, with a pixel of the window more at either end."""
    if part.start == part.stop:
        return slice(voxels.start, voxels.start)
    first, end = np.floor(origin + step * (part.start - 1)), np.ceil(origin + step * (part.stop + 1)) + 1
    start = int(np.clip(first, voxels.start, voxels.stop))
    return slice(start, int(np.clip(end, start, voxels.stop)))


def _span(origin: float, step: float, length: int) -> slice:
    """Voxels under the window and a margin for smoothing, along one axis; never empty."""
    margin = 4 * step
    first = int(np.clip(np.floor(origin - margin), 0, length - 1))
    end = int(np.clip(np.ceil(origin + step * SIZE + margin), first + 1, length))
    return slice(first, end)


def _invert(matrix: np.ndarray) -> np.ndarray:
    return cv2.invertAffineTransform(matrix)


def _compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """outer after inner, both 2 x 3."""
    return (np.vstack([outer, [0, 0, 1]]) @ np.vstack([inner, [0, 0, 1]]))[:2]
