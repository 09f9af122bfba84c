"""Keys of the panel, none of which the Segment Editor takes; they live only while the module is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import qt
import slicer


class Shortcuts:
    """Keys such as "Shift+P" and what they do."""

    def __init__(self, actions: Mapping[str, Callable[..., object]]) -> None:
        self._actions = dict(actions)
        self._installed: list[qt.QShortcut] = []

    def install(self) -> None:
        """On the main window; without one there is nobody to press a key."""
        window = slicer.util.mainWindow()
        if window is None or self._installed:
            return
        for keys, action in self._actions.items():
            shortcut = qt.QShortcut(window)
            shortcut.setKey(qt.QKeySequence(keys))
            shortcut.setAutoRepeat(False)  # a key held for a moment would cancel what it has just begun
            shortcut.connect("activated()", action)
            self._installed.append(shortcut)

    def remove(self) -> None:
        """Take them off again."""
        for shortcut in self._installed:
            shortcut.setEnabled(False)  # it is deleted only when the event loop comes round
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._installed = []
