"""Two networks, each fine-tuned on half of the hidden slices and judged on the other half."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from MusclePropLib.core.device import Plan
from MusclePropLib.core.guided.correct import correct_stack
from MusclePropLib.core.guided.farther import step_by_step
from MusclePropLib.core.guided.finetune import FineTuner, go_back
from MusclePropLib.core.guided.hidden import HiddenTask
from MusclePropLib.core.guided.inputs import CLIP_SLICES, Clip
from MusclePropLib.core.guided.muscle import MuscleWork
from MusclePropLib.core.guided.others import others_distance
from MusclePropLib.core.network import Network
from MusclePropLib.core.priors.stack import CARRIED, MuscleStack

FOLDS = 2
KEPT = 0.5
"""Share of the weights before fine-tuning in those after it: a few slices teach a network what this volume looks like,
and make it forget a little of what it knew of others."""

PORTION = 5
"""Steps between two looks at the clock."""

Tell = Callable[[int, int, float, float], None]
"""Hears of steps done, steps in all, seconds so far and the running loss."""

Copy = tuple[str, int, Clip]
"""A lesson from deformed copies of a muscle's drawn slice: the muscle's name, the slice, the lesson."""


@dataclass
class Tuning:
    """The networks of one volume.

    Network f learns the lessons of fold f and answers for the hidden slices of the other fold, so that no network is
    judged by what it was shown; what is propagated is the mean of both. Until they are tuned both are the same.
    `device` is the one that was asked for, `plan` what memory has left of it, `steps` how many each network has taken.
    `folds`, by muscle and drawn slice, outlive the round: slices that are drawn later find a fold of their own.
    """

    networks: list[Network]
    device: torch.device
    plan: Plan
    tuned: bool = False
    steps: int = 0
    folds: dict[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network, device: torch.device) -> Tuning:
        """Both networks as copies of a pretrained one."""
        return cls([copy.deepcopy(network) for _ in range(FOLDS)], device, Plan(device, CLIP_SLICES))

    def use(self, plan: Plan) -> None:
        """Compute by another plan from now on."""
        self.plan = plan
        for network in self.networks:
            network.to(plan.device).checkpointing = plan.checkpointing

    def tune(
        self,
        works: Sequence[MuscleWork],
        copies: Sequence[Copy],
        steps: int,
        seed: int,
        go_on: Callable[[], bool],
        tell: Tell,
    ) -> None:
        """Take `steps` steps with each network, in portions, as long as `go_on`; `tell` hears of each portion.

        `copies` are lessons besides the hidden slices of `works`. If it fails, the networks are as they were.
        """
        began = time.monotonic()
        networks = copy.deepcopy(self.networks)
        self._share_out(works)
        lessons, taken = self._lessons(works, copies), 0
        tuners = [
            FineTuner(n, own, self.plan.device, seed + i)
            for i, (n, own) in enumerate(zip(networks, lessons, strict=True))
        ]
        for done in range(PORTION, steps + 1, PORTION):
            for tuner in tuners:
                tuner.run(PORTION, go_on)
            if not go_on():
                break
            taken = done
            tell(done, steps, time.monotonic() - began, float(np.mean([tuner.loss for tuner in tuners])))
        for before, after in zip(self.networks, networks, strict=True):
            go_back(after, before, KEPT)
        self.networks, self.tuned, self.steps = networks, True, self.steps + taken

    def correct(self, work: MuscleWork, works: Sequence[MuscleWork], spacing: tuple[float, float]) -> None:
        """Give the muscle its network candidate, with the hidden slices as judged by the other fold's network.

        Tuned networks go on step by step beyond the known slices; `spacing` (row, column) mm is the slices'.
        """
        others = others_distance(work, works)
        self._share_out(works)
        hidden = [self._hidden(task, work) for task in work.tasks]

        def farther(found: np.ndarray) -> np.ndarray:
            return step_by_step(work, found, others, spacing, partial(self._found, CARRIED)) if self.tuned else found

        work.add_network(self._found(work.draft, work.stack, others), hidden, farther)

    def _found(self, draft: str, stack: MuscleStack, others: np.ndarray | None) -> np.ndarray:
        networks = self.networks if self.tuned else self.networks[:1]
        return np.mean([correct_stack(n, stack, draft, others, self.plan) for n in networks], axis=0, dtype=np.float32)

    def _hidden(self, task: HiddenTask, work: MuscleWork) -> np.ndarray:
        network = self.networks[1 - self.folds[work.annotation.name, task.slice_index]]
        return correct_stack(network, task.stack, work.draft, task.others, self.plan, only=task.place)

    def _share_out(self, works: Sequence[MuscleWork]) -> None:
        """Give every hidden slice that has none a fold, neighbouring ones different folds."""
        for work in works:
            fold = 1 - work.index % FOLDS
            for task in work.tasks:
                fold = self.folds.setdefault((work.annotation.name, task.slice_index), 1 - fold)

    def _lessons(self, works: Sequence[MuscleWork], copies: Sequence[Copy]) -> list[list[Clip]]:
        """The lessons of each fold; a fold without any gets the other's.

        Copies of a slice that is hidden in turn go to its own fold: they show the other network what it is judged by.
        """
        limit = self.plan.frames
        lessons: list[list[Clip]] = [[] for _ in range(FOLDS)]
        for muscle, slice_index, clip in copies:
            own = self.folds.get((muscle, slice_index))
            for fold in range(FOLDS) if own is None else [own]:
                lessons[fold].append(clip.shortened(limit))
        for work in works:
            for task in work.tasks:
                fold = self.folds[work.annotation.name, task.slice_index]
                lessons[fold].append(task.clip(work.draft, limit))
        return [own or lessons[1 - fold] for fold, own in enumerate(lessons)]
