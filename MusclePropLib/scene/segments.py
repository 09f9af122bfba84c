"""The segments of a segmentation node: which take part, which are only respected, and the default muscles."""

from __future__ import annotations

import slicer

from MusclePropLib.core import annotations
from MusclePropLib.core.defaults import DEFAULT_MUSCLES
from MusclePropLib.core.errors import InputError
from MusclePropLib.scene.geometry import image_geometry, lattice_in, volume_geometry
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.states import get_tag

SURFACE = "Closed surface"  # vtkSegmentationConverter's name of the representation


def segment_ids(segmentation_node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """IDs of all segments in the order of the segment list."""
    return list(segmentation_node.GetSegmentation().GetSegmentIDs())


def is_not_muscle(segment: slicer.vtkSegment) -> bool:
    """Whether the segment says where no muscle is."""
    tags = {annotations.NOT_MUSCLE_TAG: get_tag(segment, annotations.NOT_MUSCLE_TAG) or ""}
    return annotations.is_not_muscle(name_of(segment), tags)


def is_completed(segment: slicer.vtkSegment) -> bool:
    """Whether the expert has marked the segment as completed, which is as near as Slicer comes to a lock."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    return logic.GetSegmentStatus(segment) == logic.Completed


def visible_ids(segmentation_node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """IDs of the segments that are switched on in the segment list."""
    display = segmentation_node.GetDisplayNode()
    ids = segment_ids(segmentation_node)
    return ids if display is None else [i for i in ids if display.GetSegmentVisibility(i)]


def muscle_ids(segmentation_node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """Segments to propagate: visible, not completed, and not the one that says where no muscle is."""
    return [i for i in visible_ids(segmentation_node) if not _is_protected(segmentation_node, i)]


def protected_ids(segmentation_node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """Visible segments whose voxels belong to no muscle under work: completed ones, and "Not muscle"."""
    return [i for i in visible_ids(segmentation_node) if _is_protected(segmentation_node, i)]


def moment(segmentation_node: slicer.vtkMRMLSegmentationNode) -> list[tuple]:
    """Equals an earlier value as long as no segment was added, removed, shown, hidden, drawn on or tagged anew.

    VTK gives every change of any object a time of its own.
    """
    segmentation, visible = segmentation_node.GetSegmentation(), set(visible_ids(segmentation_node))
    images = ((i, segmentation_node.GetBinaryLabelmapInternalRepresentation(i)) for i in segment_ids(segmentation_node))
    return [(i, i in visible, segmentation.GetSegment(i).GetMTime(), image and image.GetMTime()) for i, image in images]


def create_default_segments(
    volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode | None = None
) -> slicer.vtkMRMLSegmentationNode:
    """Add those of GM, GL and SOL that are missing, on the volume's grid; makes the segmentation node if none is given.

    The segmentation stands under the volume's transform and beside it in the subject hierarchy.
    """
    if segmentation_node is None:
        segmentation_node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSegmentationNode", f"{name_of(volume_node)} muscles"
        )
        segmentation_node.CreateDefaultDisplayNodes()
    use_grid_of(volume_node, segmentation_node)
    segmentation = segmentation_node.GetSegmentation()
    names = {name_of(segmentation.GetSegment(i)).casefold() for i in segment_ids(segmentation_node)}
    for muscle in DEFAULT_MUSCLES:
        if muscle.name.casefold() not in names and muscle.title.casefold() not in names:
            segment_id = segmentation.AddEmptySegment(muscle.name, muscle.name, muscle.color)
            segmentation.GetSegment(segment_id).SetTag(
                slicer.vtkSegment.GetTerminologyEntryTagName(), muscle.terminology
            )
    return segmentation_node


def use_grid_of(volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode) -> None:
    """Let a segmentation belong to the volume, which nothing that the expert drew is changed for.

    An empty one takes over the volume's grid, transform and place in the subject hierarchy. One with voxels, all on
    the volume's, that names no volume, as when it comes from a file, is told its name and place: DICOM export asks.
    """
    role = segmentation_node.GetReferenceImageGeometryReferenceRole()
    filled = [i for i in segment_ids(segmentation_node) if _has_voxels(segmentation_node, i)]
    if not filled:
        segmentation_node.CreateDefaultDisplayNodes()  # whoever follows it wants to know what is shown and hidden
        segmentation_node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        segmentation_node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        place_beside(volume_node, segmentation_node)
    elif segmentation_node.GetNodeReference(role) is None and _lie_on_grid(volume_node, segmentation_node, filled):
        segmentation_node.SetNodeReferenceID(role, volume_node.GetID())
        if _stands_nowhere(segmentation_node):
            place_beside(volume_node, segmentation_node)


def place_beside(volume_node: slicer.vtkMRMLNode, node: slicer.vtkMRMLNode) -> None:
    """Put the node into the volume's study or folder, which DICOM export asks for."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    volume_item, item = hierarchy.GetItemByDataNode(volume_node), hierarchy.GetItemByDataNode(node)
    invalid = slicer.vtkMRMLSubjectHierarchyNode.GetInvalidItemID()
    if invalid not in (volume_item, item):
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(volume_item))


def check_source_volume(volume_node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """InputError unless the volume is one fixed grey volume of several slices."""
    name, browser = name_of(volume_node), _browser_of(volume_node)
    dimensions = volume_node.GetImageData().GetDimensions() if volume_node.GetImageData() else (0, 0, 0)
    if browser is not None and min(dimensions) <= 1:
        raise InputError(
            f"'{name}' shows single images of the sequence '{name_of(browser)}'; reconstruct them to a volume first "
            "(module Volume Reconstruction of the SlicerIGSIO extension) and choose that volume"
        )
    if browser is not None:
        raise InputError(
            f"'{name}' changes with the sequence browser '{name_of(browser)}'; in the Data module, right-click it, "
            "choose Clone, and work on the copy"
        )
    if min(dimensions) <= 1:
        raise InputError(f"volume '{name}' has a single slice; a volume of many slices is needed")
    if volume_node.GetImageData().GetNumberOfScalarComponents() != 1:
        raise InputError(
            f"volume '{name}' is in colour; convert it with the module Vector to Scalar Volume and choose the result"
        )


def check_segmentation(segmentation_node: slicer.vtkMRMLSegmentationNode) -> None:
    """InputError if what is written into the segmentation would be lost with the next item of a sequence."""
    name, browser = name_of(segmentation_node), _browser_of(segmentation_node)
    if browser is not None and not browser.GetSaveChanges(browser.GetSequenceNode(segmentation_node)):
        raise InputError(
            f"'{name}' changes with the sequence browser '{name_of(browser)}', which does not keep what is drawn; in "
            "the Data module, right-click it, choose Clone, and work on the copy"
        )


def _browser_of(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLSequenceBrowserNode | None:
    """The sequence browser that shows its items in the node."""
    sequences = getattr(slicer.modules, "sequences", None)
    return sequences.logic().GetFirstBrowserNodeForProxyNode(node) if sequences else None


def _is_protected(segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str) -> bool:
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    return is_completed(segment) or is_not_muscle(segment)


def _has_voxels(segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str) -> bool:
    image = segmentation_node.GetBinaryLabelmapInternalRepresentation(segment_id)
    return image is not None and not image.IsEmpty()


def _lie_on_grid(
    volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode, ids: list[str]
) -> bool:
    grid = volume_geometry(volume_node)
    images = (segmentation_node.GetBinaryLabelmapInternalRepresentation(i) for i in ids)
    return all(lattice_in(image_geometry(image, segmentation_node), grid) is not None for image in images)


def _stands_nowhere(node: slicer.vtkMRMLNode) -> bool:
    """Whether nobody has put the node anywhere in the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == hierarchy.GetSceneItemID()
