"""Which slices the simulated expert draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.sparsify import covering, equally_spaced, incomplete, randomly_placed

if TYPE_CHECKING:
    from MusclePropLib.core.benchmark.problems import Problem

PARTIAL_SHARE = 0.7
INCOMPLETE_FRACTION = 0.3

_PICK: dict[str, Callable[[np.ndarray, int, np.random.Generator], list[int]]] = {
    "equal": lambda filled, count, rng: equally_spaced(filled, count),
    "partial": lambda filled, count, rng: covering(filled, count, PARTIAL_SHARE),
    "random": randomly_placed,
    "incomplete": lambda filled, count, rng: equally_spaced(filled, count),
}
LAYOUTS = tuple(_PICK)
CHANCE = ("random", "incomplete")
"""Layouts that depend on the seed."""


def annotate(problem: Problem, layout: str, count: int, seed: int = 0) -> Annotations:
    """What is drawn of `problem`, `count` slices of each muscle.

    equal: over the muscle's whole range, both ends included, and the expert says that it is absent beyond them.
    partial: over the first 70 % of the range, so that the rest must be extrapolated. random: anywhere in the range.
    incomplete: as equal, but 30 % of the masks are missing, each muscle on slices of its own.
    """
    rng = np.random.default_rng([seed, count])
    muscles = []
    for name, mask in problem.truth.items():
        filled = np.flatnonzero(mask.any(axis=(1, 2)))
        drawn = {t: mask[t].copy() for t in _PICK[layout](filled, count, rng)}
        beyond = set(range(len(mask))) - set(range(filled[0], filled[-1] + 1)) if layout == "equal" else ()
        muscles.append(MuscleAnnotation(name, drawn, frozenset(beyond)))
    annotations = Annotations(problem.volume.array.shape, muscles)
    return incomplete(annotations, INCOMPLETE_FRACTION, rng) if layout == "incomplete" else annotations
