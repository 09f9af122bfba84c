"""Work that would hold the window up is done bit by bit, on a timer."""

from __future__ import annotations

from collections.abc import Callable

import qt

from MusclePropLib.core.steps import Steps, advance
from MusclePropLib.gui.faults import guarded

STEP_MS, EVERY_MS = 20, 30  # the window waits for the first, and has what is left of the second to itself


class StepByStep:
    """One piece of work at a time; its faults are shown as those of a click are. `ended` is called when it is over."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended
        self._steps: Steps | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(EVERY_MS)
        self._timer.connect("timeout()", guarded(self._go_on))

    @property
    def busy(self) -> bool:
        """Whether there is something left to do."""
        return self._steps is not None

    def begin(self, steps: Steps) -> None:
        """Instead of what may be under way; some steps are taken at once, whose faults are raised."""
        self._steps = steps
        self._timer.start()
        self._go_on()

    def end(self) -> None:
        """Give it up."""
        self._timer.stop()
        self._steps = None

    def _go_on(self) -> None:
        try:
            if not advance(self._steps, STEP_MS / 1000):
                return
        except BaseException:
            self._over()
            raise
        self._over()

    def _over(self) -> None:
        self.end()
        self._ended()
