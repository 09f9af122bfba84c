"""The panel: puts the sections together and connects them with scene, time and keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from MusclePropLib.gui.advanced import AdvancedSection
from MusclePropLib.gui.annotate import AnnotateSection
from MusclePropLib.gui.channel import QProcessChannel
from MusclePropLib.gui.csv_export import CsvSection
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.measure import MeasureSection
from MusclePropLib.gui.propagate import PropagateSection
from MusclePropLib.gui.report import ReportSection
from MusclePropLib.gui.result import ResultSection
from MusclePropLib.gui.selection import SelectionSection
from MusclePropLib.gui.session import Session
from MusclePropLib.gui.setup import SetupSection
from MusclePropLib.gui.shortcuts import Shortcuts
from MusclePropLib.gui.work import Work, choose_what_is_there
from MusclePropLib.jobs.channel import Channel
from MusclePropLib.jobs.runner import Runner

QUIET_MS = 150  # after the last event of a stroke
POLL_MS = 30


class Panel(VTKObservationMixin):
    """Lives as long as the module's widget; `enter` and `exit` follow whether the module is shown."""

    def __init__(self, widget: Any, requirements: Path, channel: Channel | None = None) -> None:
        super().__init__()
        self.ui = slicer.util.childWidgetVariables(widget)
        self._parameters: Any = None
        self._connected = _widgets_of_parameters(self.ui)
        self._gui_tag: int | None = None
        self._timers: list[qt.QTimer] = []
        self._waiting: Callable[[], None] | None = None
        self._quiet = self._timer(QUIET_MS, guarded(self._run_waiting), once=True)
        self._poll = self._timer(POLL_MS, self._take_turns)
        self._looked = False
        self.session = Session(Runner(channel or QProcessChannel()))
        self.work = Work(self.session, self._later)
        self.setup = SetupSection(self.ui, self.work, requirements)
        self.selection = SelectionSection(self.ui, self.work)
        self.annotate = AnnotateSection(self.ui, self.work)
        self.propagate = PropagateSection(self.ui, self.work)
        self.result = ResultSection(self.ui, self.work)
        self.measure = MeasureSection(self.ui, self.work)
        self.csv = CsvSection(self.ui, self.work)
        self.report = ReportSection(self.ui, self.work)
        self.advanced = AdvancedSection(self.ui, self.work)
        self._look = guarded(self.work.step)
        self._shortcuts = Shortcuts(
            {
                "Shift+P": self.propagate.propagate,
                "Shift+N": self.result.next_slice,
                "Shift+A": guarded(self.work.mark_absent),
            }
        )
        self.work.changed.connect(self._keep_polling)
        self.work.changed.connect(self._warm_up)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self._on_node_removed)
        self._observe_slice_views()

    @property
    def at_rest(self) -> bool:
        """Whether all that has happened in the scene has been taken in."""
        return not (self._quiet.active or self.work.looking)

    def enter(self) -> None:
        """The module is shown."""
        self.annotate.enter()
        self._observe_slice_views()
        self._shortcuts.install()
        self.setup.check()
        self.work.refresh()

    def exit(self) -> None:
        """Another module is shown; a job under way goes on."""
        self._shortcuts.remove()
        self.annotate.exit()

    def close(self) -> None:
        """The module is reloaded or Slicer quits: nothing may stay behind."""
        self.exit()
        self.annotate.close()
        self.set_parameters(None)
        self.removeObservers()
        for timer in self._timers:
            timer.stop()
        self.work.changed.disconnect(self._keep_polling)
        self.setup.close()
        self.measure.close()
        self.csv.close()
        self.report.close()
        self.work.close()

    def set_parameters(self, parameters: Any) -> None:
        """Follow a parameter node; None while the scene is closed or loaded, when selectors would write into it."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
        self._parameters = self.work.choices = parameters
        if parameters is not None:
            choose_what_is_there(parameters)
            self._gui_tag = parameters.connectParametersToGui(self._connected)
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_parameters)
            self.session.set_opacity(parameters.previewOpacity)
            self.session.set_show_3d(parameters.preview3D)
        self.work.refresh()

    def scene_closes(self) -> None:
        """Everything in the scene is about to go."""
        self.session.drop()
        self.work.starting = False
        self.annotate.scene_closes()
        self.set_parameters(None)

    def scene_opened(self) -> None:
        """A scene was closed or loaded while the module is shown."""
        self.annotate.select_editor_node()
        self._observe_slice_views()
        self.work.refresh()

    def _timer(self, interval: int, slot: Callable[[], None], once: bool = False) -> qt.QTimer:
        timer = qt.QTimer()
        timer.setInterval(interval)
        timer.setSingleShot(once)
        timer.connect("timeout()", slot)
        self._timers.append(timer)
        return timer

    def _later(self, action: Callable[[], None]) -> None:
        self._waiting = action
        self._quiet.start()

    def _run_waiting(self) -> None:
        self._observe_slice_views()  # another layout may have brought new ones
        if self._waiting is not None:
            self._waiting()

    def _take_turns(self) -> None:
        """The window waits for one of the two at a time."""
        self._looked = self.work.looking and not (self._looked and self.session.at_work)
        if self._looked:
            self._look()
        else:
            self.session.poll()
        if not (self.session.at_work or self.work.looking):
            self._poll.stop()

    def _keep_polling(self) -> None:
        if (self.session.at_work or self.work.looking) and not self._poll.active:
            self._poll.start()

    def _warm_up(self) -> None:
        """Loading PyTorch takes seconds; by the time that two slices are drawn the worker shall be ready."""
        drawn = any(states.drawn for states in self.work.tracker.states.values())
        if drawn and not self.work.setup_problem and not self.session.busy:
            self.work.changed.disconnect(self._warm_up)
            self.session.warm_up()

    def _on_parameters(self, *_: object) -> None:
        self._later(self.work.refresh)

    def _on_node_removed(self, *_: object) -> None:
        self.work.nodes_gone()

    def _observe_slice_views(self) -> None:
        for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            if not self.hasObserver(node, vtk.vtkCommand.ModifiedEvent, self._on_slice_view):
                self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self._on_slice_view)

    def _on_slice_view(self, *_: object) -> None:
        self.annotate.update_current()
        self.measure.update_current()


def _widgets_of_parameters(ui: Any) -> dict[str, Any]:
    """The widgets that follow a parameter, by its name, found while all are there.

    `connectGui` would look at every named object again each time, those inside of the Segment Editor among them, and
    fail at the first that Qt has destroyed since.
    """
    named = {widget.property("SlicerParameterName"): widget for widget in vars(ui).values()}
    return {name: widget for name, widget in named.items() if name}
