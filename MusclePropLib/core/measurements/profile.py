"""One pass over a label map, slice by slice: how much of a segment is on each slice, where, and how bright."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.planes import groups, held
from MusclePropLib.core.steps import finished


@dataclass(frozen=True, eq=False)
class Profile:
    """`voxels` int64 (slices,); `centroids` (slices, 2) mean row and column, NaN where there are none.

    `mean` and `deviation` of the image inside the segment, None without an image; the deviation is the sample's
    (n - 1), NaN of a single voxel.
    """

    voxels: np.ndarray
    centroids: np.ndarray
    mean: float | None = None
    deviation: float | None = None

    @property
    def filled(self) -> np.ndarray:
        """Sorted indices of the slices that hold any of the segment."""
        return np.flatnonzero(self.voxels)


def profile(
    labels: np.ndarray,
    value: int = 1,
    image: np.ndarray | None = None,
    offset: tuple[int, int, int] = (0, 0, 0),
    slices: int | None = None,
) -> Profile:
    """The profile of the voxels that hold `value` in `labels` (slices, rows, columns).

    `labels` may be a part of a larger grid of `slices` slices, with its first voxel at `offset`; `image` is slices
    first on that larger grid. Holds a few slices at a time, whatever the axis order in memory.
    """
    return finished(profiled(labels, value, image, offset, slices))


def profiled(
    labels: np.ndarray,
    value: int = 1,
    image: np.ndarray | None = None,
    offset: tuple[int, int, int] = (0, 0, 0),
    slices: int | None = None,
) -> Generator[None, None, Profile]:
    """The same step by step."""
    slices = len(labels) if slices is None else slices
    voxels, centroids = np.zeros(slices, np.int64), np.full((slices, 2), np.nan)
    brightness = _Brightness()
    for group in groups(labels, range(len(labels))) if labels.size else ():
        planes = yield from held(labels, group)
        for t in group:
            yield
            box = _box(planes[t - group[0]] == value)
            if box is None:
                continue
            mask, row, column = box
            index, row, column = t + offset[0], row + offset[1], column + offset[2]
            voxels[index] = np.count_nonzero(mask)
            centroids[index] = _middle(mask, 1) + row, _middle(mask, 0) + column
            if image is not None:
                brightness.add(image[index, row : row + mask.shape[0], column : column + mask.shape[1]][mask])
    return Profile(voxels, centroids, *(brightness.summary() if image is not None else (None, None)))


def _box(mask: np.ndarray) -> tuple[np.ndarray, int, int] | None:
    """The part of a (rows, columns) mask that holds anything, its first row and column; None if it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    mask = mask[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero(mask.any(axis=0))
    return mask[:, columns[0] : columns[-1] + 1], int(rows[0]), int(columns[0])


def _middle(mask: np.ndarray, axis: int) -> float:
    counts = np.count_nonzero(mask, axis=axis)
    return float(counts @ np.arange(len(counts)) / counts.sum())


class _Brightness:
    """Mean and deviation of values that come in parts, about the first part's mean to lose no digits."""

    def __init__(self) -> None:
        self._about: float | None = None
        self._count, self._sum, self._squares = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        values = values.astype(np.float64)
        if self._about is None:
            self._about = float(values.mean())
        values -= self._about
        self._count += values.size
        self._sum += float(values.sum())
        self._squares += float(values @ values)

    def summary(self) -> tuple[float, float]:
        """Mean and sample deviation; NaN where undefined."""
        if self._about is None:
            return float("nan"), float("nan")
        mean = self._sum / self._count
        spread = max(0.0, self._squares - self._count * mean**2)
        deviation = (spread / (self._count - 1)) ** 0.5 if self._count > 1 else float("nan")
        return self._about + mean, deviation
