"""What a muscle's known slices say of the slices between them, and signed distances to blend."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from MusclePropLib.core.annotations import Annotations


class Gap(NamedTuple):
    """The unknown slices `first` to `last` between two known ones; None where the stack ends on that side."""

    before: int | None
    after: int | None
    first: int
    last: int

    def share(self, slice_index: int) -> float:
        """Weight of `after`: 0 next to `before`, 1 next to `after`, by slice number as the tools in use count."""
        if self.before is None or self.after is None:
            return float(self.before is None)
        return (slice_index - self.before) / (self.after - self.before)


def known_masks(annotations: Annotations, muscle: int) -> dict[int, np.ndarray]:
    """Masks (rows, columns) of the slices on which the muscle is drawn, or absent (empty masks), by slice."""
    own = annotations.muscles[muscle]
    return {t: annotations.positive(muscle, t) for t in sorted({*own.drawn, *own.absent})}


def gaps(known: list[int], count: int) -> Iterator[Gap]:
    """The runs of unknown slices of a stack of `count`, `known` being sorted and not empty."""
    for before, after in pairwise([None, *known, None]):
        first = 0 if before is None else before + 1
        last = count - 1 if after is None else after - 1
        if first <= last:
            yield Gap(before, after, first, last)


def signed_distance(mask: np.ndarray, pixel: tuple[float, float]) -> np.ndarray | None:
    """Distance in mm to the mask's border (rows, columns) float32, positive inside; None for an empty mask."""
    if not mask.any():
        return None
    outside = ndimage.distance_transform_edt(~mask, sampling=pixel)
    return (ndimage.distance_transform_edt(mask, sampling=pixel) - outside).astype(np.float32)


def blend(before: np.ndarray | None, after: np.ndarray | None, share: float) -> np.ndarray | bool:
    """Mask where the two signed distances, mixed, are positive.

    Where one side is empty, the other shrinks towards its innermost point and is gone half-way.
    """
    if before is None and after is None:
        return False
    if after is None:
        after = np.full_like(before, -before.max())
    if before is None:
        before = np.full_like(after, -after.max())
    return (1 - share) * before + share * after > 0
