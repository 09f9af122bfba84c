"""One propagation from its drafts to its best candidates."""

from __future__ import annotations

import copy
import hashlib
import mmap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.assemble import Placed, assemble
from MusclePropLib.core.device import Plan, choose_device, with_memory_fallback
from MusclePropLib.core.guided import bundled
from MusclePropLib.core.guided.balance import contested
from MusclePropLib.core.guided.copies import lesson_from_copies
from MusclePropLib.core.guided.flaws import without_flaws
from MusclePropLib.core.guided.hidden import HiddenTask, hidden_task, hideable
from MusclePropLib.core.guided.muscle import NETWORK, MuscleWork
from MusclePropLib.core.guided.others import others_distance
from MusclePropLib.core.guided.tuning import Copy, Tuning
from MusclePropLib.core.network import Network
from MusclePropLib.core.outcome import Settings
from MusclePropLib.core.overlaps import without_overlaps
from MusclePropLib.core.priors.crops import MuscleCrops, muscle_crops, suited_scale
from MusclePropLib.core.priors.stack import stack_of
from MusclePropLib.core.progress import Progress
from MusclePropLib.core.volumes import Volume

WORKING_SPACING = 1.0
"""Slices closer together (mm) are worked on only every so often, and interpolated between."""

FEWEST_PLACES = 64
"""No less of a volume's slices are worked on for it: a vessel or a nerve may be as long as a muscle is thick."""

STEPS, WARM_STEPS = 20, 5
"""Fine-tuning steps of each network: from the pretrained weights, and at least from the last round's networks."""

FEW, LESSONS_FROM_COPIES = 2, 3
"""With so few drawn slices, so many lessons are made from deformed copies of each."""

RESERVE = 6.0
"""Seconds kept for the label map on the full grid, besides twice the time that a correction took."""

PREVIEW_VOXELS = 24_000_000
"""A preview of a larger grid takes every second, third ... row and column."""


@dataclass
class WarmState:
    """What a worker keeps between propagations: the pretrained network, and the last volume's tuned networks.

    `weights` tells which pretrained network that is, as `bundled.identity` has it, and `checksum` is of its file.
    `correcting` is how many seconds it took to correct all muscles.
    """

    weights: tuple = ()
    network: Network | None = None
    checksum: str = ""
    volume: str = ""
    tuning: Tuning | None = None
    correcting: float = 0.0


class Run:
    """The stages of one propagation, in order: `draft`, `judge`, `network`; each shows what it found as a preview."""

    def __init__(
        self, volume: Volume, annotations: Annotations, settings: Settings, progress: Progress, warm: WarmState
    ) -> None:
        self.volume, self.annotations, self.apart = volume, annotations, without_overlaps(annotations)
        self.settings, self.progress, self.warm = settings, progress, warm
        self.positions = np.asarray(volume.slice_positions(), float)
        self.slices = working_slices(self.positions, _all_known(annotations))
        self.works: list[MuscleWork] = []
        self._shown = -1.0
        self._fingerprint = _fingerprint(volume.array)

    def draft(self) -> None:
        """Every muscle's priors, and at once the first preview from them: neighbours do not share their room yet."""
        with self.progress.stage("draft", "Following the muscles from slice to slice"):
            with ThreadPoolExecutor() as pool:
                crops = list(pool.map(self._crops, self.apart.muscles))
                work = partial(self._work, suited_scale(crops))
                self.works = list(pool.map(work, count(), self.apart.muscles, crops))
            self.progress.check()
            self._preview(partial(assemble, self._placed(), self.annotations, self.positions))

    def judge(self) -> None:
        """Hide each drawn slice in turn to learn which draft to trust."""
        with self.progress.stage("judge", "Testing on your own slices"), ThreadPoolExecutor() as pool:
            hidden = [pool.map(partial(self._hide, work), hideable(work.annotation.drawn)) for work in self.works]
            for work, tasks in zip(self.works, hidden, strict=True):
                work.tasks = [task for task in tasks if task is not None]
                work.score_drafts()
            list(pool.map(self._walk, self.works))
            for work in self.works:
                for task in work.tasks:
                    self.progress.check()
                    task.others = others_distance(work, self.works, task)
            self._choose()
            self._preview()

        _let_go(self.volume.array)

    def network(self) -> None:
        """The network's correction: first as pretrained, then fine-tuned on the drawn slices while there is time.

        Networks that know the volume from the last round learn the new slices before they correct anything.
        """
        with self.progress.stage("network", "Loading the network"):
            tuning, steps = self._networks()
        if not tuning.tuned:
            with self.progress.stage("correct", "Correcting with the network"):
                self.warm.correcting = self._correct(tuning)
        reserve = 2 * self.warm.correcting + RESERVE

        def go_on() -> bool:
            return self.progress.check() and self.progress.left() > reserve

        if go_on():
            with self.progress.stage("tune", "Learning from your slices"):
                copies = self._copies()
                self._within_memory(
                    tuning, lambda: tuning.tune(self.works, copies, steps, self.settings.seed, go_on, self._tell)
                )
        if tuning.tuned:
            with self.progress.stage("correct", "Correcting with the fine-tuned network"):
                self._correct(tuning)
        self.warm.tuning, self.warm.volume = tuning, self._fingerprint

    def labels(self, step: int = 1) -> np.ndarray:
        """The label map of the present choices, of every `step`-th row and column."""
        areas, reaches = [work.expected_areas for work in self.works], [work.reach for work in self.works]
        placed = contested(self._placed(), areas, reaches, self.apart)
        placed = [
            replace(part, logits=without_flaws(part.logits, work.stack.known.values()))
            for part, work in zip(placed, self.works, strict=True)
        ]
        return assemble(placed, self.annotations, self.positions, step)

    def _crops(self, muscle: MuscleAnnotation) -> MuscleCrops:
        self.progress.check()
        return muscle_crops(*self._grid(), muscle.drawn, self.slices)

    def _work(self, finest: int, index: int, muscle: MuscleAnnotation, crops: MuscleCrops) -> MuscleWork:
        known = *self._grid()[1:], muscle.drawn, muscle.absent, finest
        stack = stack_of(crops, *known)
        if stack.overflows:
            stack = stack_of(muscle_crops(*self._grid(), muscle.drawn, self.slices, wider=True), *known)
        return MuscleWork(index, muscle, stack, self.positions)

    def _hide(self, work: MuscleWork, hidden: int) -> HiddenTask | None:
        """The task of a drawn slice; when time is up, of each muscle's first one only."""
        muscle = work.annotation
        if not self.progress.check() and hidden != min(muscle.drawn):
            return None
        known, like = (muscle.drawn, muscle.absent, self.slices), (work.stack.finest, work.stack.frame.wider)
        return hidden_task(hidden, *self._grid(), *known, work.index, *like)

    def _walk(self, work: MuscleWork) -> None:
        """Let a random walk compete for a muscle and a faint draft be corrected, unless time is up."""
        if self.progress.check():
            work.add_walk()
            work.add_faint()

    def _placed(self) -> list[Placed]:
        return [work.placed() for work in self.works]

    def _grid(self) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
        return self.volume.array, self.positions, self.volume.geometry.spacing[1:]

    def _networks(self) -> tuple[Tuning, int]:
        """The networks to go on from, and how many steps they are worth."""
        device = choose_device(self.settings.device)
        warm = self.warm
        weights = bundled.identity(self.settings.weights, self.settings.seed)
        if warm.network is None or warm.weights != weights:
            warm.network, warm.checksum = bundled.pretrained(self.settings.weights, self.settings.seed)
            warm.weights, warm.tuning = weights, None
        if warm.tuning is not None and warm.tuning.device == device and warm.volume == self._fingerprint:
            return copy.copy(warm.tuning), max(WARM_STEPS, STEPS - warm.tuning.steps)
        return Tuning.of(warm.network, device), STEPS

    def _within_memory(self, tuning: Tuning, work: Callable[[], None]) -> None:
        """Do `work`; where memory runs out, once more by a smaller plan, which `tuning` then keeps to."""

        def attempt(plan: Plan) -> None:
            tuning.use(plan)
            work()

        with_memory_fallback(attempt, tuning.plan, lambda event: self.progress.send(**event))

    def _copies(self) -> list[Copy]:
        """Lessons from deformed copies for muscles with too few drawn slices to hide one between two others."""
        rng = np.random.default_rng(self.settings.seed)
        array, _, spacing = self._grid()
        return [
            (work.annotation.name, t, lesson_from_copies(np.asarray(array[t]), mask, spacing, rng))
            for work in self.works
            if len(work.annotation.drawn) <= FEW
            for t, mask in work.annotation.drawn.items()
            for _ in range(LESSONS_FROM_COPIES)
        ]

    def _correct(self, tuning: Tuning) -> float:
        """Give every muscle the network's candidates, choose anew and show; answers the seconds it took.

        When time is up, the muscles that are left keep the candidates that they have.
        """
        began = self.progress.elapsed
        for work in self.works:
            self._within_memory(tuning, partial(tuning.correct, work, self.works, self._grid()[2]))
            if not self.progress.check():
                break
        self._choose()
        self._preview()
        return self.progress.elapsed - began

    def _tell(self, done: int, steps: int, seconds: float, loss: float) -> None:
        left = min(seconds / done * (steps - done), max(self.progress.left(), 0.0))
        self.progress.send("progress", fraction=done / steps, seconds_left=left, loss=loss, estimate=self._estimates())

    def _choose(self) -> None:
        for work in self.works:
            work.choose(insist_on_network=self.settings.method == NETWORK)

    def _estimates(self) -> dict[str, float]:
        return {w.annotation.name: w.estimate(w.chosen) for w in self.works}

    def _preview(self, labels_of: Callable[[int], np.ndarray] | None = None) -> None:
        """Show the present choice, unless what was shown before promised more; by default as `labels` has it."""
        promise = float(np.nan_to_num(np.mean(list(self._estimates().values()))))
        if promise < self._shown:
            return
        self._shown = promise
        step = max(1, int(np.ceil(np.sqrt(np.prod(self.annotations.shape, dtype=float) / PREVIEW_VOXELS))))
        labels = (labels_of or self.labels)(step)
        method = {w.annotation.name: w.chosen for w in self.works}
        self.progress.send("preview", labels=labels, strides=[1, step, step], estimate=self._estimates(), method=method)


def working_slices(positions: np.ndarray, known: Sequence[int]) -> np.ndarray:
    """Slices to work on: all of them, or thinned to WORKING_SPACING, but to no fewer than FEWEST_PLACES.

    The known, the first and the last are kept. `positions` (n,) mm. Every so many slices are kept, by the usual way
    from one to the next, and more of them where the probe went faster.
    """
    steps = np.abs(np.diff(positions))
    usual, way = float(np.median(steps)), np.concatenate([[0.0], np.cumsum(steps)])
    stride = max(1, min(int(WORKING_SPACING / usual), len(positions) // FEWEST_PLACES)) if usual > 0 else 1
    kept = [0]
    for t in range(1, len(way) - 1):
        if t % stride == 0 or way[t + 1] - way[kept[-1]] > WORKING_SPACING + 1e-6:
            kept.append(t)
    return np.unique([*kept, *known, len(way) - 1])


def _all_known(annotations: Annotations) -> list[int]:
    return sorted({t for m in annotations.muscles for t in [*m.drawn, *m.absent]})


def _let_go(array: np.ndarray) -> None:
    """Tell the system that a memory-mapped volume is not needed for now; from here on only crops are worked on."""
    base = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    if base is not None and hasattr(base, "madvise"):
        base.madvise(mmap.MADV_DONTNEED)


def _fingerprint(array: np.ndarray) -> str:
    """Tells one volume from another by some thousands of its voxels."""
    sample = np.ascontiguousarray(array[:: max(1, len(array) // 16), ::8, ::8])
    return f"{array.shape} {hashlib.sha256(sample.tobytes()).hexdigest()}"
