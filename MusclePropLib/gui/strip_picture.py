"""The picture of the annotation strip: one row per muscle, one column per slice, as an RGB array."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

EMPTY = (0.5, 0.5, 0.5)
EMPTY_STRENGTH = 0.12  # how much of EMPTY lies over the background where nothing is known
ABSENT_STRENGTH = 0.55
WEAKEST = 0.25  # of a muscle's colour, where a propagated slice is expected to be poor
UNKNOWN, FILLED, ABSENT, DRAWN = range(4)


@dataclass(frozen=True)
class Row:
    """One muscle; slices are indices, `confidence` has a number per slice, 0 to 1, or None where nothing tells it.

    It is None before a propagation.
    """

    color: tuple[float, float, float]
    drawn: Collection[int] = ()
    absent: Collection[int] = ()
    filled: Collection[int] = ()
    confidence: tuple[float | None, ...] | None = None


def strip_picture(
    rows: Sequence[Row], slices: int, width: int, row_height: int, gap: int, background: tuple[float, float, float]
) -> np.ndarray:
    """(rows * row_height + gaps, width, 3) uint8. A pixel that stands for several slices shows the strongest state.

    Drawn slices have the muscle's full colour, propagated ones the weaker the less they are trusted, absent ones a
    grey band in the middle of the row.
    """
    picture = np.empty((len(rows) * (row_height + gap) - gap if rows else 0, width, 3))
    picture[...] = background
    for index, row in enumerate(rows):
        top = index * (row_height + gap)
        picture[top : top + row_height] = _row(row, slices, width, row_height, np.array(background))
    return np.round(picture * 255).astype(np.uint8)


def slice_at(x: float, slices: int, width: int) -> int:
    """The slice that stands at pixel `x` of a strip `width` pixels wide."""
    return min(slices - 1, max(0, int(x * slices / max(1, width))))


def pixel_of(slice_index: int, slices: int, width: int) -> float:
    """Middle of the slice's columns."""
    return (slice_index + 0.5) * width / max(1, slices)


def _row(row: Row, slices: int, width: int, height: int, background: np.ndarray) -> np.ndarray:
    states, strength = _per_slice(row, slices)
    states, strength = _per_pixel(states, strength, width)
    color = np.where((states >= FILLED)[:, None], np.array(row.color), np.array(EMPTY))
    share = np.select([states == DRAWN, states == FILLED], [1.0, strength], EMPTY_STRENGTH)[:, None]
    pixels = np.repeat((color * share + background * (1 - share))[None], height, axis=0)
    absent = states == ABSENT
    empty = np.array(EMPTY) * EMPTY_STRENGTH + background * (1 - EMPTY_STRENGTH)
    pixels[:, absent] = empty
    band = slice(height // 3, height - height // 3)
    pixels[band, absent] = np.array(EMPTY) * ABSENT_STRENGTH + background * (1 - ABSENT_STRENGTH)
    return pixels


def _per_slice(row: Row, slices: int) -> tuple[np.ndarray, np.ndarray]:
    states = np.full(slices, UNKNOWN)
    for state, where in ((FILLED, row.filled), (ABSENT, row.absent), (DRAWN, row.drawn)):
        states[[t for t in where if 0 <= t < slices]] = state
    strength = np.full(slices, 0.5)
    if row.confidence is not None and len(row.confidence) == slices:
        trust = np.clip(np.nan_to_num(np.asarray(row.confidence, float), nan=0.0), 0, 1)
        strength = WEAKEST + (0.8 - WEAKEST) * np.clip((trust - 0.5) / 0.5, 0, 1)
    return states, strength


def _per_pixel(states: np.ndarray, strength: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Spread slices over pixels, or gather them: a drawn slice must not vanish between two pixels."""
    slices = len(states)
    if slices <= width:
        source = np.arange(width) * slices // width
        return states[source], strength[source]
    starts = np.arange(width) * slices // width
    return np.maximum.reduceat(states, starts), np.minimum.reduceat(strength, starts)
