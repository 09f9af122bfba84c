"""The segments of a segmentation node: which take part, which are only respected, and the default muscles."""

from __future__ import annotations

from collections.abc import Callable

import slicer
import vtk

from MusclePropLib.core import annotations
from MusclePropLib.core.defaults import DEFAULT_MUSCLES
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.scene.geometry import image_geometry, lattice_in, lies_within, same_grid, volume_geometry
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.states import binding_axis, counted_on, get_tag
from MusclePropLib.scene.voxels import LABELMAP


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
    volume_node: slicer.vtkMRMLScalarVolumeNode,
    segmentation_node: slicer.vtkMRMLSegmentationNode | None = None,
    save_state: Callable[[], object] = lambda: None,
) -> slicer.vtkMRMLSegmentationNode:
    """Add those of GM, GL and SOL that are missing, on the volume's grid; makes the segmentation node if none is given.

    The segmentation stands under the volume's transform and beside it in the subject hierarchy. `save_state` is called
    once before a given one gets a segment, so that one undo takes these back and no more. InputError if the volume is
    warped; then nothing is made.
    """
    volume_geometry(volume_node)
    given = segmentation_node is not None
    if segmentation_node is None:
        segmentation_node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSegmentationNode", f"{name_of(volume_node)} muscles"
        )
        segmentation_node.CreateDefaultDisplayNodes()
    use_grid_of(volume_node, segmentation_node)
    segmentation = segmentation_node.GetSegmentation()
    names = {name_of(segmentation.GetSegment(i)).casefold() for i in segment_ids(segmentation_node)}
    missing = [m for m in DEFAULT_MUSCLES if names.isdisjoint((m.name.casefold(), m.title.casefold()))]
    if given and missing:
        save_state()
    for muscle in missing:
        segment_id = segmentation.AddEmptySegment(muscle.name, muscle.name, muscle.color)
        segmentation.GetSegment(segment_id).SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), muscle.terminology)
    return segmentation_node


def use_grid_of(volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode) -> None:
    """Let a segmentation belong to the volume, which nothing that the expert drew is changed for.

    An empty one takes over the volume's grid, transform and place in the subject hierarchy. One with voxels takes over
    the grid if they are all on the volume's, and if it names no volume, as when it comes from a file, it is told its
    name and place: DICOM export asks. One whose filled or absent slices are counted on another grid stays on that, and
    one of surfaces where it is.
    """
    if segment_ids(segmentation_node) and segmentation_node.GetSegmentation().GetSourceRepresentationName() != LABELMAP:
        return
    role = segmentation_node.GetReferenceImageGeometryReferenceRole()
    nameless = segmentation_node.GetNodeReference(role) is None
    filled = [i for i in segment_ids(segmentation_node) if _has_voxels(segmentation_node, i)]
    own, grid = _own_grid(segmentation_node), volume_geometry(volume_node)
    differs = own is None or not same_grid(own, grid)
    if own is not None and differs and _counts_slices(segmentation_node):
        return
    if not filled:
        segmentation_node.CreateDefaultDisplayNodes()  # whoever follows it wants to know what is shown and hidden
        segmentation_node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        segmentation_node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        place_beside(volume_node, segmentation_node)
    elif (nameless or differs) and _lie_on_grid(volume_node, segmentation_node, filled):
        if differs and _lie_within(segmentation_node, filled, grid):
            segmentation_node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        elif nameless:
            segmentation_node.SetNodeReferenceID(role, volume_node.GetID())
        if nameless and _stands_nowhere(segmentation_node):
            place_beside(volume_node, segmentation_node)


def check_grid(volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode) -> None:
    """InputError if the slices of the volume are not those that the segmentation's tags count, in files, too.

    That is so where a volume was cropped after segments were drawn on the whole, or where somebody changed the
    segmentation's source geometry.
    """
    own, grid = _own_grid(segmentation_node), volume_geometry(volume_node)
    if own is not None:
        _check_kept(segmentation_node, own)
    if own is None or same_grid(own, grid):
        return
    if _counts_slices(segmentation_node) or lattice_in(own, grid) is not None:
        drawn_on = segmentation_node.GetNodeReference(segmentation_node.GetReferenceImageGeometryReferenceRole())
        its_name = f", '{name_of(drawn_on)}'" if drawn_on not in (None, volume_node) else ""
        raise InputError(
            f"'{name_of(segmentation_node)}' was drawn on other slices than those of '{name_of(volume_node)}'; choose "
            f"the volume that it was drawn on{its_name}"
        )


def _check_kept(segmentation_node: slicer.vtkMRMLSegmentationNode, own: Geometry) -> None:
    """InputError if the segmentation has another grid than the one on which slices were filled or marked absent."""
    segmentation = segmentation_node.GetSegmentation()
    for segment in map(segmentation.GetSegment, segment_ids(segmentation_node)):
        counted = counted_on(segment)
        if counted not in (None, sorted(own.shape)):
            there, here = (" x ".join(map(str, sizes)) for sizes in (counted, sorted(own.shape)))
            raise InputError(
                f"the source geometry of '{name_of(segmentation_node)}' was changed after slices of "
                f"'{name_of(segment)}' were filled or marked absent; in the Segment Editor, specify that of the volume "
                f"that it was drawn on ({there} voxels instead of {here})"
            )


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
    """InputError if the segmentation holds another drawing with every item of a sequence."""
    name, browser = name_of(segmentation_node), _browser_of(segmentation_node)
    if browser is not None:
        raise InputError(
            f"'{name}' changes with the sequence browser '{name_of(browser)}'; in the Data module, right-click it, "
            "choose Clone, and work on the copy"
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


def _lie_within(segmentation_node: slicer.vtkMRMLSegmentationNode, ids: list[str], grid: Geometry) -> bool:
    """Whether the volume's grid has all voxels that are set, however much space the label maps keep around them."""
    for image in (segmentation_node.GetBinaryLabelmapInternalRepresentation(i) for i in ids):
        extent, matrix, part = [0] * 6, vtk.vtkMatrix4x4(), slicer.vtkOrientedImageData()
        if slicer.vtkOrientedImageDataResample.CalculateEffectiveExtent(image, extent):
            image.GetImageToWorldMatrix(matrix)
            part.SetImageToWorldMatrix(matrix)
            part.SetExtent(extent)
            if not lies_within(image_geometry(part, segmentation_node), grid):
                return False
    return True


def _own_grid(segmentation_node: slicer.vtkMRMLSegmentationNode) -> Geometry | None:
    """The grid that the segmentation is saved on; None if it has none yet."""
    converter, image = slicer.vtkSegmentationConverter, slicer.vtkOrientedImageData()
    name = converter.GetReferenceImageGeometryParameterName()
    text = segmentation_node.GetSegmentation().GetConversionParameter(name)
    if not text or not converter.DeserializeImageGeometry(text, image, False):
        return None
    return image_geometry(image, segmentation_node) if min(image.GetDimensions()) >= 1 else None


def _counts_slices(segmentation_node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Whether the tags speak of filled or absent slices; drawn ones are seen in the voxels."""
    segmentation = segmentation_node.GetSegmentation()
    return any(binding_axis(segmentation.GetSegment(i)) is not None for i in segment_ids(segmentation_node))


def _stands_nowhere(node: slicer.vtkMRMLNode) -> bool:
    """Whether nobody has put the node anywhere in the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == hierarchy.GetSceneItemID()
