"""Qt widgets that do what those of Slicer and CTK do, as far as the panel uses them, on the real MRML scene."""

from __future__ import annotations

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

Signal = QtCore.Signal


class qMRMLWidget(QtWidgets.QWidget):
    """qMRMLWidget"""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """qMRMLNodeComboBox: follows the scene; picks another node when the current one is removed."""

    currentNodeChanged = Signal(object)

    nodeAddedByUser = Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._box = QtWidgets.QComboBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._values = {"nodeTypes": [], "hideChildNodeTypes": [], "baseName": ""}
        self._values |= {"noneEnabled": False, "addEnabled": True, "removeEnabled": True, "renameEnabled": False}
        self._scene, self._ids, self._tags = None, [], []
        self._box.currentIndexChanged.connect(self._emit)
        self._last = None

    def _value(name, kind):
        return QtCore.Property(kind, lambda self: self._values[name], lambda self, value: self._set(name, value))

    nodeTypes = _value("nodeTypes", "QStringList")
    hideChildNodeTypes = _value("hideChildNodeTypes", "QStringList")
    baseName = _value("baseName", str)
    noneEnabled = _value("noneEnabled", bool)
    addEnabled = _value("addEnabled", bool)
    removeEnabled = _value("removeEnabled", bool)
    renameEnabled = _value("renameEnabled", bool)
    currentNodeID = QtCore.Property(str, lambda self: self._id(), lambda self, value: self.setCurrentNodeID(value))

    def setMRMLScene(self, scene) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent)
        self._tags = [scene.AddObserver(event, lambda *_: self._fill()) for event in events]
        self._fill()

    def mrmlScene(self):
        return self._scene

    def currentNode(self):
        return self._scene.GetNodeByID(self._id()) if self._scene and self._id() else None

    def setCurrentNode(self, node) -> None:
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id) -> None:
        self._box.setCurrentIndex(self._ids.index(node_id) if node_id in self._ids else self._ids.index(""))

    def nodeCount(self) -> int:
        return len([i for i in self._ids if i])

    def addNode(self):
        """What the menu entry "Create new" does."""
        node = self._scene.AddNewNodeByClass(self._values["nodeTypes"][0], self._values["baseName"])
        self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def _set(self, name, value) -> None:
        self._values[name] = value
        if self._scene:
            self._fill()

    def _id(self) -> str:
        index = self._box.currentIndex()
        return self._ids[index] if 0 <= index < len(self._ids) else ""

    def _fill(self) -> None:
        current = self._id()
        nodes = [n for kind in self._values["nodeTypes"] for n in slicer.util.getNodesByClass(kind) if self._shows(n)]
        self._box.blockSignals(True)
        self._box.clear()
        self._ids = [""] + [n.GetID() for n in nodes]
        self._box.addItems(["None", *(n.GetName() for n in nodes)])
        gone = current and current not in self._ids
        wanted = current if not gone else (self._ids[1] if len(self._ids) > 1 else "")
        if not wanted and not self._values["noneEnabled"] and len(self._ids) > 1:
            wanted = self._ids[1]
        self._box.setCurrentIndex(self._ids.index(wanted))
        self._box.blockSignals(False)
        self._emit()

    def _shows(self, node) -> bool:
        hidden = any(node.IsA(kind) for kind in self._values["hideChildNodeTypes"])
        return not hidden and not node.GetHideFromEditors()

    def _emit(self, *_) -> None:
        if self._id() != self._last:
            self._last = self._id()
            self.currentNodeChanged.emit(self.currentNode())


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """ctkCollapsibleButton: a flat bar; below it the contents, hidden while collapsed."""

    contentsCollapsed = Signal(bool)

    BAR = 22

    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed = False
        self.setContentsMargins(2, self.BAR + 2, 2, 2)

    def _is_collapsed(self) -> bool:
        return self._collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed != self._collapsed:
            self._collapsed = collapsed
            self._show_contents()
            self.contentsCollapsed.emit(collapsed)

    collapsed = QtCore.Property(bool, _is_collapsed, _set_collapsed)

    def _show_contents(self) -> None:
        for child in self.children():
            if child.isWidgetType():
                child.setVisible(not self._collapsed)
        self.setMaximumHeight(self.BAR if self._collapsed else 16777215)

    def childEvent(self, event) -> None:
        super().childEvent(event)
        QtCore.QTimer.singleShot(0, self, self._show_if_collapsed)

    def _show_if_collapsed(self) -> None:
        if self._collapsed:
            self._show_contents()

    def mouseReleaseEvent(self, event) -> None:
        if event.position().y() < self.BAR:
            self._set_collapsed(not self._collapsed)

    def paintEvent(self, event) -> None:
        painter = QtGui.QPainter(self)
        bar = QtCore.QRect(0, 0, self.width(), self.BAR)
        painter.fillRect(bar, self.palette().color(QtGui.QPalette.ColorRole.Button).darker(106))
        arrow = QtGui.QPolygon([QtCore.QPoint(8, 8), QtCore.QPoint(16, 8), QtCore.QPoint(12, 15)])
        if self._collapsed:
            arrow = QtGui.QPolygon([QtCore.QPoint(9, 6), QtCore.QPoint(16, 11), QtCore.QPoint(9, 16)])
        painter.setBrush(self.palette().color(QtGui.QPalette.ColorRole.ButtonText))
        painter.setPen(QtCore.Qt.PenStyle.NoPen)
        painter.drawPolygon(arrow)
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.ButtonText))
        painter.drawText(bar.adjusted(24, 0, 0, 0), QtCore.Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()

    def sizeHint(self) -> QtCore.QSize:
        hint = self.layout().totalSizeHint() if self.layout() and not self._collapsed else QtCore.QSize(100, 0)
        return QtCore.QSize(hint.width(), max(self.BAR, hint.height()))

    def minimumSizeHint(self) -> QtCore.QSize:
        return self.sizeHint()


class ctkSliderWidget(QtWidgets.QWidget):
    """ctkSliderWidget: a slider and a spin box."""

    valueChanged = Signal(float)

    STEPS = 1000

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._slider.setRange(0, self.STEPS)
        self._spin = QtWidgets.QDoubleSpinBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin)
        self._spin.valueChanged.connect(self._follow)
        self._slider.sliderMoved.connect(lambda at: self._spin.setValue(self._from_slider(at)))

    def _number(name, kind=float):
        setter = "set" + name[0].upper() + name[1:]
        return QtCore.Property(
            kind, lambda self: getattr(self._spin, name)(), lambda self, value: getattr(self._spin, setter)(value)
        )

    value = _number("value")
    minimum = _number("minimum")
    maximum = _number("maximum")
    singleStep = _number("singleStep")
    decimals = _number("decimals", int)
    suffix = _number("suffix", str)

    def setValue(self, value) -> None:
        self._spin.setValue(value)

    def _follow(self, value: float) -> None:
        low, high = self._spin.minimum(), self._spin.maximum()
        self._slider.setValue(round(self.STEPS * (value - low) / ((high - low) or 1)))
        self.valueChanged.emit(value)

    def _from_slider(self, at: int) -> float:
        low, high = self._spin.minimum(), self._spin.maximum()
        return low + (high - low) * at / self.STEPS


class ctkPathLineEdit(QtWidgets.QWidget):
    """ctkPathLineEdit"""

    currentPathChanged = Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._line, self._filters = QtWidgets.QLineEdit(), []
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line)
        layout.addWidget(QtWidgets.QToolButton(text="..."))
        self._line.textChanged.connect(self.currentPathChanged)

    currentPath = QtCore.Property(str, lambda self: self._line.text(), lambda self, path: self._line.setText(path))
    nameFilters = QtCore.Property(
        "QStringList", lambda self: self._filters, lambda self, value: setattr(self, "_filters", value)
    )


from harness.plot_view import qMRMLLayoutManager, qMRMLPlotView, qMRMLPlotWidget  # noqa: E402 (the list below)
from harness.segment_editor import qMRMLSegmentEditorWidget  # noqa: E402

CLASSES = (
    *(qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget),
    *(ctkCollapsibleButton, ctkSliderWidget, ctkPathLineEdit),
    *(qMRMLLayoutManager, qMRMLPlotWidget, qMRMLPlotView),
)
