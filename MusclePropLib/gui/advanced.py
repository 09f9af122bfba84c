"""Section *Advanced*: all of it follows the parameter node; only the file of weights waits for its turn."""

from __future__ import annotations

from typing import Any

from MusclePropLib.gui.parameters import Weights
from MusclePropLib.gui.work import Work


class AdvancedSection:
    """Shows the file selector only where it counts."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work = ui, work
        work.changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """Show the file selector if weights come from a file."""
        choices = self._work.choices
        for widget in (self._ui.weightsFileLabel, self._ui.weightsFileEdit):
            widget.visible = choices is not None and choices.weights is Weights.FILE
