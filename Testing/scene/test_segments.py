"""Default segments, and volumes that cannot be worked on."""

import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.defaults import DEFAULT_MUSCLES  # noqa: E402
from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.scene.segments import (  # noqa: E402
    check_segmentation,
    check_source_volume,
    create_default_segments,
    place_beside,
    use_grid_of,
    visible_ids,
)


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


@pytest.fixture
def study(volume):
    """The volume's item stands in a patient's study, as after loading DICOM."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    study = hierarchy.CreateStudyItem(patient, "study")
    hierarchy.CreateItem(study, volume)
    return study


def from_file(volume, tmp_path):
    """A painted segmentation that was saved and loaded: files name no volume."""
    painted = add_segmentation(volume, ["GM", "SOL"])
    paint(painted, "GM", volume, {3: disc()})
    loaded = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "loaded")
    for node, method in ((painted, "WriteData"), (loaded, "ReadData")):
        storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(tmp_path / "drawn.seg.nrrd"))
        assert getattr(storage, method)(node)
    slicer.mrmlScene.RemoveNode(painted)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    hierarchy.CreateItem(hierarchy.GetSceneItemID(), loaded)
    return loaded


def belongs(node):
    """The volume that the segmentation names, and the item that it stands under."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    role = node.GetReferenceImageGeometryReferenceRole()
    return node.GetNodeReference(role), hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))


def test_segmentation_from_a_file_is_told_its_volume_and_study(volume, study, tmp_path):
    """Slicer refuses to export a DICOM segmentation that names no volume."""
    node = from_file(volume, tmp_path)
    before = slicer.util.arrayFromSegmentBinaryLabelmap(node, "GM", volume)
    use_grid_of(volume, node)
    assert belongs(node) == (volume, study)
    assert (slicer.util.arrayFromSegmentBinaryLabelmap(node, "GM", volume) == before).all()


def test_segmentation_on_another_grid_or_in_a_place_of_its_own_is_left_there(volume, study, tmp_path):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    node = from_file(volume, tmp_path)
    use_grid_of(add_volume(ijk_to_ras=[[0.7, 0, 0, 1], [0, 0.7, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1]], name="other"), node)
    assert belongs(node) == (None, hierarchy.GetSceneItemID())
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "mine")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), folder)
    use_grid_of(volume, node)
    assert belongs(node) == (volume, folder)


def test_new_segmentation_has_a_display_that_can_be_followed(volume):
    """One that a node selector has made gets it from the Segment Editor only later, and hiding went unnoticed."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "new")
    use_grid_of(volume, node)
    assert node.GetDisplayNode() is not None


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


def browsed(node):
    """The sequence browser 'sweep' and its sequence of three copies of the node."""
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "items")
    for index in range(3):
        sequence.SetDataNodeAtValue(node, str(index))
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "sweep")
    browser.AddSynchronizedSequenceNode(sequence)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    return browser, sequence


@pytest.mark.parametrize(("slices", "advice"), [(1, "reconstruct them to a volume first"), (14, "choose Clone")])
def test_volume_that_a_sequence_browser_changes_is_refused(scene, slices, advice):
    frame = add_volume((slices, 30, 40))
    browser, sequence = browsed(frame)
    with pytest.raises(InputError, match=advice):
        check_source_volume(browser.GetProxyNode(sequence))


def test_segmentation_that_a_sequence_browser_changes_is_refused(volume):
    recorded = add_segmentation(volume, ["GM"])
    check_segmentation(recorded)
    browser, sequence = browsed(recorded)
    for keeps_changes in (False, True):  # with the next item, the node holds another drawing in either case
        browser.SetSaveChanges(sequence, keeps_changes)
        with pytest.raises(InputError, match="'sweep'; in the Data module, right-click it, choose Clone"):
            check_segmentation(browser.GetProxyNode(sequence))


def test_visible_segments(volume):
    node = add_segmentation(volume, ["GM", "SOL"])
    node.GetDisplayNode().SetSegmentVisibility("GM", False)
    assert visible_ids(node) == ["SOL"]


def test_surface_stays_where_it_is(volume):
    """One has no label map, and was taken for an empty segmentation."""
    import vtk

    ball = vtk.vtkSphereSource()
    ball.Update()
    implant = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "implant")
    implant.GetSegmentation().SetSourceRepresentationName("Closed surface")
    implant.AddSegmentFromClosedSurfaceRepresentation(ball.GetOutput(), "implant", [1, 0, 0])
    registration = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "registration")
    implant.SetAndObserveTransformNodeID(registration.GetID())
    use_grid_of(volume, implant)
    assert implant.GetTransformNodeID() == registration.GetID()
    assert implant.GetNodeReference(implant.GetReferenceImageGeometryReferenceRole()) is None
