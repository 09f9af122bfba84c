"""Button *Export CSV*: the figures of the segments as they are now, as `muscleprop measure --csv` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.measurements.recording import Recording
from MusclePropLib.core.measurements.tables import as_csv, muscle_rows
from MusclePropLib.core.steps import Steps
from MusclePropLib.gui.ask_file import ask_where
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.step_by_step import StepByStep
from MusclePropLib.gui.work import Work
from MusclePropLib.scene.annotations import Subject
from MusclePropLib.scene.measures import node_measured
from MusclePropLib.scene.names import name_of


class CsvSection:
    """One row a muscle; the column `file` names the segmentation."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work = ui, work
        self._steps = StepByStep(self.update)
        ui.exportButton.connect("clicked(bool)", guarded(self._export))
        work.changed.connect(self.update)
        self.update()

    @property
    def busy(self) -> bool:
        """Whether a table is being made."""
        return self._steps.busy

    def close(self) -> None:
        """The panel goes: a table that is being made is given up."""
        self._steps.end()

    def update(self) -> None:
        """Whether there is anything to export."""
        painted = any(states.slices for states in self._work.tracker.states.values())
        self._ui.exportButton.enabled = painted and not self.busy
        self._ui.exportButton.toolTip = (
            _("Write a table of volumes, areas and lengths of the segments as they are now, one row a muscle")
            if painted
            else _("There is nothing to measure yet")
        )

    def _export(self) -> None:
        path = ask_where(_("Export the measurements"), self._name(), _("Comma-separated values"), (".csv",))
        if path is None:
            return
        name = self._name()  # anew: much may have happened behind the dialog
        self._steps.begin(_exported(self._work.subject, name, path))
        self.update()

    def _name(self) -> str:
        nodes = self._work.subject.nodes() if self._work.subject else None
        if nodes is None:
            raise InputError(_("Choose a volume and a segmentation"))
        return name_of(nodes[1])


def _exported(subject: Subject, name: str, path: Path) -> Steps:
    measured = yield from node_measured(subject)
    write_csv(path, as_csv(muscle_rows(Recording(name, subject.axis, False, measured))))
    slicer.util.showStatusMessage(_("Measurements written to {path}").format(path=path), 5000)


def write_csv(path: Path, text: str) -> None:
    """Whole or not at all. InputError if the file cannot be written there."""
    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise InputError(_("{path} could not be written ({reason})").format(path=path, reason=reason)) from fault
