"""From nodes to a job folder: what the worker is sent, and what must be remembered until its answer comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.volumes import Volume
from MusclePropLib.jobs.job import Job, write_job
from MusclePropLib.scene.annotations import Subject, read_annotations
from MusclePropLib.scene.geometry import image_array, volume_geometry
from MusclePropLib.scene.segments import check_source_volume


@dataclass(frozen=True)
class SceneJob:
    """A written job and where its labels belong: label i + 1 is the segment `segment_ids[i]` of the subject."""

    job: Job
    subject: Subject
    segment_ids: tuple[str, ...]


def write_scene_job(subject: Subject, settings: Mapping[str, Any], parent: Path | None = None) -> SceneJob:
    """Write volume and annotations of the subject for the worker.

    InputError, with what to do about it, if the nodes are gone, the volume cannot be worked on, nothing is drawn, or
    the segments do not lie on the volume's grid.
    """
    nodes = subject.nodes()
    if nodes is None:
        raise InputError("choose a volume and a segmentation first")
    check_source_volume(nodes[0])
    annotations, segment_ids = read_annotations(*nodes, subject.axis)
    job = write_job(scene_volume(nodes[0], subject.axis), annotations, settings, parent)
    return SceneJob(job, subject, tuple(segment_ids))


def scene_volume(volume_node: slicer.vtkMRMLScalarVolumeNode, axis: int) -> Volume:
    """The volume's own voxels (not a copy), with array axis `axis` first, and where they lie in the world."""
    array = np.moveaxis(image_array(volume_node.GetImageData()), axis, 0)
    return Volume(array, volume_geometry(volume_node).moved(axis), axis=axis, source=volume_node.GetName())
