"""Beyond the outermost known slices: the network goes on step by step, each time from what it found itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from MusclePropLib.core.guided.choice import own_error
from MusclePropLib.core.guided.ending import error_at_end
from MusclePropLib.core.guided.muscle import MuscleWork, with_draft
from MusclePropLib.core.priors.crops import MuscleCrops
from MusclePropLib.core.priors.distance import outline_distance
from MusclePropLib.core.priors.frame import SIZE
from MusclePropLib.core.priors.stack import CARRIED, MuscleStack, stack_of

STRIDE = 0.2
"""Length of a step, as a share of the window's side."""

AHEAD = 2
"""Steps that the network sees at once; the second of them is found again from where it begins."""

STEPPED = 0.5
"""Share of what is found step by step in the result; the rest is what was found at once, which errs differently."""

Correct = Callable[[MuscleStack, np.ndarray | None], np.ndarray]
"""Logits (n, rows, columns) of a stack's carried draft, given the others' distances on it or None."""


def step_by_step(
    work: MuscleWork,
    found: np.ndarray,
    others: np.ndarray | None,
    spacing: tuple[float, float],
    correct: Correct,
) -> np.ndarray:
    """Logits (n, rows, columns) like `found`, beyond the outermost known places averaged with those found step by step.

    Carried far beyond the last drawn slice, a mask has lost its way, and the network mends what is left of it. One step
    away it is as good as there, and what the network finds of it is the better mask to carry on. `others`
    (n, rows, columns) as `others_distance`; `spacing` (row, column) mm.
    """
    at_once, found = found, found.copy()
    known = sorted(work.stack.known)
    limit = error_at_end(found, known)
    stride = STRIDE * SIZE * work.stack.frame.step[0] * spacing[0]
    for places in (np.arange(known[0], -1, -1), np.arange(known[-1], len(found))):
        along = work.positions[work.stack.slices[places]]
        away = np.maximum.accumulate(np.abs(along - along[0]))  # a hand trembles
        for start, stop in _steps(away, stride):
            anchor = places[start]
            if not work.stack.possible[anchor] or own_error(found[anchor]) >= limit:
                break
            part = np.sort(places[start:stop])
            stack = _stack_from(work, part, int(np.flatnonzero(part == anchor)[0]), found[anchor] > 0, spacing)
            logits = correct(stack, None if others is None else others[part])
            stepped = STEPPED * with_draft(logits, stack.drafts[CARRIED]) + (1 - STEPPED) * at_once[part]
            found[part] = np.where((part == anchor)[:, None, None], found[part], stepped)
    return found


def _steps(away: np.ndarray, stride: float) -> Iterator[tuple[int, int]]:
    """Where each step starts and where what it shows stops, by the distance `away` (n,) in mm, increasing."""
    start = 0
    while True:
        start = max(int(np.searchsorted(away, away[start] + stride)), start + 2)
        if start >= len(away) - 1:
            return
        yield start, int(np.searchsorted(away, away[start] + AHEAD * stride, side="right"))


def _stack_from(
    work: MuscleWork, part: np.ndarray, at: int, mask: np.ndarray, spacing: tuple[float, float]
) -> MuscleStack:
    """The stack of some places, where a mask (rows, columns) on the place `at` of them is all that is known."""
    whole, muscle = work.stack, work.annotation
    frame = replace(whole.frame, slices=whole.slices[part], centres=whole.frame.centres[part])
    crops = MuscleCrops(frame, whole.images[part], whole.inside[part], {at: outline_distance(mask)})
    stack = stack_of(crops, work.positions, spacing, muscle.drawn, muscle.absent, whole.finest)
    stack.likelihood = whole.likelihood[part]  # by what was drawn, not by what was found
    return stack
