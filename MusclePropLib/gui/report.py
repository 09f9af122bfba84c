"""Button *Report* of the section *Measure*: a page about the segments as they are now, written in the background."""

from __future__ import annotations

import html
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.steps import Steps
from MusclePropLib.gui.ask_file import ask_where
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.leash import leashed
from MusclePropLib.gui.programs import Programs
from MusclePropLib.gui.step_by_step import StepByStep
from MusclePropLib.gui.work import Work
from MusclePropLib.jobs.job import FOLDER_PREFIX
from MusclePropLib.report.handover import SCRIPT, Piece, segments_written, volume_written
from MusclePropLib.scene.annotations import Subject, looked_at
from MusclePropLib.scene.inputs import volume_of
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.segments import moment, segment_ids
from MusclePropLib.scene.snapshot import segments_now


class ReportSection:
    """One page at a time."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work = ui, work
        self._page = Path()
        self._folder: Path | None = None
        self._steps = StepByStep(self.update)
        self._programs = Programs()
        self._programs.ended.connect(self._ended)
        ui.reportButton.connect("clicked(bool)", guarded(self._begin))
        ui.reportLabel.visible = False
        work.changed.connect(self.update)
        self.update()

    @property
    def busy(self) -> bool:
        """Whether a page is being written."""
        return self._folder is not None

    def update(self) -> None:
        """Whether there is anything to report on."""
        painted = any(states.slices for states in self._work.tracker.states.values())
        missing = self._work.setup_problem or ("" if painted else _("There is nothing to measure yet"))
        self._ui.reportButton.enabled = not missing and not self.busy
        self._ui.reportButton.toolTip = missing or _(
            "Write a page with volumes, curves, slices and a 3D view of the segments as they are now, and show it in "
            "the web browser"
        )

    def close(self) -> None:
        """The panel goes: a page under way is given up."""
        self._programs.ended.disconnect(self._ended)
        self._programs.close()
        self._give_up()

    def _begin(self) -> None:
        name = name_of(self._nodes()[1])
        page = ask_where(_("Save the report"), name, _("Web page"), (".html", ".htm"))
        if page is None:
            return
        self._nodes()  # anew: much may have happened behind the dialog
        self._page, self._folder = page, Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        self._show(_("Writing the report..."))
        self._steps.begin(self._written(self._work.subject))

    def _nodes(self) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSegmentationNode]:
        if self._work.subject is None:
            raise InputError(_("Choose a volume and a segmentation"))
        return self._work.subject.existing_nodes()

    def _written(self, subject: Subject) -> Steps:
        try:
            yield from _handed_over(subject, self._folder)
        except OSError as fault:
            self._ended(str(fault))
            return
        except Exception:
            self._give_up()
            raise
        python = shutil.which("PythonSlicer") or sys.executable
        self._programs.start([leashed([python, str(SCRIPT), str(self._folder), str(self._page)])])

    def _ended(self, failure: str) -> None:
        self._give_up()
        if failure:
            logging.error(f"MuscleProp: the report was not written\n{failure}")
            message = _("The report could not be written; the details say why.")
            slicer.util.errorDisplay(message, windowTitle="MuscleProp", detailedText=failure)
        else:
            link = f'<a href="{html.escape(self._page.as_uri())}">{html.escape(self._page.name)}</a>'
            self._show(_("Report: {link}").format(link=link))
            show_page(self._page)

    def _show(self, text: str) -> None:
        self._ui.reportLabel.text = text
        self._ui.reportLabel.visible = bool(text)
        self.update()

    def _give_up(self) -> None:
        """The process deletes the folder itself, if it comes to that."""
        self._steps.end()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None
        self._show("")


def _handed_over(subject: Subject, folder: Path) -> Steps:
    """The segments first, all of them as they are at one moment; then the volume. InputError if they are gone."""
    before = None
    while before != moment(subject.existing_nodes()[1]):
        yield from looked_at(subject, segment_ids)
        nodes = subject.existing_nodes()
        before, found = moment(nodes[1]), segments_now(*nodes, subject.axis)
        pieces = [Piece(segment, voxels.labels, voxels.value, voxels.offset) for segment, voxels in found]
        yield from segments_written(folder, pieces)
    yield from volume_written(folder, volume_of(nodes[0], subject.axis))


def show_page(page: Path) -> None:
    """In the web browser."""
    qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(page)))
