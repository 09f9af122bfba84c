"""Section *Measure*: a table and a plot of what the segments hold now."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.muscle import MuscleMeasures
from MusclePropLib.core.measurements.tables import millilitres
from MusclePropLib.core.steps import Steps
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.plot_clicks import PlotClicks
from MusclePropLib.gui.step_by_step import StepByStep
from MusclePropLib.gui.work import Work
from MusclePropLib.scene.annotations import Subject
from MusclePropLib.scene.measures import is_curve, is_own_series, mark_position, node_measured, show_plot, show_table


class MeasureSection:
    """The plot's line follows the shown slice, see `update_current`; a click on a curve goes to its slice."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work = ui, work
        self._subject: Subject | None = None
        self._positions_mm: Any = ()
        self._measured: dict[str, tuple] = {}
        self._figures = ""
        self._clicks = PlotClicks(self._clicked)
        self._steps = StepByStep(self.update)
        ui.measureButton.connect("clicked(bool)", guarded(self._measure))
        work.changed.connect(self.update)
        self.update()

    @property
    def busy(self) -> bool:
        """Whether something is being measured."""
        return self._steps.busy

    def update(self) -> None:
        """Whether there is anything to measure."""
        painted = any(states.slices for states in self._work.tracker.states.values())
        self._ui.measureButton.enabled = painted and not self.busy
        if self._subject != self._work.subject or self._measured != self._contents():
            self._figures = ""
        self._ui.measureLabel.text = _("Measuring...") if self.busy else self._figures
        self._ui.measureLabel.visible = bool(self._ui.measureLabel.text)

    def update_current(self) -> None:
        """Another slice is shown."""
        current = self._work.current_slice() if self._subject == self._work.subject else None
        if self._subject is not None and current is not None and current < len(self._positions_mm):
            mark_position(self._subject, float(self._positions_mm[current]))

    def close(self) -> None:
        """The panel goes."""
        self._steps.end()
        self._clicks.close()

    def _clicked(self, series_id: str, row: int) -> bool:
        """A point of the plot was clicked; a curve's rows are the slices. Whether it was one of this plot."""
        if self._subject is None or self._subject != self._work.subject:
            return False
        if is_curve(self._subject, series_id):
            self._work.go_to(row)
        return is_own_series(self._subject, series_id)

    def _contents(self) -> dict[str, tuple]:
        """What the segments hold, to be compared with what was measured."""
        states = self._work.tracker.states.items()
        return {i: (s.name, *((t, drawing.checksum) for t, drawing in s.slices.items())) for i, s in states}

    def _measure(self) -> None:
        subject = self._work.subject
        if subject is None:
            raise InputError(_("Choose a volume and a segmentation"))
        self._steps.begin(self._shown(subject))
        self.update()

    def _shown(self, subject: Subject) -> Steps:
        measured = yield from node_measured(subject)
        self._subject, self._positions_mm = subject, measured[0].positions_mm
        self._measured = self._contents()
        self._figures = "; ".join(_volume(m) for m in measured)
        table, chart = show_table(subject, measured), show_plot(subject, measured)
        slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(table.GetID())
        if slicer.util.mainWindow() is not None:
            slicer.modules.plots.logic().ShowChartInLayout(chart)
            slicer.app.applicationLogic().PropagateTableSelection()
            self._clicks.follow(chart)
        self.update_current()


def _volume(measured: MuscleMeasures) -> str:
    text = _("{name}: {volume} ml").format(name=measured.name, volume=millilitres(measured.volume_ml))
    if not measured.empty_between:
        return text
    return text + " " + _("without {count} empty slices in between").format(count=measured.empty_between)
