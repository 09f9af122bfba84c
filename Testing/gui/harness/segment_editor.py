"""qMRMLSegmentEditorWidget's stand-in: the list of segments and the buttons, on Slicer's own editor logic."""

from __future__ import annotations

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

EFFECTS = ("Threshold", "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices")
EFFECTS += ("Margin", "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume")


class qMRMLSegmentEditorWidget(QtWidgets.QWidget):
    """Without an effect's own controls; strokes come from the tests, through the same logic."""

    currentSegmentIDChanged = QtCore.Signal(str)

    def __init__(self, parent=None):
        super().__init__(parent)
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self._values = dict.fromkeys(
            (
                *("segmentationNodeSelectorVisible", "sourceVolumeNodeSelectorVisible", "maskingSectionVisible"),
                *("switchToSegmentationsButtonVisible", "unorderedEffectsVisible", "show3DButtonVisible"),
            ),
            True,
        )
        self.logic.SetSegmentationHistory(slicer.vtkSegmentationHistory())
        self._order, self._scene = (), None
        self.shortcuts_installed = self.views_observed = False
        self._build()

    def _flag(name):
        def write(self, value):
            self._values[name] = value
            self._show_effects()

        return QtCore.Property(bool, lambda self: self._values[name], write)

    segmentationNodeSelectorVisible = _flag("segmentationNodeSelectorVisible")
    sourceVolumeNodeSelectorVisible = _flag("sourceVolumeNodeSelectorVisible")
    maskingSectionVisible = _flag("maskingSectionVisible")
    switchToSegmentationsButtonVisible = _flag("switchToSegmentationsButtonVisible")
    unorderedEffectsVisible = _flag("unorderedEffectsVisible")
    show3DButtonVisible = _flag("show3DButtonVisible")
    maximumNumberOfUndoStates = QtCore.Property(
        int,
        lambda self: self.logic.GetMaximumNumberOfUndoStates(),
        lambda self, count: self.logic.SetMaximumNumberOfUndoStates(count),
    )

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self.logic.SetMRMLScene(scene)
        if self.logic.GetSegmentEditorNode() is None:
            print("qMRMLSegmentEditorWidget: need to set segment editor node first")

    def mrmlSegmentEditorNode(self):
        return self.logic.GetSegmentEditorNode()

    def setMRMLSegmentEditorNode(self, node) -> None:
        if node is not self.mrmlSegmentEditorNode():
            self.logic.SetSegmentEditorNode(node)

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        self.logic.SetMaximumNumberOfUndoStates(count)

    def segmentationNode(self):
        return self.logic.GetSegmentationNode() if self.mrmlSegmentEditorNode() else None

    def sourceVolumeNode(self):
        return self.logic.GetSourceVolumeNode() if self.mrmlSegmentEditorNode() else None

    def setSegmentationNode(self, node) -> None:
        if self.logic.GetSegmentationNode() is not node:
            self.setActiveEffect(None)
        self.logic.SetSegmentationNode(node)
        self.updateWidgetFromMRML()
        if node is not None and self.list.topLevelItemCount():
            self.setCurrentSegmentID(self.list.topLevelItem(0).data(0, QtCore.Qt.ItemDataRole.UserRole))

    def setSourceVolumeNode(self, node) -> None:
        self.logic.SetSourceVolumeNode(node)

    def currentSegmentID(self) -> str:
        return self.logic.GetCurrentSegmentID() if self.segmentationNode() else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        self.logic.SetCurrentSegmentID(segment_id)
        self._select()
        self.currentSegmentIDChanged.emit(segment_id)

    def saveStateForUndo(self) -> None:
        self.logic.SaveStateForUndo()

    def undo(self) -> None:
        self.logic.Undo()
        self.updateWidgetFromMRML()

    def redo(self) -> None:
        self.logic.Redo()
        self.updateWidgetFromMRML()

    def activeEffect(self):
        """Kept in the editor's node: every widget that follows the node has the effect active."""
        node = self.mrmlSegmentEditorNode()
        return (node.GetActiveEffectName() or None) if node else None

    def setActiveEffect(self, effect) -> None:
        if self.mrmlSegmentEditorNode() is not None:
            self.mrmlSegmentEditorNode().SetActiveEffectName(effect or "")

    def setActiveEffectByName(self, name: str) -> None:
        self.setActiveEffect(name)

    def availableEffectNames(self) -> list[str]:
        return list(EFFECTS)

    def setEffectNameOrder(self, names) -> None:
        self._order = tuple(names)
        self._show_effects()

    def setupViewObservations(self) -> None:
        self.views_observed = True

    def removeViewObservations(self) -> None:
        self.views_observed = False

    def installKeyboardShortcuts(self) -> None:
        if slicer.util.mainWindow() is None:
            raise RuntimeError("QShortcut: No widget parent defined (Qt prints that once for every key)")
        self.shortcuts_installed = True

    def uninstallKeyboardShortcuts(self) -> None:
        self.shortcuts_installed = False

    def updateWidgetFromMRML(self) -> None:
        self.list.clear()
        node = self.segmentationNode()
        for segment_id in node.GetSegmentation().GetSegmentIDs() if node else ():
            segment = node.GetSegmentation().GetSegment(segment_id)
            item = QtWidgets.QTreeWidgetItem(["", "", segment.GetName()])
            item.setData(0, QtCore.Qt.ItemDataRole.UserRole, segment_id)
            item.setBackground(1, QtGui.QColor.fromRgbF(*segment.GetColor()))
            item.setText(0, "\N{FISHEYE}")
            self.list.addTopLevelItem(item)
        self._select()

    def _select(self) -> None:
        for index in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(index)
            if item.data(0, QtCore.Qt.ItemDataRole.UserRole) == self.currentSegmentID():
                self.list.setCurrentItem(item)

    def _build(self) -> None:
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        row = QtWidgets.QHBoxLayout()
        for text in ("Add", "Remove", "Show 3D"):
            row.addWidget(QtWidgets.QPushButton(text))
        layout.addLayout(row)
        self.list = QtWidgets.QTreeWidget()
        self.list.setHeaderLabels(["\N{FISHEYE}", "", "Name"])
        self.list.setRootIsDecorated(False)
        self.list.setColumnWidth(0, 30)
        self.list.setColumnWidth(1, 30)
        self.list.setFixedHeight(110)
        self.list.itemClicked.connect(
            lambda item, _: self.setCurrentSegmentID(item.data(0, QtCore.Qt.ItemDataRole.UserRole))
        )
        layout.addWidget(self.list)
        self._effects = QtWidgets.QGroupBox("Effects")
        self._grid = QtWidgets.QGridLayout(self._effects)
        layout.addWidget(self._effects)
        self._show_effects()

    def _show_effects(self) -> None:
        while self._grid.count():
            self._grid.takeAt(0).widget().deleteLater()
        known = [e for e in self._order if e in EFFECTS]
        if self._values["unorderedEffectsVisible"]:
            known += [e for e in EFFECTS if e not in known]
        for place, name in enumerate(known):
            button = QtWidgets.QToolButton(text=name)
            button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
            self._grid.addWidget(button, place // 3, place % 3)
