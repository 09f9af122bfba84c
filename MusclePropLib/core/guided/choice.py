"""Which candidate to trust: hidden-slice scores, and what they say of the slices that were never drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.guided.hidden import HiddenTask
from MusclePropLib.core.priors.stack import CARRIED, INTERPOLATED, MEAN, WALKED

EXPONENTS = {CARRIED: 0.75, INTERPOLATED: 0.75, MEAN: 0.75, WALKED: 0.4}
"""How a candidate's error grows with the reach; fitted on real volumes by the benchmark of the self-estimate."""

NETWORK_EXPONENT = 0.7
LEAST_ERROR = 0.01


@dataclass(frozen=True)
class Trust:
    """A candidate's error (1 - Dice) as `scale` * reach ** `exponent`, within the known slices and beyond them."""

    scale: float
    scale_beyond: float
    exponent: float

    def error(self, reach: np.ndarray, beyond: np.ndarray) -> np.ndarray:
        """Expected 1 - Dice on slices at `reach` mm, of which `beyond` lie outside the known ones."""
        scale = np.where(beyond, self.scale_beyond, self.scale)
        return np.clip(scale * np.asarray(reach, float) ** self.exponent, LEAST_ERROR, 1.0)


@dataclass(frozen=True)
class Overlap:
    """Areas (square millimetres) of what was found, of what was drawn, and of both, on one hidden slice."""

    common: float
    found: float
    drawn: float


def overlap(task: HiddenTask, field: np.ndarray) -> Overlap:
    """Compare a candidate's field (rows, columns) on the hidden slice with what the expert drew there."""
    found, drawn = field > 0, task.truth > 0
    return Overlap(*(float(a.sum()) * task.pixel_area for a in (found & drawn, found, drawn)))


def trust(tasks: Sequence[HiddenTask], overlaps: Sequence[Overlap], exponent: float) -> Trust:
    """Fit the scale of the error to the hidden slices of one muscle.

    Errors are areas of disagreement against the mean drawn area, so that an end slice with a few voxels does not
    count like a slice through the belly. Slices hidden at the ends say how extrapolation goes; without inner ones
    they stand for both.
    """
    mean_area = np.mean([o.drawn for o in overlaps]) if overlaps else 1.0
    inner = [(t, o) for t, o in zip(tasks, overlaps, strict=True) if not t.beyond]
    outer = [(t, o) for t, o in zip(tasks, overlaps, strict=True) if t.beyond]
    beyond = _scale(outer, exponent, mean_area)
    within = _scale(inner, exponent, mean_area)
    # With one or two inner slices the ends are evidence too: extrapolation is the harder task, so it bounds from above.
    if within is None:
        within = beyond
    if beyond is None:
        beyond = within
    return Trust(within or 0.0, beyond or 0.0, exponent)


def _scale(pairs: Sequence[tuple[HiddenTask, Overlap]], exponent: float, mean_area: float) -> float | None:
    if not pairs:
        return None
    wrong = sum(o.found + o.drawn - 2 * o.common for _, o in pairs)
    size = sum(max(o.found + o.drawn, mean_area) * t.reach**exponent for t, o in pairs)
    return wrong / max(size, 1e-9)


def exponent_of(candidate: str) -> float:
    """The exponent of a draft, or of the network and what is mixed with it."""
    return EXPONENTS.get(candidate, NETWORK_EXPONENT)


def expected_dice(error: np.ndarray, areas: np.ndarray) -> float:
    """Pooled Dice over slices: per-slice errors weighted by the areas (any unit) found there."""
    total = float(np.sum(areas))
    return float(1 - np.sum(error * areas) / total) if total > 0 else 0.0


def best(errors: Mapping[str, float]) -> str:
    """The candidate with the least expected error; the earlier one wins a tie."""
    return min(errors, key=lambda name: errors[name])
