"""The live preview: a segmentation node of its own, which nobody edits or saves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer

from MusclePropLib.core.geometry import Geometry
from MusclePropLib.scene.annotations import Subject
from MusclePropLib.scene.geometry import image_array, new_labelmap, node_to_world, volume_geometry
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.voxels import LABELMAP, SURFACE

OUTLINE = 3  # screen pixels


class Preview:
    """Shows labels of the worker beside the expert's segments, in their colours."""

    def __init__(
        self, subject: Subject, segment_ids: Sequence[str], opacity: float = 0.6, show_3d: bool = False
    ) -> None:
        self._subject = subject
        self._segment_ids = list(segment_ids)
        self._opacity = opacity
        self._show_3d = show_3d
        self._node_id: str | None = None

    @property
    def node(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The preview's node; None before the first labels, after `remove`, and once the scene was closed."""
        return slicer.mrmlScene.GetNodeByID(self._node_id) if self._node_id else None

    def show(self, labels: np.ndarray, strides: Sequence[int] = (1, 1, 1)) -> None:
        """Show `labels` (slices, rows, columns), taken from every `strides`-th voxel; nothing if the volume is gone."""
        nodes = self._subject.nodes()
        if nodes is None:
            self.remove()
            return
        node = self.node or self._new_node(nodes[1])
        node.SetAndObserveTransformNodeID(nodes[1].GetTransformNodeID())  # which may be another one by now
        geometry = volume_geometry(nodes[0]).moved(self._subject.axis).strided(tuple(strides))
        image = self._image(labels, geometry, node_to_world(nodes[1]))
        for segment_id in self._segment_ids:
            segment = node.GetSegmentation().GetSegment(segment_id)
            if segment is not None:
                segment.AddRepresentation(LABELMAP, image)
        self._update_3d(node)

    def set_opacity(self, opacity: float) -> None:
        """0 (invisible) to 1."""
        self._opacity = opacity
        if self.node is not None:
            self.node.GetDisplayNode().SetOpacity(opacity)

    def set_show_3d(self, show: bool) -> None:
        """Surfaces in the 3D view cost time at every preview, so they are the expert's choice."""
        self._show_3d = show
        if self.node is not None:
            self._update_3d(self.node)

    def remove(self) -> None:
        """Take the node, its display and its surfaces out of the scene."""
        node = self.node
        if node is not None:
            display = node.GetDisplayNode()  # the application removes it with its node, the bare libraries do not
            slicer.mrmlScene.RemoveNode(node)
            if display is not None and display.GetScene() is not None:
                slicer.mrmlScene.RemoveNode(display)
            _let_go(node.GetSegmentation())
        self._node_id = None

    def _image(self, labels: np.ndarray, geometry: Geometry, frame: np.ndarray) -> slicer.vtkOrientedImageData:
        """One label map that all segments of the preview share."""
        image = new_labelmap(geometry, frame)
        image_array(image)[...] = labels
        return image

    def _new_node(self, segmentation_node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLSegmentationNode:
        node = slicer.vtkMRMLSegmentationNode()
        node.SetName(f"{name_of(segmentation_node)} preview")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        slicer.mrmlScene.AddNode(node)
        node.CreateDefaultDisplayNodes()
        self._node_id = node.GetID()
        self._set_display(node.GetDisplayNode())
        for index, segment_id in enumerate(self._segment_ids):
            original = segmentation_node.GetSegmentation().GetSegment(segment_id)
            if original is not None:
                node.GetSegmentation().AddSegment(_copy_of(original, index + 1), segment_id)
        return node

    def _set_display(self, display: slicer.vtkMRMLSegmentationDisplayNode) -> None:
        display.SetSaveWithScene(False)
        display.SetSliceIntersectionThickness(OUTLINE)
        display.SetOpacity2DFill(0.35)
        display.SetOpacity(self._opacity)

    def _update_3d(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        segmentation = node.GetSegmentation()
        node.GetDisplayNode().SetVisibility3D(self._show_3d)
        segmentation.RemoveRepresentation(SURFACE)
        if self._show_3d:
            segmentation.SetConversionParameter("Compute surface normals", "1")
            segmentation.CreateRepresentation(SURFACE, True)


def _let_go(segmentation: slicer.vtkSegmentation) -> None:
    """Take the voxels away first: a segmentation that ends gives each segment a label map of its own before it does."""
    for index in range(segmentation.GetNumberOfSegments()):
        segmentation.GetNthSegment(index).RemoveRepresentation(LABELMAP)


def _copy_of(original: slicer.vtkSegment, label: int) -> slicer.vtkSegment:
    segment = slicer.vtkSegment()
    segment.SetName(name_of(original))
    segment.SetColor(*original.GetColor())
    segment.SetLabelValue(label)
    return segment
