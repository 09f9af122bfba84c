"""The way through the panel with real clicks, over the real scene, with a real worker process and a quick engine."""

import numpy as np
import pytest

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.tables import millilitres


def enabled(driver, *names):
    return [getattr(driver.ui, name).enabled for name in names]


def test_begins_with_what_the_scene_has_and_says_what_is_missing(drive):
    driver = drive()
    assert driver.parameters.volume is driver.volume
    assert driver.ui.propagateButton.enabled is False
    assert driver.ui.propagateButton.toolTip == "Choose a volume and a segmentation"
    driver.click("createSegmentsButton")
    driver.settle()
    assert "Outline a muscle" in driver.ui.propagateButton.toolTip
    assert driver.segmentation.GetName() == "calf muscles"
    assert driver.ui.segmentEditor.segmentationNode() is driver.segmentation
    driver.draw({"GM": (4,)})
    assert driver.ui.propagateButton.enabled
    assert driver.ui.propagateButton.toolTip.endswith("(Shift+P)")


def test_only_what_there_is_a_use_for_is_shown(drive):
    driver = drive()
    for name in ("setupFrame", "problemLabel", "stopButton", "progressBar", "progressLabel", "resultFrame"):
        assert not driver.shown(name), name


def test_propagate_preview_accept_undo(drawn):
    import slicer

    before = {name: drawn.array(name) for name in ("GM", "GL", "SOL")}
    drawn.click("propagateButton")
    assert drawn.ui.propagateButton.text == "Cancel"
    assert drawn.shown("stopButton") and drawn.shown("progressBar")
    drawn.until(lambda: drawn.session.preview_node_id, "the first preview")
    preview = slicer.mrmlScene.GetNodeByID(drawn.session.preview_node_id)
    assert preview.GetSegmentation().GetNumberOfSegments() == 3
    drawn.until_done()
    assert "ml</b><br>about 0.80 Dice on your own slices; Fill between slices" in drawn.ui.resultLabel.text
    assert enabled(drawn, "acceptButton", "discardButton", "nextSliceButton") == [True, True, True]
    drawn.click("acceptButton")
    assert drawn.session.preview_node_id is None
    for name, mask in before.items():
        np.testing.assert_array_equal(drawn.array(name)[mask.any(axis=(1, 2))], mask[mask.any(axis=(1, 2))])
    assert drawn.drawn("GM") == [4, 15], "accepted slices are not the expert's"
    drawn.ui.segmentEditor.undo()
    for name, mask in before.items():
        np.testing.assert_array_equal(drawn.array(name), mask)


def test_what_the_worker_warns_of_stands_with_the_result(drawn):
    drawn.click("propagateButton")
    drawn.until_done()
    drawn.session.summary["warnings"] = ["Calf is drawn over G<M."]
    drawn.session.changed.emit()
    assert drawn.ui.resultLabel.text.endswith("<i>Calf is drawn over G&lt;M.</i></p>")


def test_discard_leaves_nothing(drawn):
    import slicer

    before, nodes = drawn.array("GM"), slicer.mrmlScene.GetNumberOfNodes()
    drawn.click("propagateButton")
    drawn.until_done()
    folder = drawn.session.job.job.folder
    drawn.click("discardButton")
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    np.testing.assert_array_equal(drawn.array("GM"), before)
    assert not folder.exists()
    assert enabled(drawn, "acceptButton", "discardButton") == [False, False]
    assert not drawn.ui.resultFrame.visible, "there is no such result any more"


def test_propagating_again_gives_up_the_result_that_was_not_accepted(drawn):
    import slicer

    drawn.click("propagateButton")
    drawn.until_done()
    folder = drawn.session.job.job.folder
    drawn.click("propagateButton")
    drawn.until_done()
    previews = [n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if n.GetHideFromEditors()]
    assert [preview.GetID() for preview in previews] == [drawn.session.preview_node_id]
    drawn.until(lambda: not folder.exists(), "the first job's files go")


def test_strip_shows_a_result_only_where_there_is_one(drawn):
    """Until it is discarded, or accepted: that one filled no slice that was not drawn."""

    def told():
        drawn.settle()
        strip = drawn.panel.annotate.strip.content
        row = strip.names.index("GM")
        return drawn.panel.annotate._tell(row, 8), 8 in strip.rows[row].filled

    drawn.click("propagateButton")
    drawn.until_done()
    assert told() == ("GM, slice 8: propagated, expected Dice 0.90", True)
    gm = drawn.session.job.segment_ids.index(drawn.id_of("GM"))
    drawn.session.summary["confidence"][gm] = [None] * 20
    assert told() == ("GM, slice 8: propagated", True), "with one drawn slice nothing can tell"
    drawn.session.summary["found"][gm].remove(8)
    drawn.session.changed.emit()
    assert told() == ("GM, slice 8: unknown", False), "the result does not have GM there"
    drawn.click("discardButton")
    assert told() == ("GM, slice 8: unknown", False)
    drawn.click("propagateButton")
    drawn.until_done()
    drawn.click("acceptButton")
    assert told() == ("GM, slice 8: unknown", False)


def test_every_row_of_the_strip_shows_how_far_its_own_muscle_is_trusted(drawn):
    def told():
        drawn.settle()
        annotate, content = drawn.panel.annotate, drawn.panel.annotate.strip.content
        cells = (annotate._tell(n, 8).removeprefix(f"{name}, slice 8: ") for n, name in enumerate(content.names))
        return [(row.confidence[8], cell) for row, cell in zip(content.rows, cells, strict=True)]

    drawn.click("propagateButton")
    drawn.until_done()
    gm, gl, sol = ((trust, f"propagated, expected Dice {trust:.2f}") for trust in (0.9, 0.8, 0.7))
    assert told() == [gm, gl, sol]
    drawn.segmentation.GetDisplayNode().SetSegmentVisibility(drawn.id_of("GL"), False)
    drawn.work.refresh()
    assert told() == [gm, sol]


def test_next_slice_goes_there(drawn):
    drawn.click("propagateButton")
    drawn.until_done()
    assert drawn.ui.nextSliceButton.text == "Next slice to draw: 3"
    drawn.click("nextSliceButton")
    assert drawn.work.current_slice() == 3
    assert drawn.panel.annotate.strip.content.current == 3
    assert drawn.panel.annotate.strip.content.suggested == 3


def test_marks_for_absent_muscles(drawn):
    drawn.ui.segmentEditor.setCurrentSegmentID(drawn.id_of("GM"))
    drawn.work.go_to(17)
    drawn.click("absentToEndButton")
    assert sorted(drawn.work.tracker.states[drawn.id_of("GM")].absent) == [17, 18, 19]
    drawn.work.go_to(18)
    drawn.click("clearAbsentButton")
    assert not drawn.work.tracker.states[drawn.id_of("GM")].absent


def test_every_mark_is_one_step_of_undo(drawn):
    """No stroke goes with it, and none takes a second step."""

    def known():
        drawn.settle()
        return sorted(drawn.work.tracker.states[drawn.id_of("GM")].absent), *map(drawn.drawn, ("GM", "SOL", "GL"))

    strokes = [4, 15], [4, 15], [9]
    drawn.ui.segmentEditor.setCurrentSegmentID(drawn.id_of("GM"))
    drawn.work.go_to(17)
    for button in ("absentHereButton", "clearAbsentButton", "absentToEndButton"):
        drawn.click(button)
    for absent in ([17, 18, 19], [], [17], []):
        assert known() == (absent, *strokes)
        drawn.ui.segmentEditor.undo()
    assert known() == ([], [4, 15], [4, 15], []), "the last stroke, on GL"
    drawn.ui.segmentEditor.redo()
    drawn.ui.segmentEditor.redo()
    assert known() == ([17], *strokes)


@pytest.mark.parametrize(("slice_index", "sentence"), [(9, "drawn on both sides"), (4, "drawn on both sides")])
def test_absent_where_it_cannot_be_is_refused_with_a_sentence(drawn, slice_index, sentence):
    drawn.ui.segmentEditor.setCurrentSegmentID(drawn.id_of("GM"))
    drawn.work.go_to(slice_index)
    with pytest.raises(InputError, match=sentence):
        drawn.work.mark_absent(to_the_end=True)


def test_click_in_the_strip_goes_to_slice_and_muscle(drawn):
    strip = drawn.panel.annotate.strip
    row = strip.content.names.index("SOL")
    strip.clicked.emit(strip.content.ids[row], 11)
    assert drawn.work.current_slice() == 11
    assert drawn.ui.segmentEditor.currentSegmentID() == drawn.id_of("SOL")
    assert drawn.ui.stripLabel.text.startswith("Slice 11 of 19; drawn slices: GM 2, GL 1, SOL 2")


def test_hidden_segments_have_no_row_and_are_not_propagated(drawn):
    drawn.segmentation.GetDisplayNode().SetSegmentVisibility(drawn.id_of("GL"), False)
    drawn.work.refresh()
    assert drawn.panel.annotate.strip.content.names == ["GM", "SOL"]
    drawn.click("propagateButton")
    drawn.until_done()
    assert [m["name"] for m in drawn.session.summary["muscles"]] == ["GM", "SOL"]


def test_volume_that_cannot_be_worked_on_says_why(drawn):
    import slicer

    bend = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    drawn.volume.SetAndObserveTransformNodeID(bend.GetID())
    drawn.settle()
    assert "non-linear transform 'warp'" in drawn.ui.problemLabel.text
    assert drawn.shown("problemLabel") and not drawn.ui.propagateButton.enabled
    assert drawn.ui.propagateButton.toolTip == drawn.ui.problemLabel.text
    drawn.volume.SetAndObserveTransformNodeID(None)
    drawn.settle()
    assert not drawn.shown("problemLabel") and drawn.ui.propagateButton.enabled


def test_colour_volume_can_be_chosen_and_says_why_not(drawn):
    """Ultrasound often comes in colour; a list without it would leave the expert guessing."""
    import slicer

    colour = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colour")
    slicer.util.updateVolumeFromArray(colour, np.zeros((20, 60, 80, 3), np.uint8))
    drawn.ui.volumeSelector.setCurrentNode(colour)
    drawn.settle()
    assert "Vector to Scalar Volume" in drawn.ui.problemLabel.text
    assert not drawn.ui.propagateButton.enabled


def test_measures_what_the_segments_hold(drawn):
    import slicer

    drawn.click("measureButton")
    voxel_ml = 0.5 * 0.5 * 1.4 / 1000
    told = drawn.ui.measureLabel.text.split("; ")
    for name, text in zip(("GM", "GL", "SOL"), told, strict=True):
        filled = np.flatnonzero(drawn.array(name).any(axis=(1, 2)))
        empty = int(np.ptp(filled)) + 1 - len(filled)
        assert text.startswith(f"{name}: {millilitres(drawn.array(name).sum() * voxel_ml)} ml")
        assert text.endswith(f"without {empty} empty slices in between" if empty else "ml"), "no whole muscle's volume"
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotChartNode") == 1
    drawn.work.go_to(5)
    line = slicer.mrmlScene.GetFirstNodeByName("current position").GetTable().GetColumnByName("position_mm")
    assert line.GetValue(0) == pytest.approx(5 * 1.4)


def test_measured_volumes_go_when_the_segments_change(drawn):
    drawn.click("measureButton")
    assert drawn.shown("measureLabel")
    drawn.draw({"GM": (7,)}, radius=3)
    drawn.settle()
    assert not drawn.shown("measureLabel"), "old volumes beside new segments"


def test_settings_reach_the_worker(drawn, tmp_path):
    from MusclePropLib.gui.parameters import Axis, Device, Method, Weights

    drawn.ui.timeLimitSlider.setValue(42)
    drawn.ui.deviceComboBox.setCurrentIndex(1)
    drawn.ui.methodComboBox.setCurrentIndex(2)
    drawn.ui.axisComboBox.setCurrentIndex(1)
    drawn.settle()
    assert (drawn.parameters.device, drawn.parameters.method) == (Device.CPU, Method.INTERPOLATION)
    assert drawn.parameters.axis is Axis.K and drawn.parameters.fixed_axis == 0
    assert not drawn.shown("weightsFileEdit")
    assert drawn.parameters.settings() == {
        "device": "cpu",
        "time_limit": 42.0,
        "weights": "bundled",
        "method": "interpolation",
    }
    drawn.parameters.weights = Weights.FILE
    drawn.settle()
    assert drawn.shown("weightsFileEdit")
    with pytest.raises(InputError, match="no such file of weights"):
        drawn.work.propagate()
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"")
    drawn.ui.weightsFileEdit.currentPath = str(weights)
    assert drawn.parameters.settings()["weights"] == str(weights)


def test_shortcuts_live_while_the_module_is_shown(app, drive):
    from harness import application
    from PySide6 import QtGui

    window = application.add_main_window()
    driver = drive()
    keys = {s.key().toString() for s in window.findChildren(QtGui.QShortcut)}
    assert keys == {"Shift+P", "Shift+N", "Shift+A"}
    assert not any(s.autoRepeat() for s in window.findChildren(QtGui.QShortcut)), "Propagate, Cancel, Propagate, ..."
    assert driver.ui.segmentEditor._real.shortcuts_installed
    driver.panel.exit()
    assert not [s for s in window.findChildren(QtGui.QShortcut) if s.isEnabled()]
    assert not driver.ui.segmentEditor._real.shortcuts_installed
    driver.panel.enter()
    assert len([s for s in window.findChildren(QtGui.QShortcut) if s.isEnabled()]) == 3


def test_missing_packages_are_named_and_nothing_can_start(app, tmp_path):
    import sys

    from driver import STAND_IN, Driver

    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# none\nno-such-package-of-muscles>=2\n", encoding="utf-8")
    driver = Driver(requirements, [sys.executable, str(STAND_IN)])
    assert driver.shown("setupFrame")
    assert "no-such-package-of-muscles" in driver.ui.setupLabel.text
    assert "Install the missing packages" in driver.ui.propagateButton.toolTip
    driver.close()


def test_a_closed_panel_lets_go_of_the_editor_node(drawn):
    """After a reload the old widgets live on for a while; a stroke must not be drawn by their effects as well."""
    driver = drawn
    node = driver.ui.segmentEditor.mrmlSegmentEditorNode()
    driver.ui.segmentEditor.setActiveEffectByName("Paint")
    driver.panel.close()
    assert driver.ui.segmentEditor.mrmlSegmentEditorNode() is None
    assert not node.GetActiveEffectName(), "the new widgets would begin to paint at once"


def test_undo_does_not_fill_the_memory_with_a_large_volume(drawn, monkeypatch):
    """Slicer's undo keeps a copy of every segment as it was: twenty of the full grid's would not fit."""
    from MusclePropLib.gui import annotate

    assert drawn.ui.segmentEditor.maximumNumberOfUndoStates == 20
    assert annotate.undo_states(140 * 300 * 400) == 20
    assert annotate.undo_states(1372 * 632 * 2270) == 5
    monkeypatch.setattr(annotate, "UNDO_BYTES", 12 * 20 * 60 * 80)
    drawn.work.refresh()
    assert drawn.ui.segmentEditor.maximumNumberOfUndoStates == 12


def test_strokes_leave_hidden_segments_alone(drive):
    """Whatever happens to the editor's node: closing the scene sets it back, a key switches its mask on."""
    import slicer

    driver = drive()
    node = driver.ui.segmentEditor.mrmlSegmentEditorNode()
    assert node.GetOverwriteMode() == node.OverwriteVisibleSegments
    slicer.mrmlScene.Clear(0)
    driver.panel.enter()
    node = driver.ui.segmentEditor.mrmlSegmentEditorNode()
    assert node.GetOverwriteMode() == node.OverwriteVisibleSegments
    node.SetSourceVolumeIntensityMask(True)
    assert not node.GetSourceVolumeIntensityMask()
