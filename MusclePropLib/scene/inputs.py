"""From nodes to what a propagation is asked: the volume's voxels, what is drawn, and where the answer belongs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import slicer

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.steps import finished
from MusclePropLib.core.volumes import Volume
from MusclePropLib.scene.annotations import Subject, annotations_read
from MusclePropLib.scene.geometry import image_array, volume_geometry
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.segments import check_grid, check_segmentation, check_source_volume


@dataclass(frozen=True)
class Inputs:
    """Volume and annotations, slices first; label i + 1 of the result belongs to the segment `segment_ids[i]`."""

    volume: Volume
    annotations: Annotations
    segment_ids: tuple[str, ...]


def read_inputs(subject: Subject) -> Inputs:
    """What the subject's nodes hold now; the volume's voxels are not copied.

    InputError, with what to do about it, if the nodes are gone, volume or segmentation cannot be worked on, nothing
    is drawn, or the segments do not lie on the volume's grid.
    """
    inputs = finished(inputs_read(subject))
    assert inputs is not None  # nobody draws meanwhile
    return inputs


def inputs_read(subject: Subject) -> Generator[None, None, Inputs | None]:
    """The same step by step; None if the segments change meanwhile."""
    nodes = subject.nodes()
    if nodes is None:
        raise InputError("choose a volume and a segmentation first")
    check_source_volume(nodes[0])
    check_segmentation(nodes[1])
    check_grid(*nodes)
    found = yield from annotations_read(*nodes, subject.axis)
    return found and Inputs(volume_of(nodes[0], subject.axis), found[0], tuple(found[1]))


def volume_of(volume_node: slicer.vtkMRMLScalarVolumeNode, axis: int) -> Volume:
    """The volume with its slices across array axis `axis` first, in the world; a view of the node's voxels."""
    array = np.moveaxis(image_array(volume_node.GetImageData()), axis, 0)
    return Volume(array, volume_geometry(volume_node).moved(axis), axis=axis, source=name_of(volume_node))
