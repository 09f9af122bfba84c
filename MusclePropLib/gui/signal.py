"""Signals between Python objects; Qt's own crash under PythonQt when they are declared in Python classes at will."""

from __future__ import annotations

from collections.abc import Callable


class Signal:
    """Calls every connected function in the order of connection."""

    def __init__(self) -> None:
        self._slots: list[Callable[..., object]] = []

    def connect(self, slot: Callable[..., object]) -> None:
        """Call `slot` at every `emit`; connecting the same one twice changes nothing."""
        if slot not in self._slots:
            self._slots.append(slot)

    def disconnect(self, slot: Callable[..., object]) -> None:
        """Do not call it any more."""
        if slot in self._slots:
            self._slots.remove(slot)

    def emit(self, *values: object) -> None:
        """Call the slots; one that raises keeps the later ones from being called, as a plain call would."""
        for slot in list(self._slots):
            slot(*values)
