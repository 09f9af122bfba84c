"""Acceptance of a result: one undoable step into the expert's segments, with a record of how it came about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import slicer

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.planes import copied, together
from MusclePropLib.core.propagated import PROVENANCE_TAG, provenance
from MusclePropLib.scene.annotations import Subject
from MusclePropLib.scene.geometry import image_array, new_labelmap, node_to_world, volume_geometry
from MusclePropLib.scene.merging import Box, Merge, Target
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.segments import check_segmentation, muscle_ids, visible_ids
from MusclePropLib.scene.states import check_axis, read_states, write_states
from MusclePropLib.scene.voxels import LABELMAP, SURFACE, segment_voxels


def accept(
    subject: Subject,
    segment_ids: Sequence[str],
    labels: np.ndarray,
    summary: Mapping[str, Any],
    save_state: Callable[[], object] = lambda: None,
) -> list[str]:
    """Write a result into the expert's segments; returns the names of those written.

    `labels` is uint8 (slices, rows, columns), value i + 1 = the segment `segment_ids[i]`. What the expert has drawn by
    now keeps every voxel, slices marked absent stay empty, visible segments that are not written (completed, "Not
    muscle", or unknown to the job: drawn, added or shown since) are not painted over, and those that have meanwhile
    been removed, hidden or completed are left alone. `save_state` is called once before the first change, so that one
    undo takes all of it back. Raises InputError if the nodes are gone or their grid has changed, or slices were
    meanwhile marked absent across another axis.
    """
    nodes = subject.nodes()
    if nodes is None:
        raise InputError("the volume or the segmentation of this result has been deleted")
    check_segmentation(nodes[1])
    geometry = volume_geometry(nodes[0])
    if geometry.moved(subject.axis).shape != labels.shape:
        raise InputError(f"volume '{name_of(nodes[0])}' has changed its size since the result was computed")
    merge = _merge(subject, nodes[1], segment_ids, labels, geometry)
    boxes = merge.boxes()
    save_state()
    for target, box in zip(merge.targets, boxes, strict=True):
        image = _filled_image(merge, target, box or (slice(0, 1),) * 3, geometry, subject.axis, nodes[1])
        _replace_labelmap(nodes[1], target.segment_id, image)
        _write_tags(nodes[1], target, geometry, subject.axis, summary)
    _update_surfaces(nodes[1], [t.segment_id for t in merge.targets])
    return [t.states.name for t in merge.targets]


def _merge(
    subject: Subject,
    node: slicer.vtkMRMLSegmentationNode,
    segment_ids: Sequence[str],
    labels: np.ndarray,
    geometry: Geometry,
) -> Merge:
    writable = set(muscle_ids(node))
    targets = []
    for label, segment_id in enumerate(segment_ids, start=1):
        if segment_id in writable:
            voxels = segment_voxels(node, segment_id, geometry, subject.axis)
            check_axis(node.GetSegmentation().GetSegment(segment_id), voxels)
            states = read_states(node.GetSegmentation().GetSegment(segment_id), voxels)
            targets.append(Target(segment_id, label, voxels, states))
    written = {target.segment_id for target in targets}
    others = [i for i in visible_ids(node) if i not in written]
    return Merge(labels, targets, [segment_voxels(node, i, geometry, subject.axis) for i in others])


def _filled_image(
    merge: Merge, target: Target, box: Box, geometry: Geometry, axis: int, node: slicer.vtkMRMLSegmentationNode
) -> slicer.vtkOrientedImageData:
    """The segment's new label map, written some slices at a time into the only copy that is made of it."""
    slices, *plane_box = box
    stored_box = list(plane_box)
    stored_box.insert(axis, slices)
    image = new_labelmap(geometry, node_to_world(node), tuple(stored_box))
    planes = np.moveaxis(image_array(image), axis, 0)
    lanes = together(planes)
    for first in range(0, len(planes), lanes):
        group = planes[first : first + lanes]
        indices = range(slices.start + first, slices.start + first + len(group))
        for _ in copied(group, np.stack([merge.plane(target, t)[tuple(plane_box)] for t in indices])):
            pass
    return image


def _replace_labelmap(
    node: slicer.vtkMRMLSegmentationNode, segment_id: str, image: slicer.vtkOrientedImageData
) -> None:
    """Give the segment a label map of its own. The one that it may have shared keeps the other segments' voxels."""
    segmentation = node.GetSegmentation()
    segmentation.SeparateSegmentLabelmap(segment_id)
    segment = segmentation.GetSegment(segment_id)
    segment.SetLabelValue(1)
    segment.AddRepresentation(LABELMAP, image)


def _write_tags(
    node: slicer.vtkMRMLSegmentationNode, target: Target, geometry: Geometry, axis: int, summary: Mapping[str, Any]
) -> None:
    segment = node.GetSegmentation().GetSegment(target.segment_id)
    voxels = segment_voxels(node, target.segment_id, geometry, axis)
    states = read_states(segment, voxels)
    filled = frozenset(states.slices) - target.states.drawn
    write_states(segment, voxels, replace(states, filled=filled, absent=target.states.absent))
    segment.SetTag(PROVENANCE_TAG, provenance(summary, target.label - 1))


def _update_surfaces(node: slicer.vtkMRMLSegmentationNode, segment_ids: list[str]) -> None:
    """Slicer makes surfaces anew only where it is told to."""
    if segment_ids and node.GetSegmentation().ContainsRepresentation(SURFACE):
        slicer.vtkSlicerSegmentationsModuleLogic.ReconvertAllRepresentations(node, segment_ids)
