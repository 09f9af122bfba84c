"""Which candidate to trust: hidden-slice scores, and what they say of the slices that were never drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from MusclePropLib.core.guided.hidden import HiddenTask
from MusclePropLib.core.priors.stack import WALKED

EXPONENT, WALK_EXPONENT = 0.75, 0.4
"""How a candidate's error grows with the reach; measured on some thirty organs in CT, MR and ultrasound."""

LEAST_ERROR = 0.01
OUTER_WEIGHT, TAPERING_WEIGHT = 0.05, 0.2
"""What a slice that was not hidden between two drawn ones says of those that lie between two."""

LONE_OUTER_WEIGHT = 0.5
"""The same of an outer one where but one slice was hidden between two: of three, that one is far from both ends."""

OWN_WEIGHT = 0.3
"""Of the error that a network expects of itself, where it is less than what hidden slices say: these lie so far from
the drawn ones that they show it a poorer draft than it will correct (measured on organs in CT)."""

LONE_OWN_WEIGHT = 0.7
"""The same, where it is more as well, if every hidden slice lay beyond the others or next to one where the muscle is
absent, and some did the latter (measured on simulated calves)."""

FAR_APART, FAR_APART_TOLD = 2.0, 8.0
"""Diameters of the drawn outlines from one of the only two drawn slices to the other, from which on hidden slices tell
too little of what lies between, for two tips say nothing of the belly; and the same where the expert says besides where
the muscle ends (measured on organs in CT and MR, and on simulated calves)."""


@dataclass(frozen=True)
class Trust:
    """A candidate's error (1 - Dice) as `scale` * reach ** `exponent`, within the known slices and beyond them.

    `hidden_error` is its error on the hidden slices themselves, above all on those between two drawn ones.
    """

    scale: float
    scale_beyond: float
    exponent: float
    hidden_error: float

    def error(self, reach: np.ndarray, beyond: np.ndarray) -> np.ndarray:
        """Expected 1 - Dice on slices at `reach` mm, of which `beyond` lie outside the known ones."""
        scale = np.where(beyond, self.scale_beyond, self.scale)
        return np.clip(scale * np.asarray(reach, float) ** self.exponent, LEAST_ERROR, 1.0)

    def times(self, within: float, beyond: float) -> Trust:
        """The same of errors so many times as large on slices that were never drawn, `beyond` the known ones or not."""
        return replace(self, scale=self.scale * within, scale_beyond=self.scale_beyond * beyond)


@dataclass(frozen=True)
class Overlap:
    """Areas (square millimetres) of what was found, of what was drawn, and of both, on one hidden slice."""

    common: float
    found: float
    drawn: float

    def error(self, least_area: float) -> float:
        """1 - Dice, measured against `least_area` where found and drawn are smaller."""
        return (self.found + self.drawn - 2 * self.common) / max(self.found + self.drawn, least_area, 1e-9)


def overlap(task: HiddenTask, field: np.ndarray) -> Overlap:
    """Compare a candidate's field (rows, columns) on the hidden slice with what the expert drew there."""
    found, drawn = ((plane > 0) & task.stack.inside[task.place] for plane in (field, task.truth))
    common, area = (float(np.count_nonzero(a)) * task.pixel_area for a in (found & drawn, found))
    return Overlap(common, area, max(task.drawn_area, common))


def trust(tasks: Sequence[HiddenTask], overlaps: Sequence[Overlap], exponent: float) -> Trust:
    """Fit the scale of the error to the hidden slices of one muscle.

    An error is the area of disagreement against the areas found and drawn, or against the mean drawn area where that
    is larger, so that an end slice with a few voxels does not count like a slice through the belly. A slice hidden at
    an end asks for extrapolation; for what lies between known slices it counts little, unless there is but one other
    to go by. Nor does a slice count much that was hidden next to one where the muscle is absent: nothing else that was
    drawn tells how fast the muscle tapers off there.
    """
    mean_area = float(np.mean([o.drawn for o in overlaps]))
    errors = np.array([o.error(mean_area) for o in overlaps])
    growth = np.array([t.reach**exponent for t in tasks])
    beyond = np.array([t.beyond for t in tasks])

    def scale(weights: np.ndarray) -> float:
        return float((weights * errors).sum() / max((weights * growth).sum(), 1e-9))

    tapering = np.array([t.tapering for t in tasks])
    inner = np.where(tapering, TAPERING_WEIGHT, 1.0)
    lone = np.count_nonzero(~beyond & ~tapering) < 2
    within = scale(np.where(beyond, LONE_OUTER_WEIGHT if lone else OUTER_WEIGHT, inner))
    outside = scale(beyond.astype(float)) if beyond.any() else within
    hidden_error = float(np.average(errors, weights=np.where(beyond, OUTER_WEIGHT, inner)))
    return Trust(within, outside, exponent, hidden_error)


def exponent_of(candidate: str) -> float:
    """The exponent of a candidate: a random walk loses its way early, the others gradually."""
    return WALK_EXPONENT if candidate == WALKED else EXPONENT


def own_error(logits: np.ndarray) -> float:
    """1 - Dice that a network expects of its mask, from logits (n, rows, columns): the chances of being wrong, summed.

    At most 1, which it also is where nothing was found.
    """
    found = np.count_nonzero(logits > 0)
    return min(float(expit(-np.abs(logits)).sum()) / (2 * found), 1.0) if found else 1.0


def joined_error(error: float, own: float, told: bool) -> float:
    """A network's expected error from what hidden slices say and from its own: less where it is surer than they.

    If they have not `told` of what lies between drawn slices, its own counts most in either direction.
    """
    weight = OWN_WEIGHT if told else LONE_OWN_WEIGHT
    joined = error ** (1 - weight) * own**weight
    return min(error, joined) if told else joined


def expected_dice(error: np.ndarray, areas: np.ndarray) -> float:
    """Pooled Dice over slices: per-slice errors weighted by the areas (any unit) found there."""
    total = float(np.sum(areas))
    return float(1 - np.sum(error * areas) / total) if total > 0 else 0.0


def strain(gap: float, areas: Sequence[float], told: bool) -> float:
    """How many times as large as hidden slices say errors are in the `gap` (mm) between the only two drawn slices.

    `areas` (square millimetres) are of these two; `told` says that it is known where the muscle ends.
    """
    diameter = float(np.mean(2 * np.sqrt(np.asarray(areas) / np.pi)))
    return max(1.0, gap / diameter / (FAR_APART_TOLD if told else FAR_APART))


def best(errors: Mapping[str, float]) -> str:
    """The candidate with the least expected error; the earlier one wins a tie."""
    return min(errors, key=lambda name: errors[name])
