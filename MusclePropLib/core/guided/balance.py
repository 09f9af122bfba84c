"""Neighbours that meet share the room so that each keeps the area that its drawn slices lead to expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.assemble import Placed
from MusclePropLib.core.priors.frame import SIZE

ROUNDS = 3
LARGEST_SHIFT = 3.0
"""Unweighted logits that a muscle gains or gives at most on a slice: six pixels of border."""

CERTAIN = 1e12

CONTEST = 3.0
"""How sharply a muscle drawn nearby prevails over one drawn far away (measured on simulated calves)."""


def contested(
    placed: Sequence[Placed], areas: Sequence[np.ndarray], reaches: Sequence[np.ndarray], annotations: Annotations
) -> list[Placed]:
    """The muscles' logits, weighted and with one offset per slice each, so that a plain maximum shares the room fairly.

    Where two meet, the one that is known better has its way: the smaller its distance `reaches` (n,) mm to its known
    slices and the smaller its window, the more its logits weigh. Each muscle has its area when alone; where two claim
    the same pixels one would lose some, so an offset gives it the expected `areas` (n,) in crop pixels of its own
    frame, nan where nothing is expected. A muscle that meets no other is left as if it were alone.
    """
    if len(placed) < 2:
        return list(placed)
    weights = _weights(placed, reaches)
    weighted = [replace(p, logits=p.logits * w[:, None, None]) for p, w in zip(placed, weights, strict=True)]
    finest = float(np.prod(_finest(placed)))
    for place, t in enumerate(placed[0].frame.slices):
        fields = _fields(weighted, place, int(t), annotations)
        wanted = [_wanted(part, area, place) / finest for part, area in zip(placed, areas, strict=True)]
        free = [
            index
            for index, muscle in enumerate(annotations.muscles)
            if np.isfinite(wanted[index]) and int(t) not in muscle.drawn and placed[index].valid[place]
        ]
        for index, shift in _shifts(fields, wanted, free, LARGEST_SHIFT * weights[:, place]).items():
            weighted[index].logits[place] += shift
    return weighted


def _weights(placed: Sequence[Placed], reaches: Sequence[np.ndarray]) -> np.ndarray:
    """Weights (muscles, n), 1 for the muscle that is known least on a slice."""
    spread = np.stack([(r + 1) ** CONTEST * p.frame.step[0] for p, r in zip(placed, reaches, strict=True)])
    return (spread.max(axis=0) / spread).astype(np.float32)


def _fields(placed: Sequence[Placed], place: int, t: int, annotations: Annotations) -> np.ndarray:
    """Logits (muscles, rows, columns) of all muscles in one window that holds theirs, in pixels of the finest."""
    step = _finest(placed)
    centres = np.array([part.frame.centres[place] for part in placed])
    halves = np.array([SIZE / 2 * np.array(part.frame.step) for part in placed])
    low, high = (centres - halves).min(axis=0), (centres + halves).max(axis=0)
    shape = tuple(int(np.ceil(n)) for n in (high - low) / step)
    fields = np.full((len(placed), *shape), -CERTAIN, np.float32)
    for index, part in enumerate(placed):
        drawn = annotations.muscles[index].drawn.get(t)
        if drawn is not None:
            rows, columns = (
                np.clip(np.round(low[axis] + step[axis] * np.arange(shape[axis])), 0, drawn.shape[axis] - 1).astype(int)
                for axis in (0, 1)
            )
            fields[index] = np.where(drawn[np.ix_(rows, columns)], CERTAIN, -CERTAIN)
        elif part.valid[place]:
            scale = tuple(np.array(part.frame.step) / step)
            window = replace(part.frame, centres=(part.frame.centres - low) / step, step=scale)
            values, where = window.paste(part.logits[place], place, shape)
            fields[index][where] = values
    return fields


def _finest(placed: Sequence[Placed]) -> np.ndarray:
    """Voxels (row, column) per crop pixel of the finest window."""
    return np.min([part.frame.step for part in placed], axis=0)


def _wanted(part: Placed, areas: np.ndarray, place: int) -> float:
    """The expected area in voxels."""
    return float(areas[place] * np.prod(part.frame.step))


def _shifts(fields: np.ndarray, wanted: Sequence[float], free: Sequence[int], limits: np.ndarray) -> dict[int, float]:
    shifts = dict.fromkeys(free, 0.0)
    if len(free) == 0 or len(fields) < 2:
        return {}
    for _ in range(ROUNDS):
        for index in free:
            rivals = [fields[j] + shifts.get(j, 0.0) for j in range(len(fields)) if j != index]
            lead = fields[index] - np.maximum(np.max(rivals, axis=0), 0)
            count = int(np.clip(round(wanted[index]), 1, lead.size - 1))
            shifts[index] = -level_of(lead, count, float(limits[index]))
    return shifts


def level_of(lead: np.ndarray, count: int, limit: float) -> float:
    """The `count`-th largest value of `lead`, within +-`limit`; only what lies between needs to be sorted."""
    close = lead[np.abs(lead) < limit]
    rank = count - np.count_nonzero(lead >= limit)
    if not 0 < rank <= len(close):
        return limit if rank <= 0 else -limit
    return float(np.partition(close, len(close) - rank)[len(close) - rank])
