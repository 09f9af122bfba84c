"""Section *Annotate*: Slicer's own Segment Editor, the strip under it, and the marks for absent muscles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import slicer
from slicer.i18n import tr as _

from MusclePropLib.gui import words
from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.masking import Masking
from MusclePropLib.gui.strip import AnnotationStrip, StripContent
from MusclePropLib.gui.strip_picture import Row
from MusclePropLib.gui.work import Work
from MusclePropLib.scene.segments import muscle_ids

EDITOR_TAG = "MuscleProp"
EFFECTS = ("Paint", "Draw", "Erase", "Level tracing", "Scissors", "Islands", "Smoothing", "Logical operators")
FEWEST_UNDO_STATES, MOST_UNDO_STATES = 5, 20  # Slicer's own number, and a comfortable one
UNDO_BYTES = 4_000_000_000  # each state holds a copy of the segment that was changed, a byte a voxel


class AnnotateSection:
    """The editor has a parameter node of its own, so that the Segment Editor module keeps its choices."""

    def __init__(self, ui: Any, work: Work) -> None:
        self._ui, self._work, self._masking = ui, work, Masking()
        self._set_up_editor()
        self.strip = AnnotationStrip(self._tell)
        self.strip.setObjectName("annotationStrip")
        self.strip.toolTip = _(
            "One row per muscle, one column per slice: full colour where you have drawn, weaker where propagated, a "
            "grey band where the muscle is absent. Click to go to a slice. The triangle shows where to draw next."
        )
        ui.stripFrame.layout().addWidget(self.strip)
        self.strip.clicked.connect(self._go)
        ui.absentHereButton.connect("clicked(bool)", guarded(work.mark_absent))
        ui.absentToEndButton.connect("clicked(bool)", guarded(lambda: work.mark_absent(to_the_end=True)))
        ui.clearAbsentButton.connect("clicked(bool)", guarded(work.clear_absent))
        work.current_segment = ui.segmentEditor.currentSegmentID
        work.save_state = ui.segmentEditor.saveStateForUndo
        work.changed.connect(self.update)
        self.update()

    def enter(self) -> None:
        """The module is shown."""
        self.select_editor_node()
        if slicer.util.mainWindow() is not None:  # which they are installed on
            self._ui.segmentEditor.installKeyboardShortcuts()
        self._ui.segmentEditor.setupViewObservations()

    def exit(self) -> None:
        """Another module is shown: an effect that stays active would paint on there."""
        self._ui.segmentEditor.setActiveEffect(None)
        self._ui.segmentEditor.uninstallKeyboardShortcuts()
        self._ui.segmentEditor.removeViewObservations()

    def close(self) -> None:
        """The panel goes, but a reloaded module's old widgets stay for a while: the effects of this editor would go on
        following the node that the new one uses, and draw every stroke twice."""
        self._masking.follow(None)
        self._ui.segmentEditor.setMRMLSegmentEditorNode(None)

    def scene_closes(self) -> None:
        """Let go of the nodes."""
        self._ui.segmentEditor.setSegmentationNode(None)
        self._ui.segmentEditor.removeViewObservations()

    def select_editor_node(self) -> None:
        """Find or make the editor's parameter node; it may be gone after the scene was closed."""
        node = slicer.mrmlScene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(EDITOR_TAG)
            node = slicer.mrmlScene.AddNode(node)
        self._masking.follow(node)
        if self._ui.segmentEditor.mrmlSegmentEditorNode() is not node:
            self._ui.segmentEditor.setMRMLSegmentEditorNode(node)
        self._ui.segmentEditor.updateWidgetFromMRML()  # it looks away while a scene is closed or loaded

    def update(self) -> None:
        """Bring editor, strip and buttons up to date."""
        nodes = self._work.subject.nodes() if self._work.subject else None
        self._show_in_editor(*(nodes or (None, None)))
        self.update_strip()
        for button in (self._ui.absentHereButton, self._ui.absentToEndButton, self._ui.clearAbsentButton):
            button.enabled = nodes is not None

    def update_current(self) -> None:
        """Another slice is shown."""
        current = self._work.current_slice()
        if current != self.strip.content.current:
            self._show(replace(self.strip.content, current=current))

    def update_strip(self) -> None:
        """Rows and marks from the states as they are."""
        work = self._work
        nodes = work.subject.nodes() if work.subject else None
        shown = [i for i in muscle_ids(nodes[1]) if i in work.tracker.states] if nodes else []
        states = [work.tracker.states[i] for i in shown]
        rows = [
            Row(s.color, s.drawn, s.absent, s.filled | work.proposed(i), work.confidence(i))
            for i, s in zip(shown, states, strict=True)
        ]
        names = [s.name for s in states]
        self._show(StripContent(shown, names, rows, work.slices, work.current_slice(), work.next_slice()))

    def _show(self, content: StripContent) -> None:
        self.strip.show_content(content)
        self.strip.visible = bool(content.rows)
        counts = {name: len(row.drawn) for name, row in zip(content.names, content.rows, strict=True)}
        self._ui.stripLabel.text = words.strip_text(content.current, content.slices, counts)
        self._ui.stripLabel.visible = bool(self._ui.stripLabel.text)

    def _set_up_editor(self) -> None:
        editor = self._ui.segmentEditor
        self.select_editor_node()
        editor.setMRMLScene(slicer.mrmlScene)
        editor.setEffectNameOrder(list(EFFECTS))
        editor.unorderedEffectsVisible = False
        editor.segmentationNodeSelectorVisible = False
        editor.sourceVolumeNodeSelectorVisible = False
        editor.switchToSegmentationsButtonVisible = False
        editor.maskingSectionVisible = False

    def _show_in_editor(self, volume: slicer.vtkMRMLNode | None, segmentation: slicer.vtkMRMLNode | None) -> None:
        editor = self._ui.segmentEditor
        editor.enabled = segmentation is not None
        if editor.segmentationNode() is not segmentation:
            editor.setSegmentationNode(segmentation)
        if editor.sourceVolumeNode() is not volume:
            editor.setSourceVolumeNode(volume)
        if volume is not None and volume.GetImageData() is not None:
            editor.setMaximumNumberOfUndoStates(undo_states(volume.GetImageData().GetNumberOfPoints()))

    def _go(self, segment_id: str, slice_index: int) -> None:
        self._ui.segmentEditor.setCurrentSegmentID(segment_id)  # first, for it may go to the segment's middle
        self._work.go_to(slice_index)

    def _tell(self, row: int, slice_index: int) -> str:
        segment_id = self.strip.content.ids[row]
        states = self._work.tracker.states.get(segment_id)
        if states is None:
            return ""
        confidence = self._work.confidence(segment_id)
        trust = confidence[slice_index] if confidence else None
        filled = slice_index in states.filled | self._work.proposed(segment_id)
        return words.state_text(states.name, slice_index, states.state(slice_index), filled, trust)


def undo_states(voxels: int) -> int:
    """How many steps can be undone without filling the memory, in a volume of so many voxels."""
    return min(MOST_UNDO_STATES, max(FEWEST_UNDO_STATES, UNDO_BYTES // max(1, voxels)))
