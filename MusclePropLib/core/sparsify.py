"""Leaving out annotations on purpose: what is left is what an expert in a hurry would have drawn.

The first three functions choose, from the sorted indices of the slices on which a muscle is labelled, the ones that
stay drawn; `annotations_from_segmentation(..., pick=...)` takes them as they are. `incomplete` then leaves out single
muscles on single slices.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.errors import InputError

LEAST = 2  # drawn slices that `incomplete` leaves every muscle: with one there is nothing to interpolate between


def equally_spaced(filled: np.ndarray, count: int) -> list[int]:
    """`count` slices at equal distances over the labelled range, both ends included, on the nearest labelled slice.

    A single one stands in the middle.
    """
    return covering(filled, count, 1.0)


def covering(filled: np.ndarray, count: int, share: float, start: float = 0.0) -> list[int]:
    """As `equally_spaced`, but over `share` (0 to 1) of the labelled range only, which begins at its share `start`."""
    _check_count(count)
    if not (0 < share <= 1 and 0 <= start <= 1 - share + 1e-9):
        raise InputError(f"a share of {share:g} of the labelled range from {start:g} on; it must lie within 0 to 1")
    first, extent = filled[0], filled[-1] - filled[0]
    shares = np.linspace(start, start + share, count) if count > 1 else np.array([start + share / 2])
    return sorted({int(filled[np.argmin(np.abs(filled - w))]) for w in first + shares * extent})


def randomly_placed(filled: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    """`count` labelled slices drawn at random without replacement, all if there are fewer."""
    _check_count(count)
    return sorted(int(t) for t in rng.choice(filled, min(count, len(filled)), replace=False))


def _check_count(count: int) -> None:
    if count < 1:
        raise InputError(f"{count} slices to draw; at least 1 is needed")


def incomplete(annotations: Annotations, fraction: float, rng: np.random.Generator) -> Annotations:
    """Without `fraction` of the drawn (muscle, slice) pairs, chosen at random; no muscle falls below two drawn slices.

    Raises InputError if that many cannot be left out.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"a fraction of {fraction:g} to leave out; it must lie from 0 to below 1")
    drawn = [dict(m.drawn) for m in annotations.muscles]
    pairs = [(index, t) for index, slices in enumerate(drawn) for t in sorted(slices)]
    to_drop = round(fraction * len(pairs))
    for index, t in rng.permutation(pairs).tolist() if pairs else []:
        if to_drop and len(drawn[index]) > LEAST:
            del drawn[index][t]
            to_drop -= 1
    if to_drop:
        raise InputError(f"cannot leave out {fraction:.0%} of the drawn slices: every muscle must keep {LEAST}")
    muscles = [replace(m, drawn=d) for m, d in zip(annotations.muscles, drawn, strict=True)]
    return replace(annotations, muscles=muscles)
