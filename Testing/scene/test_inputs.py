"""What a propagation is asked is what the nodes hold, in the world; also after a job's way over the disk."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.jobs.job import read_job, write_job  # noqa: E402
from MusclePropLib.scene.annotations import AnnotationTracker, Subject  # noqa: E402
from MusclePropLib.scene.geometry import volume_geometry  # noqa: E402
from MusclePropLib.scene.inputs import read_inputs  # noqa: E402


def test_job_holds_volume_and_annotations(volume, segmentation, tmp_path):
    paint(segmentation, "SOL", volume, {3: disc(), 9: disc(radius=3)})
    subject = Subject(volume.GetID(), segmentation.GetID(), 0)
    tracker = AnnotationTracker(lambda: None)
    tracker.follow(subject)
    tracker.mark_absent("SOL", [12, 13])
    inputs = read_inputs(subject)
    assert inputs.segment_ids == ("SOL",), "GM is drawn nowhere"
    written = write_job(inputs.volume, inputs.annotations, {"time_limit": 5}, tmp_path)
    read, annotations, settings = read_job(written.folder)
    np.testing.assert_array_equal(read.array, slicer.util.arrayFromVolume(volume))
    np.testing.assert_array_equal(annotations.muscles[0].drawn[9], disc(radius=3))
    assert annotations.muscles[0].absent == {12, 13}
    assert settings == {"time_limit": 5}
    assert read.geometry.matches(volume_geometry(volume))


def test_scaling_transform_reaches_the_millilitres(volume, segmentation):
    paint(segmentation, "GM", volume, {3: disc()})
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([2.0, 1, 1, 1])))
    before = volume_geometry(volume).voxel_ml
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
    inputs = read_inputs(Subject(volume.GetID(), segmentation.GetID(), 0))
    assert inputs.volume.geometry.voxel_ml == pytest.approx(2 * before)


def test_slices_first_along_any_axis(volume, segmentation):
    painted = np.zeros((14, 30, 40), np.uint8)
    painted[2:9, 5:20, [4, 30]] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(painted, segmentation, "GM", volume)
    inputs = read_inputs(Subject(volume.GetID(), segmentation.GetID(), 2))
    assert inputs.volume.axis == 2
    np.testing.assert_array_equal(inputs.volume.array, np.moveaxis(slicer.util.arrayFromVolume(volume), 2, 0))
    assert np.shares_memory(inputs.volume.array, slicer.util.arrayFromVolume(volume)), "no copy"
    assert inputs.annotations.muscles[0].drawn_slices == [4, 30]


REFUSALS = {"volume": "choose a volume", "drawing": "no slice is drawn", "transform": "give both the same transform"}


@pytest.mark.parametrize("missing", REFUSALS)
def test_refusals(scene, missing):
    volume = add_volume()
    segmentation = add_segmentation(volume, ["GM"])
    if missing == "transform":
        paint(segmentation, "GM", volume, {3: disc()})
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([2.0, 1, 1, 1])))
        volume.SetAndObserveTransformNodeID(transform.GetID())
    subject = Subject(volume.GetID(), segmentation.GetID(), 0)
    if missing == "volume":
        slicer.mrmlScene.RemoveNode(volume)
    with pytest.raises(InputError, match=REFUSALS[missing]):
        read_inputs(subject)
