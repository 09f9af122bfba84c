"""Default segments, and volumes that cannot be worked on."""

import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.defaults import DEFAULT_MUSCLES  # noqa: E402
from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.scene.segments import check_source_volume, create_default_segments, place_beside, visible_ids  # noqa: E402


def names(node):
    segmentation = node.GetSegmentation()
    return [segmentation.GetSegment(i).GetName() for i in segmentation.GetSegmentIDs()]


def test_default_muscles_on_the_volumes_grid(volume):
    node = create_default_segments(volume)
    assert names(node) == ["GM", "GL", "SOL"]
    reference = node.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(reference) is volume
    for muscle, segment_id in zip(DEFAULT_MUSCLES, node.GetSegmentation().GetSegmentIDs(), strict=True):
        segment = node.GetSegmentation().GetSegment(segment_id)
        assert segment.GetColor() == pytest.approx(muscle.color)
        assert segment.GetTerminology() == muscle.terminology


def test_terminology_has_the_parts_that_slicer_expects(volume):
    """Seven fields, the codes among them of scheme, value and meaning; the codes themselves are core's to test."""
    node = create_default_segments(volume)
    for segment_id in node.GetSegmentation().GetSegmentIDs():
        fields = node.GetSegmentation().GetSegment(segment_id).GetTerminology().split("~")
        assert len(fields) == 7
        assert all(len(code.split("^")) == 3 for code in fields[1:4])


def test_only_missing_segments_are_added(volume):
    node = add_segmentation(volume, ["Soleus", "gm"])
    create_default_segments(volume, node)
    assert names(node) == ["Soleus", "gm", "GL"]


def test_painted_segmentation_is_not_moved(volume):
    node = add_segmentation(volume, ["GM"])
    paint(node, "GM", volume, {3: disc()})
    other = add_volume(name="other")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    other.SetAndObserveTransformNodeID(transform.GetID())
    create_default_segments(other, node)
    assert node.GetParentTransformNode() is None
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is volume


def test_stands_beside_the_volume_in_the_subject_hierarchy(volume):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    study = hierarchy.CreateStudyItem(patient, "study")
    node = add_segmentation(volume, ["GM"])
    place_beside(volume, node)  # before there are items: nothing happens
    hierarchy.CreateItem(study, volume)
    hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    place_beside(volume, node)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_ordinary_volume_is_accepted(volume):
    check_source_volume(volume)


def test_single_slice_and_colour_are_refused(scene):
    with pytest.raises(InputError, match="single slice"):
        check_source_volume(add_volume((1, 30, 40)))
    colour = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colour")
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(4, 5, 6)
    image.AllocateScalars(3, 3)
    colour.SetAndObserveImageData(image)
    with pytest.raises(InputError, match="'colour' is in colour"):
        check_source_volume(colour)


@pytest.mark.parametrize(("slices", "advice"), [(1, "reconstruct them to a volume first"), (14, "choose Clone")])
def test_volume_that_a_sequence_browser_changes_is_refused(scene, slices, advice):
    frame = add_volume((slices, 30, 40))
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "frames")
    for index in range(3):
        sequence.SetDataNodeAtValue(frame, str(index))
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "sweep")
    browser.AddSynchronizedSequenceNode(sequence)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    with pytest.raises(InputError, match=advice):
        check_source_volume(browser.GetProxyNode(sequence))


def test_visible_segments(volume):
    node = add_segmentation(volume, ["GM", "SOL"])
    node.GetDisplayNode().SetSegmentVisibility("GM", False)
    assert visible_ids(node) == ["SOL"]
