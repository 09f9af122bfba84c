"""What the expert sees of a fault: a sentence where the input is at fault, the details where the tool is."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from MusclePropLib.core.errors import InputError


def guarded(action: Callable[[], object]) -> Callable[..., None]:
    """A slot for a button or a key that takes what the signal sends, calls `action` and shows its faults."""

    def slot(*_arguments: object) -> None:
        with slicer.util.tryWithErrorDisplay(_("Something went wrong in MuscleProp.")):
            try:
                action()
            except InputError as fault:
                slicer.util.warningDisplay(str(fault), windowTitle="MuscleProp")

    return slot
