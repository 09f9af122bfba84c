"""Section *Volume and segmentation*."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.work import Work


class NoWheelInPassing(qt.QObject):
    """Event filter: who turns the wheel to move the panel chooses nothing, unless the widget has the focus."""

    def eventFilter(self, watched: qt.QObject, event: qt.QEvent) -> bool:
        """Whether the event goes no further, but to the panel."""
        if event.type() != qt.QEvent.Wheel or watched.focus:
            return False
        event.ignore()
        return True


class SelectionSection:
    """The selectors follow the parameter node by themselves; here are the button and the word of warning."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work = ui, work
        self._no_wheel = NoWheelInPassing()
        ui.axisComboBox.installEventFilter(self._no_wheel)
        ui.createSegmentsButton.connect("clicked(bool)", guarded(work.create_segments))
        work.changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show what is wrong with the choice, and whether segments can be made."""
        choices = self._work.choices
        volume = choices is not None and choices.volume is not None
        self._ui.createSegmentsButton.enabled = volume
        self._ui.createSegmentsButton.toolTip = (
            _("Add the segments GM, GL and SOL with colours and terminology, on the grid of the volume")
            if volume
            else _("Choose a volume first")
        )
        self._ui.problemLabel.text = self._work.problem
        self._ui.problemLabel.visible = bool(self._work.problem)
