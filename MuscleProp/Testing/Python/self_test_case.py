"""What the self-tests share: a small calf, a panel over a quick stand-in for the computing, and waiting."""

from __future__ import annotations

import sys
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import slicer

REPOSITORY = Path(__file__).resolve().parents[3]
STAND_IN = REPOSITORY / "Testing" / "jobs" / "stand_in_worker.py"
MODULE = REPOSITORY / "MuscleProp"
SHAPE = (20, 60, 80)
PATIENCE = 60.0  # seconds


def disc(centre: tuple[int, int], radius: int) -> np.ndarray:
    """(rows, columns) bool."""
    rows, columns = np.ogrid[: SHAPE[1], : SHAPE[2]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


class SelfTestCase(unittest.TestCase):
    """Runs with and without a main window. Every test begins with an empty scene and leaves no process behind."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(0)
        self._closing: list[Callable[[], None]] = []

    def tearDown(self) -> None:
        for close in reversed(self._closing):
            close()
        slicer.mrmlScene.Clear(0)

    def add_volume(self, name: str = "calf") -> Any:
        """A small volume; its name tells the stand-in how to behave ("slow", "crash", ...)."""
        array = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
        volume = slicer.util.addVolumeFromArray(array, ijkToRAS=np.diag([0.5, 0.5, 1.4, 1.0]), name=name)
        volume.CreateDefaultDisplayNodes()
        return volume

    def add_panel(self) -> Any:
        """A panel of its own beside the module's, with the stand-in worker."""
        from MuscleProp import MusclePropLogic
        from MusclePropLib.gui.channel import QProcessChannel
        from MusclePropLib.gui.panel import Panel

        widget = slicer.util.loadUI(str(MODULE / "Resources" / "UI" / "MuscleProp.ui"))
        widget.setMRMLScene(slicer.mrmlScene)
        requirements = Path(slicer.app.temporaryPath) / "muscleprop-no-requirements.txt"
        requirements.write_text("", encoding="utf-8")
        channel = QProcessChannel([sys.executable, str(STAND_IN)])
        panel = Panel(widget, requirements, channel)
        panel.widget = widget  # it goes when nobody holds it
        panel.set_parameters(MusclePropLogic().getParameterNode())
        panel.enter()
        panel.work.setup_problem = ""  # the stand-in needs no PyTorch
        panel.work.changed.emit()
        self._closing += [lambda: channel.wait(10), panel.close]
        return panel

    def draw(self, panel: Any, drawing: dict[str, tuple[int, ...]], radius: int = 8) -> None:
        """Outline segments, by name, as one step of undo each."""
        places = {"GM": (20, 22), "GL": (20, 56), "SOL": (42, 40)}
        segmentation = panel.work.choices.segmentation
        for name, slices in drawing.items():
            array = self.array(panel, name).astype(np.uint8)
            array[list(slices)] |= disc(places[name], radius).astype(np.uint8)
            panel.ui.segmentEditor.saveStateForUndo()
            slicer.util.updateSegmentBinaryLabelmapFromArray(
                array, segmentation, self.id_of(panel, name), panel.work.choices.volume
            )
        self.until(lambda: panel.at_rest, "the panel comes to rest")

    def array(self, panel: Any, name: str) -> np.ndarray:
        """(slices, rows, columns) bool of a segment."""
        choices = panel.work.choices
        segment_id = self.id_of(panel, name)
        return slicer.util.arrayFromSegmentBinaryLabelmap(choices.segmentation, segment_id, choices.volume) > 0

    def id_of(self, panel: Any, name: str) -> str:
        """Segment ID."""
        return panel.work.choices.segmentation.GetSegmentation().GetSegmentIdBySegmentName(name)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Let the event loop run until something is so."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what}: not within {PATIENCE} s")
            slicer.app.processEvents()
            time.sleep(0.005)

    def drawn(self, panel: Any, name: str) -> list[int]:
        """Slices that count as the expert's."""
        return sorted(panel.work.tracker.states[self.id_of(panel, name)].drawn)
