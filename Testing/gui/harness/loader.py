"""Loads `.ui` files with the stand-ins for Slicer's widgets, and makes the connections that the file asks for."""

from __future__ import annotations

from xml.etree import ElementTree

from PySide6 import QtCore
from PySide6.QtUiTools import QUiLoader

from harness import widgets
from harness.wrapping import API, wrap


class UiLoader:
    """`qt.QUiLoader()` as slicer.util.loadUI uses it."""

    def load(self, file):
        loader = QUiLoader()
        for stand_in in widgets.CLASSES:
            loader.registerCustomWidget(stand_in)
        text = bytes(file._real.readAll().data()).decode()
        tree = ElementTree.fromstring(text)
        connections = _taken_out(tree)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = loader.load(buffer)
        if widget is None:
            raise RuntimeError(loader.errorString())
        _connect(widget, connections)
        return wrap(widget)


def _taken_out(tree: ElementTree.Element) -> list[ElementTree.Element]:
    """Remove what means nothing to PySide6: enums of ctk's classes, and the connections, which are returned.

    That the real classes have all that the file names is tested elsewhere.
    """
    for item in tree.iter("widget"):
        for prop in item.findall("property"):
            if item.get("class") in API and prop.find("set") is not None:
                item.remove(prop)
    connections = tree.find("connections")
    if connections is None:
        return []
    tree.remove(connections)
    return list(connections)


def _connect(root, connections: list[ElementTree.Element]) -> None:
    """Only what the stand-ins can have: a scene that is handed on to the widgets."""
    for connection in connections:
        sender = _find(root, connection.findtext("sender"))
        receiver = _find(root, connection.findtext("receiver"))
        signal, slot = (connection.findtext(part).split("(")[0] for part in ("signal", "slot"))
        getattr(sender, signal).connect(getattr(receiver, slot))


def _find(root, name: str):
    found = root if root.objectName() == name else root.findChild(QtCore.QObject, name)
    if found is None:
        raise RuntimeError(f"the .ui file connects '{name}', which it does not have")
    return found
