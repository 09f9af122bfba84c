"""One muscle's propagation in progress: its candidates, how far each is trusted, and which one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from MusclePropLib.core.annotations import MuscleAnnotation
from MusclePropLib.core.assemble import Placed
from MusclePropLib.core.guided.choice import Overlap, Trust, best, expected_dice, exponent_of, overlap, trust
from MusclePropLib.core.guided.hidden import HiddenTask, reach
from MusclePropLib.core.guided.inputs import draft_logits
from MusclePropLib.core.priors.frame import FAR, CropFrame
from MusclePropLib.core.priors.stack import CARRIED, INTERPOLATED, WALKED, MuscleStack

NETWORK = "network"
LEAST_TRUST = 0.3
"""Beyond the known slices a muscle ends where its expected Dice falls below this."""

TELLING = 0.75
"""Share of pixels near the border that grey levels alone must tell apart before a random walk is worth its time."""


@dataclass
class MuscleWork:
    """State of one muscle; `candidates` maps names to logits (n, rows, columns) on the places of `stack`."""

    index: int
    annotation: MuscleAnnotation
    stack: MuscleStack
    positions: np.ndarray
    tasks: list[HiddenTask] = field(default_factory=list)
    candidates: dict[str, np.ndarray] = field(default_factory=dict)
    trusts: dict[str, Trust] = field(default_factory=dict)
    chosen: str = CARRIED

    def __post_init__(self) -> None:
        self.candidates = {name: draft_logits(draft) for name, draft in self.stack.drafts.items()}
        known = sorted(int(self.stack.slices[p]) for p in self.stack.known)
        slices = [int(t) for t in self.stack.slices]
        self.reach = np.array([reach(self.positions, known, t) for t in slices])
        self.beyond = np.array([t < known[0] or t > known[-1] for t in slices])

    @property
    def draft(self) -> str:
        """The most trusted of the drafts, which is what the network corrects."""
        drafts = [name for name in self.stack.drafts if name in self.trusts]
        return best({name: 1 - self.estimate(name) for name in drafts}) if drafts else CARRIED

    def add_tasks(self, tasks: Sequence[HiddenTask]) -> None:
        """Take the hidden-slice tasks and score every draft on them; with none, everything stays untold."""
        self.tasks = list(tasks)
        for task in self.tasks:
            task.fields = {name: draft_logits(value) for name, value in task.fields.items()}
        for name in self.stack.drafts:
            self.score(name)

    def add_walk(self) -> None:
        """Let a random walk compete where grey levels tell inside from outside on the hidden slices."""
        if not self.tasks or np.mean([_told_apart(task) for task in self.tasks]) < TELLING:
            return
        self.stack.add_walk()
        self.candidates[WALKED] = draft_logits(self.stack.drafts[WALKED])
        for task in self.tasks:
            task.stack.add_walk()
            task.fields[WALKED] = draft_logits(task.stack.drafts[WALKED][task.place])
        self.score(WALKED)

    def add_network(self, logits: np.ndarray, hidden: Sequence[np.ndarray]) -> None:
        """The network's logits on the stack, and those on the hidden slice of each task."""
        self.candidates[NETWORK] = logits
        for task, field_ in zip(self.tasks, hidden, strict=True):
            task.fields[NETWORK] = field_
        self.score(NETWORK)

    def score(self, name: str) -> None:
        """Fit the candidate's trust to the hidden slices, if there are any."""
        if self.tasks:
            overlaps: list[Overlap] = [overlap(task, task.fields[name]) for task in self.tasks]
            self.trusts[name] = trust(self.tasks, overlaps, exponent_of(name))

    def choose(self) -> None:
        """Choose the candidate with the best estimate; without hidden slices, the network or else the flow."""
        if self.trusts:
            self.chosen = best({name: 1 - self.estimate(name) for name in self.trusts})
        else:
            self.chosen = NETWORK if NETWORK in self.candidates else CARRIED

    def errors(self, name: str) -> np.ndarray:
        """Expected 1 - Dice (n,) of a candidate on each place: zero where known."""
        return self.trusts[name].error(self.reach, self.beyond) * (self.reach > 0)

    def estimate(self, name: str) -> float:
        """Expected pooled Dice of a candidate over the slices that are not known; nan if nothing can tell."""
        if name not in self.trusts:
            return float("nan")
        unknown = (self.reach > 0) & self.stack.possible & self.present(name)
        areas = (self.candidates[name] > 0).sum(axis=(1, 2)) + 1.0
        return expected_dice(self.errors(name)[unknown], areas[unknown]) if unknown.any() else 1.0

    def present(self, name: str) -> np.ndarray:
        """Places (n,) where the muscle is shown: not beyond the known slices where nothing can be trusted any more."""
        if name not in self.trusts:
            return np.ones(len(self.reach), bool)
        return ~self.beyond | (self.errors(name) <= 1 - LEAST_TRUST)

    def placed(self) -> Placed:
        """The chosen candidate, ready for the label map."""
        return Placed(self.stack.frame, self.candidates[self.chosen], self.stack.possible & self.present(self.chosen))

    def fill_estimate(self) -> float:
        """Expected Dice of interpolation between the drawn slices."""
        return self.estimate(INTERPOLATED)


def others_distance(work: MuscleWork, works: Sequence[MuscleWork], task: HiddenTask | None = None) -> np.ndarray | None:
    """Where the other muscles are, (n, rows, columns) signed distance in the frame of the muscle or of a task.

    In a task, another muscle's own hidden-slice stack is used where there is one: what was drawn on the hidden slice
    must not help on it, since on slices that nobody drew it cannot.
    """
    frame = work.stack.frame if task is None else task.stack.frame
    union = None
    for other in works:
        if other is work:
            continue
        union = np.full((len(frame.slices), *work.stack.images.shape[1:]), FAR, np.float32) if union is None else union
        _join(union, frame, other.stack.frame, other.stack.drafts[other.draft])
        for twin in other.tasks if task is not None else ():
            if twin.slice_index == task.slice_index:
                _join(union, frame, twin.stack.frame, twin.stack.drafts[other.draft], replace=True)
    return union


def _join(union: np.ndarray, frame: CropFrame, other: CropFrame, field_: np.ndarray, replace: bool = False) -> None:
    place = {int(t): i for i, t in enumerate(other.slices)}
    for i, t in enumerate(frame.slices):
        at = place.get(int(t))
        if at is not None:
            moved = frame.transfer(field_[at], i, other, at)
            union[i] = moved if replace else np.maximum(union[i], moved)


def _told_apart(task: HiddenTask) -> float:
    """Balanced share of the hidden slice's pixels near the drawn border that grey levels put on the right side."""
    ratio = task.stack.likelihood[task.place]
    inside, outside = ratio[task.truth > 1], ratio[(task.truth < -1) & (task.truth > -12)]
    if not len(inside) or not len(outside):
        return 0.0
    return 0.5 * (float((inside > 0).mean()) + float((outside <= 0).mean()))
