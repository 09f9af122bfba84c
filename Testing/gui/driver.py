"""Drives the panel as an expert does: strokes, clicks, waiting; and looks at what the scene holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import qt
import slicer
from harness.wrapping import call_slot
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest
from slicer_scene import Editor, add_volume, disc

REPOSITORY = Path(__file__).resolve().parents[2]
UI = REPOSITORY / "MuscleProp" / "Resources" / "UI" / "MuscleProp.ui"
STAND_IN = REPOSITORY / "Testing" / "jobs" / "stand_in_worker.py"
SCREENSHOTS = REPOSITORY / "Testing" / "screenshots"
STRAIGHT = np.diag([0.5, 0.5, 1.4, 1.0])
SHAPE = (20, 60, 80)
PATIENCE = 60.0


class Driver:
    """One panel, made as the module's widget makes it."""

    def __init__(self, requirements, command, shape=SHAPE, name="calf"):
        from MuscleProp import MusclePropLogic
        from MusclePropLib.gui.channel import QProcessChannel
        from MusclePropLib.gui.panel import Panel

        self.volume = add_volume(shape, STRAIGHT, name)
        self.widget = slicer.util.loadUI(str(UI))
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.channel = QProcessChannel(command)
        self.panel = Panel(self.widget, requirements, self.channel)
        self.ui, self.session, self.work = self.panel.ui, self.panel.session, self.panel.work
        self.logic = MusclePropLogic()
        self.panel.set_parameters(self.logic.getParameterNode())
        self.panel.enter()
        self.pids: list[int] = []
        self.session.event.connect(self._note)

    @property
    def parameters(self):
        return self.work.choices

    @property
    def segmentation(self):
        return self.parameters.segmentation

    def click(self, name: str) -> None:
        """A real click with the mouse, on a button that is shown and enabled."""
        button = getattr(self.ui, name)._real
        self.widget._real.show()
        assert button.isEnabled(), f"{name} is disabled: {button.toolTip()}"
        QTest.mouseClick(button, QtCore.Qt.MouseButton.LeftButton)

    def editor(self) -> Editor:
        """Strokes go through the panel's own editor, so that its undo knows them."""
        editor = object.__new__(Editor)
        editor.volume, editor.segmentation = self.volume, self.segmentation
        editor.logic = self.ui.segmentEditor._real.logic
        return editor

    def draw(self, drawing: dict[str, tuple[int, ...]], radius: int = 8) -> None:
        """Outline segments (by name) on slices; each name has its own place."""
        places = {"GM": (20, 22), "GL": (20, 56), "SOL": (42, 40)}
        shape = slicer.util.arrayFromVolume(self.volume).shape[1:]
        for name, slices in drawing.items():
            for index in slices:
                self.editor().stroke(self.id_of(name), index, disc(shape, places[name], radius))
        self.settle()

    def id_of(self, name: str) -> str:
        return self.segmentation.GetSegmentation().GetSegmentIdBySegmentName(name)

    def array(self, name: str) -> np.ndarray:
        return slicer.util.arrayFromSegmentBinaryLabelmap(self.segmentation, self.id_of(name), self.volume).astype(bool)

    def shown(self, name: str) -> bool:
        """Whether a widget is there to be seen while the panel is."""
        return not getattr(self.ui, name)._real.isHidden()

    def drawn(self, name: str) -> list[int]:
        return sorted(self.work.tracker.states[self.id_of(name)].drawn)

    def settle(self) -> None:
        """Until the panel has taken in what was drawn."""
        self.until(lambda: self.panel.at_rest, "the panel comes to rest")

    def until(self, condition, what: str, seconds: float = PATIENCE):
        """Let the event loop run until something is so."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {seconds} s ({self.session.failure})"
            self.qt_events()
            time.sleep(0.002)

    def qt_events(self) -> None:
        """One turn of the event loop."""
        QtWidgets.QApplication.processEvents()

    def until_done(self) -> None:
        self.until(lambda: not self.work.busy, "the job ends")

    def screenshot(self, name: str, height: int = 940) -> None:
        """For people to look at; with MUSCLEPROP_SCREENSHOTS set, those in the repository are made anew."""
        self.widget._real.resize(430, height)
        self.widget._real.show()
        for _ in range(5):
            self.qt_events()
        picture = self.widget._real.grab()
        assert not picture.isNull()
        if os.environ.get("MUSCLEPROP_SCREENSHOTS"):
            SCREENSHOTS.mkdir(exist_ok=True)
            picture.save(str(SCREENSHOTS / f"{name}.png"))

    def close(self) -> None:
        self.panel.close()
        self.channel.wait(10)
        self.widget._real.hide()

    def _note(self, event) -> None:
        if event.name == "ready":
            self.pids.append(event.data["pid"])


def running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


__all__ = ["SCREENSHOTS", "SHAPE", "STAND_IN", "STRAIGHT", "UI", "Driver", "call_slot", "qt", "running"]
