"""Section *Result*: what came out, to be accepted or discarded, and where to draw next."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from MusclePropLib.gui import words
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.session import Phase
from MusclePropLib.gui.work import Work
from MusclePropLib.scene.names import name_of


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
        finished, elsewhere = session.phase is Phase.FINISHED, self._elsewhere()
        self._ui.resultFrame.visible = session.summary is not None
        self._ui.discardButton.enabled = finished
        self._ui.acceptButton.enabled = finished and not elsewhere
        self._ui.acceptButton.toolTip = (
            _("This result is of '{name}': choose that one to accept it").format(name=elsewhere)
            if elsewhere
            else _("Write the result into the segments, as one step of undo; what you have drawn keeps every voxel")
        )
        self._ui.resultLabel.text = self._text()
        self._ui.changedLabel.visible = self._work.drawn_since()
        self._update_next(self._work.next_slice())

    def _text(self) -> str:
        summary, elsewhere = self._work.session.summary or {}, self._elsewhere()
        texts = [words.of_another_text(elsewhere)] if elsewhere else []
        texts += [words.outcome_text(muscle) for muscle in summary.get("muscles", [])]
        return "".join(texts + [words.note_text(warning) for warning in summary.get("warnings", [])])

    def _elsewhere(self) -> str:
        """Name of the segmentation that the result is of, if it is not the chosen one with its volume.

        It would be written where nobody looks, and the chosen one's editor could not undo it.
        """
        session, chosen = self._work.session, self._work.subject
        nodes = session.job.subject.nodes() if session.job and session.summary is not None else None
        if nodes is None:
            return ""
        same = chosen is not None and chosen.nodes() == nodes
        return "" if same else name_of(nodes[1])

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
