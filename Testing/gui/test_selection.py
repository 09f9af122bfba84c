"""What the selectors show is what is worked on, whatever is wrong with it."""

import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed")


@pytest.mark.parametrize("axis", ["AUTOMATIC", "K"])
def test_bent_segmentation_that_names_no_volume_is_the_one_that_is_refused(drawn, axis):
    from slicer_scene import add_segmentation, bend, disc, paint

    from MusclePropLib.gui.parameters import Axis

    bent = add_segmentation(drawn.volume, ["GM"])
    paint(bent, "GM", drawn.volume, {3: disc((60, 80), (20, 22), 8)})
    bent.SetNodeReferenceID(bent.GetReferenceImageGeometryReferenceRole(), None)
    bend(bent)
    drawn.parameters.axis = Axis[axis]
    drawn.settle()
    drawn.ui.segmentationSelector.setCurrentNode(bent)
    drawn.settle()
    assert "non-linear transform 'bend'" in drawn.ui.problemLabel.text
    assert drawn.work.subject.segmentation_id == bent.GetID()
    assert drawn.ui.segmentEditor.segmentationNode() is bent and not drawn.ui.propagateButton.enabled


def test_unforeseen_fault_leaves_nothing_to_work_on(drawn, monkeypatch):
    """The segmentation that was chosen before must not be propagated in place of the one that is shown."""
    from harness import wrapping
    from slicer_scene import add_segmentation

    from MusclePropLib.gui import work

    def fail(*_):
        raise ZeroDivisionError

    other = add_segmentation(drawn.volume, ["GM"])
    with monkeypatch.context() as patch:
        patch.setattr(work, "check_segmentation", fail)
        drawn.ui.segmentationSelector.setCurrentNode(other)
        drawn.settle()
    assert wrapping.slot_errors and drawn.work.subject is None and not drawn.ui.propagateButton.enabled
    wrapping.slot_errors.clear()
    drawn.work.refresh()
    assert drawn.work.subject.segmentation_id == other.GetID()


def test_names_that_are_not_utf8(drawn, tmp_path):
    """As Latin-1 is, in files of old programs."""
    storage = drawn.segmentation.CreateDefaultStorageNode()
    drawn.segmentation.GetSegmentation().GetSegment(drawn.id_of("GL")).SetName("Kxpfchen")
    path = tmp_path / "old.seg.nrrd"
    storage.SetFileName(str(path))
    assert storage.WriteData(drawn.segmentation)
    path.write_bytes(path.read_bytes().replace(b"Kxpfchen", b"K\xf6pfchen"))
    old = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(old)
    old.CreateDefaultDisplayNodes()
    old.SetName(b"m\xfcde")
    drawn.volume.SetName(b"M\xfcller")
    drawn.ui.segmentationSelector.setCurrentNode(old)
    drawn.settle()
    assert drawn.work.subject.segmentation_id == old.GetID() and drawn.ui.propagateButton.enabled
    drawn.click("propagateButton")
    drawn.until_done()
    assert drawn.session.summary is not None and drawn.session.failure is None
    drawn.click("acceptButton")
    drawn.click("measureButton")
    drawn.until(lambda: not drawn.panel.measure.busy, "the figures")
    assert "K\ufffdpfchen: " in drawn.ui.measureLabel.text


def test_one_undo_takes_created_segments_back_and_no_stroke(drive):
    from slicer_scene import add_segmentation, disc

    driver = drive()
    node = add_segmentation(driver.volume, ["Tibialis"])
    driver.parameters.segmentation = node
    driver.settle()
    for index in (4, 9):
        driver.editor().stroke("Tibialis", index, disc((60, 80), (20, 22), 8))
        driver.settle()
    driver.click("createSegmentsButton")
    assert len(node.GetSegmentation().GetSegmentIDs()) == 4
    driver.ui.segmentEditor.undo()
    driver.settle()
    assert node.GetSegmentation().GetSegmentIDs() == ("Tibialis",) and driver.drawn("Tibialis") == [4, 9]
    driver.ui.segmentEditor.redo()
    driver.settle()
    driver.click("createSegmentsButton")
    driver.ui.segmentEditor.undo()
    driver.settle()
    driver.settle()
    assert node.GetSegmentation().GetSegmentIDs() == ("Tibialis",), "what made nothing was no step"


def test_cropped_volume_is_refused_and_the_whole_keeps_its_marks(drawn):
    import numpy as np
    from driver import STRAIGHT
    from slicer_scene import add_volume

    drawn.ui.segmentEditor.setCurrentSegmentID(drawn.id_of("GM"))
    drawn.work.go_to(18)
    drawn.click("absentHereButton")
    whole, shift = drawn.volume, np.eye(4)
    shift[2, 3] = 3
    drawn.ui.volumeSelector.setCurrentNode(add_volume((16, 60, 80), STRAIGHT @ shift, "calf cropped"))
    drawn.settle()
    assert "choose the volume that it was drawn on, 'calf'" in drawn.ui.problemLabel.text
    assert not drawn.ui.propagateButton.enabled
    drawn.ui.volumeSelector.setCurrentNode(whole)
    drawn.settle()
    assert sorted(drawn.work.tracker.states[drawn.id_of("GM")].absent) == [18] and drawn.drawn("GM") == [4, 15]


def test_nothing_is_created_on_a_warped_volume(drive, said):
    from slicer_scene import bend

    driver = drive()
    bend(driver.volume)
    driver.settle()
    driver.click("createSegmentsButton")
    assert len(said) == 1 and "non-linear transform 'bend'" in said[0]
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
