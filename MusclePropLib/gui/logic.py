"""The module's logic for the Python console and for scripts, with or without a main window."""

from __future__ import annotations

import csv
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer

from MusclePropLib.core.errors import InputError
from MusclePropLib.gui.channel import QProcessChannel
from MusclePropLib.gui.leash import leashed
from MusclePropLib.gui.session import Phase, Session
from MusclePropLib.jobs.channel import Channel
from MusclePropLib.jobs.protocol import Event
from MusclePropLib.jobs.runner import Runner
from MusclePropLib.scene.annotations import AnnotationTracker, Subject, propagation_axis
from MusclePropLib.scene.inputs import read_inputs
from MusclePropLib.scene.segments import use_grid_of

POLL_SECONDS = 0.02
SOME_FAILED = 1
"""Exit code of a batch in which some cases failed: its table tells which."""
PACKAGE_PARENT = Path(__file__).resolve().parents[2]


class PropagationLogic:
    """Propagates without the panel. One worker serves all calls; `close` ends it, as does the end of Slicer."""

    def __init__(self, channel: Channel | None = None) -> None:
        self._session = Session(Runner(channel or QProcessChannel()))
        self._timer: qt.QTimer | None = None
        self._unwatch_scene: Callable[[], None] = lambda: None

    def propagate(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        wait: bool = True,
        onEvent: Callable[[Event], object] | None = None,
        axis: int | None = None,
        **settings: Any,
    ) -> dict[str, Any] | None:
        """Propagate the drawn slices of every visible segment and write the result into the segments.

        Slices that are not empty count as drawn, as in the panel. `axis` is the array axis across which they are drawn
        (0 = K, 1 = J, 2 = I; None: found). `settings` are those of `core.propagation.Settings`: device, time_limit,
        weights, method, seed. With `wait` the result's summary is returned: volumes, expected Dice, the slice to draw
        next; otherwise the call returns at once, and `onEvent` is told when the result has been written.

            logic = MusclePropLogic()
            summary = logic.propagate(getNode("calf"), getNode("muscles"), onEvent=print, time_limit=60)
            for muscle in summary["muscles"]:
                print(muscle["name"], round(muscle["volume_ml"], 1), "ml")

        Raises InputError (a ValueError) for unusable input, RuntimeError if the computation fails, another one is under
        way, or the scene is closed meanwhile.
        """
        if self._session.busy:
            raise RuntimeError("a propagation is already under way")
        use_grid_of(volumeNode, segmentationNode)
        if axis is None:
            axis = propagation_axis(volumeNode, segmentationNode)
        subject = Subject(volumeNode.GetID(), segmentationNode.GetID(), axis)
        tracker = AnnotationTracker(lambda: None)
        tracker.follow(subject)
        tracker.refresh()
        tracker.follow(None)
        self._session.start(subject, read_inputs(subject), settings)
        self._watch_scene()
        if not wait:
            self._poll_by_timer(onEvent)
            return None
        try:
            while self._session.at_work:
                self._poll(onEvent)
                slicer.app.processEvents()
                time.sleep(POLL_SECONDS)
        finally:
            self._give_up()  # if it is not done
            self._unwatch_scene()
        if self._session.failure is not None:
            message, details = self._session.failure
            raise RuntimeError(f"{message}\n{details}".strip())
        if self._session.summary is None:
            raise RuntimeError("the propagation was given up, for the scene was closed")
        return self._session.summary

    def propagateFolder(
        self,
        inputFolder: str | Path,
        outputFolder: str | Path,
        onEvent: Callable[[str], object] | None = print,
        **options: Any,
    ) -> list[dict[str, str]]:
        """Propagate every annotated volume under a folder: NAME.nrrd with NAME-annotations.seg.nrrd.

        The same as `muscleprop batch` in a shell: cases that are done are skipped, one bad case does not stop the
        rest. `options` are its options (time_limit=60, device="cpu", ...). `onEvent` is given its lines. Returns the
        rows of `summary.csv`, one per muscle, and one per case that failed or was corrected.

            rows = MusclePropLogic().propagateFolder("recordings", "results", time_limit=60)

        Raises RuntimeError, with what it said, if nothing could be done at all.
        """
        inputFolder, outputFolder = Path(inputFolder).resolve(), Path(outputFolder).resolve()
        command = ["-m", "MusclePropLib", "batch", str(inputFolder), "-o", str(outputFolder)]
        for name, value in options.items():
            command += _option(name, value)
        summary = outputFolder / "summary.csv"
        code, said = _run_python(command, onEvent)
        if code not in (0, SOME_FAILED) or not summary.is_file():
            raise RuntimeError(said or f"the batch ended with exit code {code}")
        with summary.open(newline="", encoding="utf-8") as table:
            return list(csv.DictReader(table))

    def close(self) -> None:
        """End the worker."""
        if self._timer is not None:
            self._timer.stop()
        self._unwatch_scene()
        self._session.close()

    def _poll(self, onEvent: Callable[[Event], object] | None) -> None:
        events: list[Event] = []
        self._session.event.connect(events.append)
        try:
            self._session.poll()
        finally:
            self._session.event.disconnect(events.append)
        if self._session.phase is Phase.FINISHED:
            self._accept()
        for event in events if onEvent is not None else ():  # which may do anything, close the scene or fail
            onEvent(event)

    def _accept(self) -> None:
        try:
            self._session.accept(lambda: None)
        except InputError as fault:  # deleted meanwhile: neither preview nor temporary files may stay
            traceback.clear_frames(fault.__traceback__)  # they map the result, and Windows would keep its file
            self._session.discard()
            raise

    def _give_up(self) -> None:
        """Cancel a job that is under way and wait for its end, a second or two: the next one shall find nothing."""
        while self._session.at_work:
            self._session.cancel()
            self._session.poll()
            time.sleep(POLL_SECONDS)

    def _watch_scene(self) -> None:
        """The next scene may have nodes of the same IDs, and must not be given what was computed of this one."""
        scene = slicer.mrmlScene
        tag = scene.AddObserver(scene.StartCloseEvent, lambda *_: self._session.drop())
        self._unwatch_scene = lambda: scene.RemoveObserver(tag)

    def _poll_by_timer(self, onEvent: Callable[[Event], object] | None) -> None:
        def poll() -> None:
            self._poll(onEvent)
            if not self._session.at_work:
                self._timer.stop()
                self._unwatch_scene()

        self._timer = qt.QTimer()
        self._timer.setInterval(round(1000 * POLL_SECONDS))
        self._timer.connect("timeout()", poll)
        self._timer.start()


def _option(name: str, value: Any) -> list[str]:
    """A keyword as the command line takes it: True is the bare switch, False and None leave it out."""
    if value is None or value is False:
        return []
    switch = "--" + name.replace("_", "-")
    if name == "weights" and Path(value).is_file():
        value = Path(value).resolve()  # the command runs in another folder
    return [switch] if value is True else [switch, str(value)]


def _run_python(arguments: list[str], on_line: Callable[[str], object] | None) -> tuple[int, str]:
    """Run PythonSlicer on the package, with Slicer's window alive; exit code and the last lines of output."""
    process = qt.QProcess()
    process.setProcessChannelMode(qt.QProcess.MergedChannels)
    process.setWorkingDirectory(str(PACKAGE_PARENT))  # where `-m MusclePropLib` is found
    program, *arguments = leashed([shutil.which("PythonSlicer") or sys.executable, *arguments])
    process.start(program, arguments)
    if not process.waitForStarted(10000):
        raise RuntimeError(f"{program}: {process.errorString()}")
    rest, last = "", []
    while process.state() != qt.QProcess.NotRunning or process.bytesAvailable():
        slicer.app.processEvents()
        text = rest + process.readAll().data().decode("utf-8", errors="replace").replace("\r", "\n")
        *lines, rest = text.split("\n")
        for line in filter(None, map(str.strip, lines)):
            last = [*last[-20:], line]
            if on_line is not None:
                on_line(line)
        time.sleep(POLL_SECONDS)
    return process.exitCode(), "\n".join([*last, rest]).strip()
