"""Section *Propagate*: the button that turns into Cancel, the progress, and how previews look."""

from __future__ import annotations

import logging
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MusclePropLib.gui import words
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.session import Phase, Progress
from MusclePropLib.gui.work import Work

BUSY = (Phase.RUNNING, Phase.STOPPING, Phase.CANCELLING)


class SingleClicks(qt.QObject):
    """Event filter that leaves of a double click the first: on this button, the second would cancel what that began."""

    def eventFilter(self, watched: qt.QObject, event: qt.QEvent) -> bool:
        """Whether the event goes no further."""
        return event.type() == qt.QEvent.MouseButtonDblClick


class PropagateSection:
    """`propagate` is what the button does, also for the keyboard."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work = ui, work
        self._told: tuple[str, str] | None = None
        self.propagate = guarded(self._propagate_or_cancel)
        ui.propagateButton.connect("clicked(bool)", self.propagate)
        self._single_clicks = SingleClicks()
        ui.propagateButton.installEventFilter(self._single_clicks)
        ui.stopButton.connect("clicked(bool)", guarded(work.session.stop))
        ui.previewOpacitySlider.connect("valueChanged(double)", work.session.set_opacity)
        ui.preview3DCheckBox.connect("toggled(bool)", work.session.set_show_3d)
        work.changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Buttons, bar and line."""
        session = self._work.session
        busy = self._busy
        self._update_button(busy)
        self._ui.stopButton.visible = busy
        self._ui.stopButton.enabled = session.phase is Phase.RUNNING
        self._ui.progressBar.visible = busy
        self._ui.progressLabel.visible = busy or session.failure is not None
        if busy:
            self._update_progress()
        elif session.failure is not None:
            self._ui.progressLabel.text = session.failure[0]
            self._tell_failure(session.failure)
        if session.failure is None:
            self._told = None

    @property
    def _busy(self) -> bool:
        return self._work.starting or self._work.session.phase in BUSY

    def _update_button(self, busy: bool) -> None:
        button, phase = self._ui.propagateButton, self._work.session.phase
        missing = "" if busy else self._work.missing()
        button.text = _("Cancel") if busy else _("Propagate again") if self._again() else _("Propagate")
        button.enabled = phase is not Phase.CANCELLING and not missing
        if busy:
            button.toolTip = _("Give this propagation up and keep the segments as they are (Shift+P)")
        else:
            button.toolTip = missing or _("Propagate the drawn slices through the volume (Shift+P)")

    def _again(self) -> bool:
        return self._work.session.phase is Phase.FINISHED or self._work.drawn_since()

    def _update_progress(self) -> None:
        progress = Progress() if self._work.starting else self._work.session.progress
        self._ui.progressLabel.text = words.progress_text(self._work.session.phase, progress)
        self._ui.progressBar.setRange(0, 0 if progress.fraction is None else 100)  # 0, 0: a bar that only moves
        if progress.fraction is not None:
            self._ui.progressBar.value = round(100 * progress.fraction)

    def _propagate_or_cancel(self) -> None:
        if self._work.starting:
            self._work.cancel_start()
        elif self._busy:
            self._work.session.cancel()
        else:
            self._work.propagate()

    def _tell_failure(self, failure: tuple[str, str]) -> None:
        """Once per failure, with the details for whoever mends it."""
        if failure is not self._told:
            self._told = failure
            message, details = failure
            logging.error(f"MuscleProp: {message}\n{details}")
            more = {"detailedText": details} if details else {}
            # Modal: not here, where the other sections have not yet been told.
            qt.QTimer.singleShot(0, lambda: slicer.util.errorDisplay(message, windowTitle="MuscleProp", **more))
