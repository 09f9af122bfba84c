"""What a report is to be written on: every segment as it is now, slices counted as the volume's array does."""

from __future__ import annotations

import json

import slicer

from MusclePropLib.core.annotations import (
    NOT_MUSCLE_TAG,
    SLICES_TAG,
    MuscleAnnotation,
    slices_tag,
)
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segments import Segment
from MusclePropLib.scene.geometry import volume_geometry
from MusclePropLib.scene.segments import is_not_muscle, segment_ids
from MusclePropLib.scene.states import read_record, read_states
from MusclePropLib.scene.voxels import SegmentVoxels, segment_voxels


def segments_now(
    volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode, axis: int
) -> list[tuple[Segment, SegmentVoxels]]:
    """Every segment that holds a voxel, and its voxels with array axis `axis` first, a view.

    The tags of the returned segments speak of these slices, along axis 0. InputError if a segment is not on the
    volume's voxels.
    """
    geometry = volume_geometry(volume_node)
    found = []
    for segment_id in segment_ids(segmentation_node):
        original = segmentation_node.GetSegmentation().GetSegment(segment_id)
        voxels = segment_voxels(segmentation_node, segment_id, geometry, axis)
        states = read_states(original, voxels)
        if states.slices:
            known = MuscleAnnotation(states.name, dict.fromkeys(states.drawn), states.absent)
            tags = {SLICES_TAG: slices_tag(known, 0)}
            if record := read_record(original, voxels):
                tags[PROVENANCE_TAG] = json.dumps(record)
            tags |= {NOT_MUSCLE_TAG: "1"} if is_not_muscle(original) else {}
            found.append((Segment(states.name, states.color, tags), voxels))
    return found
