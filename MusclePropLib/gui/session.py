"""One propagation after the other on the scene: start, follow, stop, cancel, accept, discard. Knows no widget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import removed
from MusclePropLib.core.steps import Steps, advance, finished
from MusclePropLib.gui.signal import Signal
from MusclePropLib.jobs.job import Job, JobWriter
from MusclePropLib.jobs.protocol import Event
from MusclePropLib.jobs.runner import Runner
from MusclePropLib.scene.annotations import Subject
from MusclePropLib.scene.inputs import Inputs
from MusclePropLib.scene.preview import Preview
from MusclePropLib.scene.results import accept

COULD_NOT_WRITE = "The volume could not be handed over to the computation ({fault})."
WRITE_SECONDS = 0.02  # of a job, or of deleting one, at each poll; the window waits for it


class Phase(Enum):
    """Where the session stands."""

    IDLE = 0
    RUNNING = 1
    STOPPING = 2
    CANCELLING = 3
    FINISHED = 4


@dataclass(frozen=True)
class Progress:
    """What the worker last told: `fraction` 0 to 1 and `seconds_left`, None while unknown; Dice expected per muscle."""

    text: str = ""
    fraction: float | None = None
    seconds_left: float | None = None
    estimate: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SceneJob:
    """A job and where its labels belong: label i + 1 is the segment `segment_ids[i]` of the subject."""

    job: Job
    subject: Subject
    segment_ids: tuple[str, ...]
    segmentation: Any

    @property
    def lost(self) -> bool:
        """Whether nodes are gone, or the segmentation's holds another drawing, as with the next item of a sequence."""
        nodes = self.subject.nodes()
        return nodes is None or nodes[1].GetSegmentation() is not self.segmentation


class Session:
    """Drives one worker through its `Runner`; `poll` is to be called every few hundredths of a second while `at_work`.

    `changed` is emitted when phase, progress or outcome have changed, `event` with every event of the worker.
    """

    def __init__(self, runner: Runner) -> None:
        self.changed = Signal()
        self.event = Signal()
        self.phase = Phase.IDLE
        self.progress = Progress()
        self.failure: tuple[str, str] | None = None
        self.summary: dict[str, Any] | None = None
        self.job: SceneJob | None = None
        self._runner = runner
        self._writer: JobWriter | None = None
        self._labels: np.ndarray | None = None
        self._leavings: list[Steps] = []  # of earlier jobs: their folders are being deleted
        self._preview: Preview | None = None
        self._opacity, self._show_3d = 0.6, False

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self._writer is not None or self._runner.busy

    @property
    def at_work(self) -> bool:
        """Whether a job is under way or one's files are being deleted."""
        return self.busy or bool(self._leavings)

    @property
    def preview_node_id(self) -> str | None:
        """ID of the preview's node while there is one."""
        node = self._preview.node if self._preview else None
        return node.GetID() if node else None

    def warm_up(self) -> None:
        """Start the worker ahead of the first job."""
        self._runner.warm_up()

    def start(self, subject: Subject, inputs: Inputs, settings: Mapping[str, Any]) -> None:
        """Begin to send the subject's inputs to the worker; a result that was not accepted is given up.

        They are written bit by bit at the next polls. The worker goes on from what the last job has taught it if that
        was of the same segmentation: two raters must not learn from each other. Raises InputError.
        """
        segmentation = subject.existing_nodes()[1].GetSegmentation()
        afresh = self.job is None or self.job.segmentation is not segmentation
        writer = JobWriter(inputs.volume, inputs.annotations, settings, afresh=afresh)
        job = SceneJob(writer.job, subject, inputs.segment_ids, segmentation)
        self.discard()
        self._writer = writer
        self.job, self.failure, self.summary, self.progress = job, None, None, Progress()
        self._preview = Preview(subject, job.segment_ids, self._opacity, self._show_3d)
        self.phase = Phase.RUNNING
        self._runner.warm_up()  # meanwhile
        self.changed.emit()

    def poll(self) -> None:
        """Go on writing the job, and take in what the worker has said since the last call.

        All of it, the first fault is raised only then: the last of the events is the one that ends the job.
        """
        if self._writer is not None:
            self._write()
        elif self._leavings:
            self._tidy_up()
        faults = []
        for event in self._runner.poll():
            try:
                self._take_in(event)
            except Exception as fault:
                faults.append(fault)
        if faults:
            raise faults[0]

    def stop(self) -> None:
        """Ask for the best result so far."""
        if self.phase is Phase.RUNNING:
            self.phase = Phase.STOPPING
            self._runner.stop()  # a job that is still being written is stopped once it is sent
            self.changed.emit()

    def cancel(self) -> None:
        """Give the job up; the preview goes at once."""
        if self.phase in (Phase.RUNNING, Phase.STOPPING):
            self.phase = Phase.CANCELLING
            self._remove_preview()
            if self._writer is None and self._runner.busy:
                self._runner.cancel()
            else:  # nobody is there who would answer
                self._forget_result()
            self.changed.emit()

    def accept(self, save_state: Callable[[], object]) -> list[str]:
        """Write the result into the segments; returns their names. Raises InputError, and then keeps the result."""
        if self._labels is None:
            raise InputError("there is no result to accept")
        if self.job.lost:
            raise InputError("the volume or the segmentation of this result has been deleted or has got other contents")
        names = accept(self.job.subject, self.job.segment_ids, self._labels, self.summary, save_state)
        self._forget_result()
        self.changed.emit()
        return names

    def discard(self) -> None:
        """Give up a result that was not accepted, its preview and what it told. A job under way goes on."""
        if not self.busy:
            self.summary = None
            self._forget_result()
            self.changed.emit()

    def drop(self) -> None:
        """Give up whatever there is, for the nodes are about to go."""
        if self.busy:
            self.cancel()
        else:
            self.discard()

    def close(self) -> None:
        """End the worker and leave nothing behind."""
        self._runner.close()
        self._forget_result()
        while self._leavings:
            finished(self._leavings.pop())

    def set_opacity(self, opacity: float) -> None:
        """Of the preview, this one and the next ones; 0 to 1."""
        self._opacity = opacity
        if self._preview is not None:
            self._preview.set_opacity(opacity)

    def set_show_3d(self, show: bool) -> None:
        """Whether previews have surfaces."""
        self._show_3d = show
        if self._preview is not None:
            self._preview.set_show_3d(show)

    def _take_in(self, event: Event) -> None:
        if event.job and self.phase is Phase.IDLE:
            return  # who heard the event before has given the job up
        handler = getattr(self, f"_on_{event.name}", None)
        try:
            if handler is not None and (self.job is None or event.job == self.job.job.id):
                handler(event)
            self.event.emit(event)
        finally:
            self.changed.emit()

    def _write(self) -> None:
        try:
            if not self._writer.step(WRITE_SECONDS):
                return
        except OSError as fault:
            self.failure = (COULD_NOT_WRITE.format(fault=fault), "")
            self._forget_result()
            self.changed.emit()
            return
        self._writer = None
        self._runner.submit(self.job.job)
        if self.phase is Phase.STOPPING:
            self._runner.stop()

    def _on_stage(self, event: Event) -> None:
        self.progress = Progress(event.data["text"], estimate=self.progress.estimate)

    def _on_progress(self, event: Event) -> None:
        told = event.data
        estimate = told.get("estimate") or self.progress.estimate
        self.progress = Progress(self.progress.text, told["fraction"], told.get("seconds_left"), estimate)

    def _on_preview(self, event: Event) -> None:
        if self.phase is not Phase.CANCELLING:
            labels = np.load(self.job.job.folder / event.data["file"], mmap_mode="r", allow_pickle=False)
            try:
                self._preview.show(labels, event.data["strides"])
            except ValueError:  # an InputError among them: the volume has been warped, or is of another size now
                self._preview.remove()
            self.progress = replace(self.progress, estimate=event.data.get("estimate") or self.progress.estimate)

    def _on_result(self, event: Event) -> None:
        if self.phase is Phase.CANCELLING:  # it was done before it heard of that
            self._forget_result()
            return
        # The runner has read and checked the file; it is only mapped here, for it may be larger than the memory.
        self._labels = np.load(self.job.job.folder / event.data["labels"], mmap_mode="r", allow_pickle=False)
        self.summary, self.phase = event.data["summary"], Phase.FINISHED

    def _on_failed(self, event: Event) -> None:
        self.failure = (event.data["message"], event.data["details"])
        self._forget_result()

    def _on_cancelled(self, event: Event) -> None:
        self._forget_result()
        self._runner.warm_up()  # it may have had to be killed

    def _forget_result(self) -> None:
        self._remove_preview()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._labels = None  # before the folder goes: Windows keeps files that are mapped
        if self.phase is not Phase.IDLE:
            self._leavings.append(removed(self.job.job.folder))
            self._tidy_up()
        self.phase = Phase.IDLE

    def _tidy_up(self) -> None:
        if advance(self._leavings[0], WRITE_SECONDS):
            self._leavings.pop(0)

    def _remove_preview(self) -> None:
        if self._preview is not None:
            self._preview.remove()
            self._preview = None
