"""Section *Result*: what came out, to be accepted or discarded, and where to draw next."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from MusclePropLib.gui import words
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.session import Phase
from MusclePropLib.gui.work import Work


class ResultSection:
    """`next_slice` is what the button does, also for the keyboard."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work = ui, work
        self.next_slice = guarded(self._go_to_next)
        ui.acceptButton.connect("clicked(bool)", guarded(work.accept))
        ui.discardButton.connect("clicked(bool)", guarded(work.session.discard))
        ui.nextSliceButton.connect("clicked(bool)", self.next_slice)
        work.changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Text and buttons."""
        session = self._work.session
        finished = session.phase is Phase.FINISHED
        self._ui.resultFrame.visible = session.summary is not None
        for button in (self._ui.acceptButton, self._ui.discardButton):
            button.enabled = finished
        self._ui.resultLabel.text = self._text()
        self._ui.changedLabel.visible = self._work.drawn_since()
        self._update_next(self._work.next_slice())

    def _text(self) -> str:
        summary = self._work.session.summary or {}
        return "".join(words.outcome_text(muscle) for muscle in summary.get("muscles", []))

    def _update_next(self, slice_index: int | None) -> None:
        button = self._ui.nextSliceButton
        button.enabled = slice_index is not None
        if slice_index is None:
            button.text = _("Next slice to draw")
            button.toolTip = _("The propagation names no slice on which another contour would help much")
        else:
            button.text = _("Next slice to draw: {number}").format(number=slice_index)
            button.toolTip = _("Go to the slice where one more contour would help most (Shift+N)")

    def _go_to_next(self) -> None:
        slice_index = self._work.next_slice()
        if slice_index is not None:
            self._work.go_to(slice_index)
