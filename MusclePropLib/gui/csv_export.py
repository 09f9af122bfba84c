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
from MusclePropLib.gui.ask_file import ask_where
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.work import Work
from MusclePropLib.scene.measures import measure_node


class CsvSection:
    """One row a muscle; the column `file` names the segmentation."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work = ui, work
        ui.exportButton.connect("clicked(bool)", guarded(self._export))
        work.changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Whether there is anything to export."""
        painted = any(states.slices for states in self._work.tracker.states.values())
        self._ui.exportButton.enabled = painted
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
        measured = measure_node(self._work.subject)
        write_csv(path, as_csv(muscle_rows(Recording(name, self._work.subject.axis, False, measured))))
        slicer.util.showStatusMessage(_("Measurements written to {path}").format(path=path), 5000)

    def _name(self) -> str:
        nodes = self._work.subject.nodes() if self._work.subject else None
        if nodes is None:
            raise InputError(_("Choose a volume and a segmentation"))
        return nodes[1].GetName()


def write_csv(path: Path, text: str) -> None:
    """Whole or not at all. InputError if the file cannot be written there."""
    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise InputError(_("{path} could not be written ({reason})").format(path=path, reason=reason)) from fault
