"""One training, from its first step or its checkpoint to its last."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from MusclePropLib.core.cohort.checkpoint import load_checkpoint, read_progress, save_checkpoint
from MusclePropLib.core.cohort.clips import Sampler, keep_share
from MusclePropLib.core.cohort.curves import write_curves
from MusclePropLib.core.cohort.evaluation import known_dice, mean_dice, predict
from MusclePropLib.core.cohort.objective import Batch, cohort_loss, make_batch
from MusclePropLib.core.cohort.prepared import PreparedCase
from MusclePropLib.core.cohort.processes import Processes
from MusclePropLib.core.cohort.settings import FitSettings
from MusclePropLib.core.device import Plan
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.network import Network
from MusclePropLib.core.training import AlternateTrainer, Rates, build_network
from MusclePropLib.core.weights import Weights, initialise, load_weights, save_weights

OnEvent = Callable[[dict], None]


@dataclass(frozen=True)
class Material:
    """What a training works on and where it keeps itself."""

    training: Sequence[PreparedCase]
    validation: Sequence[PreparedCase]
    labels: tuple[str, ...]
    weights: Path
    checkpoint: Path
    init: Path | None


class Run:
    """Steps and validations in turn; after each validation everything needed to go on is on disk."""

    def __init__(self, settings: FitSettings, material: Material, processes: Processes, on_event: OnEvent) -> None:
        self.settings, self.material = settings, material
        self.processes, self.on_event = processes, on_event
        self.beginning = load_weights(material.init) if material.init else None
        per_step = settings.slices * settings.clips
        one_pass = -(-sum(len(case.images) for case in material.training) // per_step)
        self.epoch = settings.validate_every or one_pass
        self.last_step = settings.steps or settings.epochs * one_pass

    def train(self, plan: Plan) -> list[dict]:
        """The rows of the curves, one per validation. `plan` says how much memory may be used."""
        trainer, rows = self._trainer(plan), []
        average = AveragedModel(trainer.network, multi_avg_fn=get_ema_multi_avg_fn(self.settings.averaging))
        if self.material.checkpoint.is_file():
            rows = read_progress(self.material.checkpoint)["rows"]
            load_checkpoint(self.material.checkpoint, trainer, average)
        clock = Clock(self.on_event, self.last_step)
        while not self._finished(rows):
            first = rows[-1]["step"] if rows else 0
            steps = range(first, min(first + self.epoch, self.last_step))
            row = {"step": steps.stop, **self._steps(trainer, average, plan, steps, clock)}
            rows.append(row | self._validate(average.module, plan))
            self._keep(trainer, average, rows)
        return rows

    def _trainer(self, plan: Plan) -> AlternateTrainer:
        config = self.settings.network(1 + len(self.material.labels))
        network = build_network(lambda: Network(config), self.settings.seed)
        if self.beginning:
            self._begin_from(self.beginning, network)
        network.checkpointing = plan.checkpointing
        rates = Rates(self.settings.learning_rate, self.settings.reconstruction)
        return AlternateTrainer(network.to(plan.device), rates, distributed=self.processes.size > 1)

    def _begin_from(self, weights: Weights, network: Network) -> None:
        path = self.material.init
        left, count = initialise(network, weights.network), len(network.state_dict())
        if len(left) == count:
            raise InputError(f"{path}: none of these weights fits the network to be trained")
        text = f"{path.name} gives {count - len(left)} of the network's {count} tensors; the others begin at random"
        self.on_event({"event": "log", "level": "info", "text": text})

    def _steps(self, trainer: AlternateTrainer, average: AveragedModel, plan: Plan, steps: range, clock: Clock) -> dict:
        """Mean losses over the steps. The next clips are prepared while the network is busy with these."""
        sampler = self._sampler(plan)
        sums = torch.zeros(2, device=plan.device)
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._batch, sampler, steps.start, plan)
            for step in steps:
                batch = coming.result()
                coming = ahead.submit(self._batch, sampler, step + 1, plan)
                losses = trainer.step(batch.image, self._loss(batch), sequences=batch.clips)
                average.update_parameters(trainer.network)
                sums[0] += losses.segmentation
                sums[1] += 0 if losses.reconstruction is None else losses.reconstruction
                clock.tick(step + 1, losses.segmentation)
        segmentation, reconstruction = (self.processes.mean(sums) / len(steps)).tolist()
        if not np.isfinite(segmentation + reconstruction):
            raise RuntimeError(f"the training diverged before step {steps.stop}: its loss is not finite")
        rebuilds = "reconstruction" in trainer.optimisers
        return {"segmentation": segmentation, "reconstruction": reconstruction if rebuilds else ""}

    def _sampler(self, plan: Plan) -> Sampler:
        settings, (cases, labels) = self.settings, (self.material.training, self.material.labels)
        kept = [keep_share(case, labels, settings.share, settings.seed) for case in cases]
        return Sampler(cases, labels, kept, plan.frames, settings.spacing, settings.augment)

    def _batch(self, sampler: Sampler, step: int, plan: Plan) -> Batch:
        """The clips of a step depend on seed, step and their number alone, whichever process draws them."""
        numbers = self.processes.share(self.settings.clips)
        clips = [sampler.draw(np.random.default_rng([self.settings.seed, step, number])) for number in numbers]
        return make_batch(clips, self.settings.negatives, plan.device)

    def _loss(self, batch: Batch) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda logits: cohort_loss(logits, batch, self.settings.negatives)

    def _validate(self, network: Network, plan: Plan) -> dict:
        """Each label's mean Dice over the validation cases, and the mean of these."""
        found = {}
        for index in self.processes.share(len(self.material.validation)):
            case = self.material.validation[index]
            prediction = predict(network, case.images, plan.frames, case.step(self.settings.spacing))
            found[index] = known_dice(prediction, case, self.material.labels)
        everybodys = {index: scores for part in self.processes.gather(found) for index, scores in part.items()}
        # In the order of the cases, so that rounding does not depend on who validated which.
        return mean_dice([everybodys[index] for index in sorted(everybodys)], self.material.labels)

    def _keep(self, trainer: AlternateTrainer, average: AveragedModel, rows: list[dict]) -> None:
        """Best weights first, then the checkpoint that speaks of them: a kill in between repeats and loses nothing."""
        if self.processes.leads:
            if best_row(rows) is rows[-1]:
                save_weights(self.material.weights, average.module, self._metadata(rows[-1]))
            write_curves(self.material.checkpoint.parent, rows)
            save_checkpoint(self.material.checkpoint, trainer, average, self.identity() | {"rows": rows})
        self.processes.wait()

    def _finished(self, rows: list[dict]) -> bool:
        if not rows:
            return False
        since_best = len(rows) - 1 - rows.index(best_row(rows))
        return rows[-1]["step"] >= self.last_step or since_best >= self.settings.patience

    def outgrown(self, rows: list[dict]) -> bool:
        """Whether a training with these curves has gone on for longer than it would have by these settings."""
        return bool(rows) and (rows[-1]["step"] > self.last_step or self._finished(rows[:-1]))

    def identity(self) -> dict:
        """What must be the same for a training to go on from a checkpoint."""
        return {
            "settings": self.settings.recipe(),
            "labels": list(self.material.labels),
            "training cases": contents(self.material.training),
            "validation cases": contents(self.material.validation),
            "initial weights": self.beginning.checksum if self.beginning else "",
        }

    def _metadata(self, row: dict) -> dict:
        return {"purpose": "cohort", **self.identity(), "validation": row}


def contents(cases: Sequence[PreparedCase]) -> list[list[str]]:
    """What tells these cases from others of the same names."""
    return [[case.case.name, case.content] for case in cases]


def best_row(rows: list[dict]) -> dict:
    """The row of the highest validation Dice, the first of equals: no better is no progress."""
    return max(rows, key=lambda row: row["dice"])


class Clock:
    """Tells how far the training is and how long it will take, about once a second and at the last step."""

    def __init__(self, on_event: OnEvent, last_step: int) -> None:
        self.on_event, self.last_step = on_event, last_step
        self.begin = self.told = time.monotonic()
        self.first: int | None = None

    def tick(self, step: int, loss: torch.Tensor) -> None:
        """Reads the loss, and so waits for the device, only when it has something to tell."""
        now = time.monotonic()
        if self.first is None:
            self.first, self.begin = step, now
        if now - self.told < 1 and step < self.last_step:
            return
        self.told = now
        done = step - self.first
        left = (self.last_step - step) * (now - self.begin) / done if done else None
        fraction = step / self.last_step
        self.on_event({"event": "progress", "fraction": fraction, "seconds_left": left, "loss": float(loss)})
