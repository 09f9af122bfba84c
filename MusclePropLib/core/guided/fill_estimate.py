"""How good Slicer's Fill between slices would be: the real filter on hidden slices, in a process of its own.

It is scored as the other candidates are, on every drawn slice that has drawn slices on both sides. Beyond the outermost
ones it finds nothing. It runs beside the rest of the propagation and holds it up by PATIENCE at most, less where the
time limit is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from MusclePropLib.core.guided.choice import EXPONENT, Overlap, Trust, expected_dice, trust
from MusclePropLib.core.guided.hidden import reach
from MusclePropLib.core.priors.frame import bounding_box
from MusclePropLib.core.progress import Progress
from MusclePropLib.core.rivals import RivalFailed, RivalUnavailable, fill
from MusclePropLib.core.rivals.isolated import Isolated

if TYPE_CHECKING:
    from MusclePropLib.core.annotations import MuscleAnnotation
    from MusclePropLib.core.guided.muscle import MuscleWork

PATIENCE, LEAST_PATIENCE = 5.0, 0.5
"""Seconds to wait for the filter when all else is done, and when there is no time left either."""

STEPS = 8
"""A longer gap is filled with STEPS - 1 slices at most: the filter halves gaps, so these come out the same."""

PIXELS = 256
"""A muscle that is longer than this is compared on every second, third ... row and column."""

MARGIN = 2


@dataclass(frozen=True)
class Gap:
    """A drawn slice, hidden between its drawn neighbours; `stack` uint8 (n, rows, columns) holds those at its ends.

    `truth` (rows, columns) bool is what was drawn, to compare with place `place` of the filled stack.
    """

    slice_index: int
    stack: np.ndarray
    truth: np.ndarray
    place: int
    stride: int = 1

    def overlap(self, filled: np.ndarray) -> Overlap:
        """Of the filled stack with what was drawn, in voxels."""
        found = filled[self.place] > 0
        return Overlap(*(float(np.count_nonzero(a)) * self.stride**2 for a in (found & self.truth, found, self.truth)))


class FillEstimate:
    """The filter under way on the hidden slices of all muscles; a context that leaves no process behind.

    `muscles` as annotated. Whatever goes wrong is a warning in the log of `progress`, and nothing is known then.
    """

    def __init__(self, muscles: Sequence[MuscleAnnotation], progress: Progress) -> None:
        self._progress = progress
        self._gaps = [gaps(muscle) for muscle in muscles] if fill.available() else []
        stacks = {f"{i} {gap.slice_index}": gap.stack for i, found in enumerate(self._gaps) for gap in found}
        self._child: Isolated | None = None
        if stacks:
            try:
                self._child = Isolated(fill.__name__, stacks)
            except OSError as fault:
                self._warn(fault)

    def __enter__(self) -> FillEstimate:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.close()

    def of(self, works: Sequence[MuscleWork]) -> list[float]:
        """Expected Dice of each muscle over the slices that are not known; nan where nothing tells it."""
        filled = self._filled()
        if not filled:
            return [float("nan")] * len(works)
        return [
            expected(work, {gap.slice_index: gap.overlap(filled[f"{i} {gap.slice_index}"]) for gap in found})
            for i, (work, found) in enumerate(zip(works, self._gaps, strict=True))
        ]

    def _filled(self) -> dict[str, np.ndarray]:
        if self._child is None:
            return {}
        try:
            return self._child.result(min(PATIENCE, max(self._progress.left(), LEAST_PATIENCE)))
        except (RivalFailed, RivalUnavailable, OSError) as fault:
            self._warn(fault)
            return {}

    def _warn(self, fault: Exception) -> None:
        self._progress.log(f"Fill between slices could not be tried for comparison: {fault}", "warning")


def gaps(muscle: MuscleAnnotation) -> list[Gap]:
    """One for every drawn slice between two others."""
    drawn = sorted(muscle.drawn)
    return [_gap(muscle.drawn, *three) for three in zip(drawn, drawn[1:], drawn[2:], strict=False)]


def _gap(drawn: dict[int, np.ndarray], before: int, hidden: int, after: int) -> Gap:
    masks = np.stack([drawn[before], drawn[hidden], drawn[after]]).astype(bool)
    top, bottom, left, right = bounding_box(masks.any(axis=0))
    masks = masks[:, max(0, top - MARGIN) : bottom + MARGIN, max(0, left - MARGIN) : right + MARGIN]
    stride = -(-max(masks.shape[1:]) // PIXELS)
    masks = masks[:, ::stride, ::stride]
    place, length = _thinned(hidden - before, after - before)
    stack = np.zeros((length + 1, *masks.shape[1:]), np.uint8)
    stack[0], stack[-1] = masks[0], masks[2]
    return Gap(hidden, stack, masks[1], place, stride)


def _thinned(place: int, length: int) -> tuple[int, int]:
    """About the same place in a shorter gap, of STEPS or a half, a quarter of them."""
    if length <= STEPS:
        return place, length
    share = Fraction(min(max(round(STEPS * place / length), 1), STEPS - 1), STEPS)
    return share.numerator, share.denominator


def expected(work: MuscleWork, overlaps: dict[int, Overlap]) -> float:
    """Expected pooled Dice over the slices that are not known, given the overlaps on hidden slices, by slice.

    The muscle is taken to be where the chosen candidate shows it. Beyond the drawn slices all of it is missed: an area
    of the candidate times (1 - e) / (1 + e), which is what the truth has if an error e comes from going on for too
    long. A missed area is half as much of a pooled Dice as one that is found.
    """
    drawn = sorted(work.annotation.drawn)
    fit = _trust(work, drawn, overlaps)
    if fit is None:
        return float("nan")
    unknown, shown = (work.reach > 0) & work.stack.possible, work.present(work.chosen)
    if not unknown.any():
        return 1.0
    slices = work.stack.slices
    beyond = (slices < drawn[0]) | (slices > drawn[-1])
    between = fit.error(np.array([reach(work.positions, drawn, int(t)) for t in slices]), np.zeros_like(beyond))
    doubt = work.errors(work.chosen)
    areas = work.areas(work.chosen) + 1.0
    missed = areas * np.where(shown, (1 - doubt) / (1 + doubt), 1.0) / 2
    errors, weights = np.where(beyond, 1.0, between), np.where(beyond, missed, areas)
    return expected_dice(errors[unknown], weights[unknown])


def _trust(work: MuscleWork, drawn: list[int], overlaps: dict[int, Overlap]) -> Trust | None:
    """How the error grows between drawn slices, None if no hidden slice tells it; absent slices are nothing to it."""
    tasks = [
        replace(task, beyond=False, tapering=False, reach=reach(work.positions, [t for t in drawn if t != here], here))
        for task in work.tasks
        if (here := task.slice_index) in overlaps
    ]
    return trust(tasks, [overlaps[task.slice_index] for task in tasks], EXPONENT) if tasks else None
