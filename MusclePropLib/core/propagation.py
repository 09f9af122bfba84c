"""From a volume and a few annotated slices to every slice: drafts first, then a network that corrects them."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from MusclePropLib import __version__
from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.assemble import assemble
from MusclePropLib.core.device import choose_device
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.guided import bundled
from MusclePropLib.core.guided.hidden import hidden_tasks
from MusclePropLib.core.guided.muscle import NETWORK, MuscleWork, others_distance
from MusclePropLib.core.guided.tuning import Tuning
from MusclePropLib.core.outcome import NO_WEIGHTS, MuscleOutcome, Propagation, Settings
from MusclePropLib.core.priors.stack import INTERPOLATED, build_stack
from MusclePropLib.core.progress import Cancelled, Control, OnEvent, Progress, peak_memory_mb
from MusclePropLib.core.volumes import Volume

__all__ = ["Cancelled", "MuscleOutcome", "Propagation", "Settings", "WarmState", "propagate"]

SPACING = 0.5
"""Slices closer together (mm) are worked on only every so often, and interpolated between."""

STEPS, WARM_STEPS = 60, 20
"""Fine-tuning steps of each network, from the pretrained weights and from the last round's networks."""

RESERVE = 3.0
"""Seconds kept for the label map on the full grid, besides twice the time that a correction took."""

PREVIEW_VOXELS = 24_000_000


@dataclass
class WarmState:
    """What a worker keeps between propagations: the pretrained network, and the last volume's tuned networks."""

    weights: str = ""
    network: object = None
    checksum: str = ""
    volume: str = ""
    tuning: Tuning | None = field(default=None)


def propagate(
    volume: Volume,
    annotations: Annotations,
    settings: Settings | None = None,
    on_event: OnEvent | None = None,
    control: Control | None = None,
    warm: WarmState | None = None,
) -> Propagation:
    """Propagate the drawn slices of every muscle through the volume.

    `annotations` are slices first, like `volume.array`. Events are dicts with a key "event": stage, progress, preview
    (labels uint8 (slices, rows', columns') and `strides`), log. `control` answers "", "stop" or "cancel". With `warm`
    a later call on the same volume goes on from the networks of the one before. Raises InputError for unusable input
    and Cancelled when cancelled.
    """
    settings, warm = settings or Settings(), warm if warm is not None else WarmState()
    progress = Progress(settings.time_limit, on_event, control)
    _check(volume, annotations)
    run = _Run(volume, annotations, settings, progress, warm)
    run.draft()
    run.judge()
    if settings.method != "interpolation":
        run.network()
    return run.finish()


class _Run:
    """One propagation from its drafts to its result."""

    def __init__(
        self, volume: Volume, annotations: Annotations, settings: Settings, progress: Progress, warm: WarmState
    ) -> None:
        self.volume, self.annotations = volume, annotations
        self.settings, self.progress, self.warm = settings, progress, warm
        self.positions = np.asarray(volume.slice_positions(), float)
        self.slices = working_slices(self.positions, _all_known(annotations))
        self.works: list[MuscleWork] = []
        self.previews = 0
        self.shown = -1.0

    def draft(self) -> None:
        """Every muscle's priors, and the first preview from them."""
        with self.progress.stage("draft", "Following the muscles from slice to slice"):
            for index, muscle in enumerate(self.annotations.muscles):
                stack = build_stack(*self._grid(), muscle.drawn, muscle.absent, self.slices)
                self.works.append(MuscleWork(index, muscle, stack, self.positions))
                self.progress.check()
            self._preview()

    def judge(self) -> None:
        """Hide each drawn slice in turn to learn which draft to trust."""
        with self.progress.stage("judge", "Testing on your own slices"):
            for work in self.works:
                muscle = work.annotation
                tasks = hidden_tasks(*self._grid(), muscle.drawn, muscle.absent, self.slices, work.index)
                work.add_tasks([task for task in tasks if self.progress.check() or not work.tasks])
            for work in self.works:
                if self.progress.check():
                    work.add_walk()
                if self.settings.method == "interpolation":
                    work.choose()
            self._choose()
            for work in self.works:
                for task in work.tasks:
                    task.others = others_distance(work, self.works, task)
            self._preview()

    def network(self) -> None:
        """The network's correction, first as pretrained and then fine-tuned on the drawn slices."""
        if not self.progress.check():
            return
        with self.progress.stage("network", "Loading the network"):
            tuning, rounds = self._tuning()
        with self.progress.stage("correct", "Correcting with the network"):
            cost = self._correct(tuning)
        if not any(work.tasks for work in self.works):
            return
        with self.progress.stage("tune", "Learning from your slices"):
            deadline = 2 * cost + RESERVE
            total, done = rounds, 0

            def go_on() -> bool:
                return self.progress.check() and self.progress.left() > deadline

            def tell(loss: float) -> None:
                nonlocal done
                done = min(done + 5, total)
                spent = self.progress.seconds.get("tune", 0.0)
                self.progress.send(
                    "progress", fraction=done / total, seconds_left=None, loss=loss, estimate=self._estimates()
                )
                del spent

            if go_on():
                tuning.tune(self.works, rounds, self.settings.seed, go_on, tell)
        with self.progress.stage("correct", "Correcting with the fine-tuned network"):
            if tuning.tuned:
                self._correct(tuning)
        self.warm.tuning, self.warm.volume = tuning, self._fingerprint()

    def finish(self) -> Propagation:
        """The label map on the full grid and what is to be said of it."""
        with self.progress.stage("finish", "Writing the full resolution"):
            labels = assemble([w.placed() for w in self.works], self.annotations, self.positions)
            confidence = np.stack([self._confidence(work) for work in self.works])
            outcomes = [self._outcome(work, labels) for work in self.works]
        return Propagation(
            labels=labels,
            annotations=self.annotations,
            confidence=confidence,
            muscles=outcomes,
            next_slice=self._next_slice(),
            seconds=dict(self.progress.seconds) | {"total": self.progress.elapsed},
            peak_memory_mb=peak_memory_mb(),
            provenance=self._provenance(),
        )

    def _grid(self) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
        return self.volume.array, self.positions, self.volume.geometry.spacing[1:]

    def _tuning(self) -> tuple[Tuning, int]:
        """The networks to go on from and how many steps they are worth."""
        device = choose_device(self.settings.device)
        if self.warm.weights != self.settings.weights or self.warm.network is None:
            self.warm.network, self.warm.checksum = bundled.pretrained(self.settings.weights, self.settings.seed)
            self.warm.weights, self.warm.tuning = self.settings.weights, None
        last = self.warm.tuning
        if last is not None and last.device == device and self.warm.volume == self._fingerprint():
            return copy.deepcopy(last), WARM_STEPS
        return Tuning.of(self.warm.network, device), STEPS

    def _correct(self, tuning: Tuning) -> float:
        """Give every muscle the network's candidate, choose anew and show; answers the seconds it took."""
        before = self.progress.elapsed
        for work in self.works:
            tuning.correct(work, self.works)
            self.progress.check()
        self._choose()
        self._preview()
        return self.progress.elapsed - before

    def _choose(self) -> None:
        for work in self.works:
            work.choose()
            if self.settings.method == NETWORK and NETWORK in work.candidates:
                work.chosen = NETWORK

    def _estimates(self) -> dict[str, float]:
        return {w.annotation.name: w.estimate(w.chosen) for w in self.works}

    def _preview(self) -> None:
        """Show the present choice, unless what was shown before promised more."""
        mean = float(np.nan_to_num(np.mean(list(self._estimates().values())), nan=0.0))
        if mean < self.shown:
            return
        self.shown = mean
        rows, columns = self.annotations.shape[1:]
        step = max(1, int(np.ceil(np.sqrt(self.annotations.shape[0] * rows * columns / PREVIEW_VOXELS))))
        labels = assemble([w.placed() for w in self.works], self.annotations, self.positions, step)
        method = {w.annotation.name: w.chosen for w in self.works}
        self.progress.send("preview", labels=labels, strides=[1, step, step], estimate=self._estimates(), method=method)

    def _confidence(self, work: MuscleWork) -> np.ndarray:
        """Expected Dice (slices,) float32: 1 where known, nan where nothing can tell."""
        if work.chosen not in work.trusts:
            return np.where([t in work.annotation.drawn for t in range(len(self.positions))], 1.0, np.nan)
        errors = np.interp(np.arange(len(self.positions)), self.slices, work.errors(work.chosen))
        return (1 - errors).astype(np.float32)

    def _next_slice(self) -> int | None:
        """The slice with the largest expected disagreement, in area, over all muscles."""
        doubt = np.zeros(len(self.slices))
        for work in self.works:
            areas = (work.candidates[work.chosen] > 0).sum(axis=(1, 2)) * work.stack.frame.step[0] ** 2
            errors = work.errors(work.chosen) if work.trusts else work.reach / max(work.reach.max(), 1e-6)
            doubt += errors * areas * work.placed().valid
        return int(self.slices[np.argmax(doubt)]) if doubt.any() else None

    def _outcome(self, work: MuscleWork, labels: np.ndarray) -> MuscleOutcome:
        counts = (labels == work.index + 1).sum(axis=(1, 2), dtype=np.int64)
        for t, mask in work.annotation.drawn.items():
            counts[t] = int(mask.sum())
        return MuscleOutcome(
            name=work.annotation.name,
            method=work.chosen,
            estimate=work.estimate(work.chosen),
            fill_estimate=work.estimate(INTERPOLATED),
            volume_ml=float(counts @ self._slice_ml()),
            drawn_slices=work.annotation.drawn_slices,
        )

    def _slice_ml(self) -> np.ndarray:
        """Millilitres (slices,) of one voxel, by the true distance of tracked frames."""
        geometry = self.volume.geometry
        if self.volume.positions is None:
            return np.full(len(self.positions), geometry.voxel_ml)
        thickness = np.abs(np.gradient(self.positions))
        return geometry.voxel_ml * thickness / geometry.spacing[0]

    def _fingerprint(self) -> str:
        array = self.volume.array
        sample = np.ascontiguousarray(array[:: max(1, len(array) // 16), ::8, ::8])
        return hashlib.sha256(sample.tobytes()).hexdigest() + str(array.shape)

    def _provenance(self) -> dict:
        return {
            "version": __version__,
            "weights": self.warm.checksum if self.settings.method != "interpolation" else NO_WEIGHTS,
            "settings": asdict(self.settings),
        }


def working_slices(positions: np.ndarray, known: Sequence[int]) -> np.ndarray:
    """Slices to work on: all of them, or thinned to SPACING mm with the known, the first and the last kept."""
    count = len(positions)
    spacing = float(np.median(np.abs(np.diff(positions))))
    stride = max(1, int(SPACING / spacing)) if spacing > 0 else 1
    return np.unique(np.concatenate([np.arange(0, count, stride), known, [count - 1]]).astype(int))


def _all_known(annotations: Annotations) -> list[int]:
    return sorted({t for m in annotations.muscles for t in [*m.drawn, *m.absent]})


def _check(volume: Volume, annotations: Annotations) -> None:
    annotations.validate(volume.source or "the annotation")
    if volume.array.shape != tuple(annotations.shape):
        raise InputError(
            f"{volume.source or 'the volume'}: its grid {volume.array.shape} differs from the annotation's "
            f"{tuple(annotations.shape)}"
        )
    if len(volume.array) < 2:
        raise InputError(f"{volume.source or 'the volume'}: there is one slice only, nothing to propagate to")
