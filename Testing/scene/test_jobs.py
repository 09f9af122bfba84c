"""What the worker is sent is what the nodes hold, in the world."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.jobs.job import read_job  # noqa: E402
from MusclePropLib.scene.annotations import AnnotationTracker, Subject  # noqa: E402
from MusclePropLib.scene.geometry import volume_geometry  # noqa: E402
from MusclePropLib.scene.jobs import write_scene_job  # noqa: E402


def test_job_holds_volume_and_annotations(volume, segmentation, tmp_path):
    paint(segmentation, "SOL", volume, {3: disc(), 9: disc(radius=3)})
    subject = Subject(volume.GetID(), segmentation.GetID(), 0)
    tracker = AnnotationTracker(lambda: None)
    tracker.follow(subject)
    tracker.mark_absent("SOL", [12, 13])
    written = write_scene_job(subject, {"time_limit": 5}, tmp_path)
    assert written.segment_ids == ("SOL",), "GM is drawn nowhere"
    read, annotations, settings = read_job(written.job.folder)
    np.testing.assert_array_equal(read.array, slicer.util.arrayFromVolume(volume))
    np.testing.assert_array_equal(annotations.muscles[0].drawn[9], disc(radius=3))
    assert annotations.muscles[0].absent == {12, 13}
    assert settings == {"time_limit": 5}
    assert read.geometry.matches(volume_geometry(volume))


def test_scaling_transform_reaches_the_millilitres(volume, segmentation, tmp_path):
    paint(segmentation, "GM", volume, {3: disc()})
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([2.0, 1, 1, 1])))
    before = volume_geometry(volume).voxel_ml
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
    written = write_scene_job(Subject(volume.GetID(), segmentation.GetID(), 0), {}, tmp_path)
    assert read_job(written.job.folder)[0].geometry.voxel_ml == pytest.approx(2 * before)


def test_slices_first_along_any_axis(volume, segmentation, tmp_path):
    painted = np.zeros((14, 30, 40), np.uint8)
    painted[2:9, 5:20, [4, 30]] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(painted, segmentation, "GM", volume)
    written = write_scene_job(Subject(volume.GetID(), segmentation.GetID(), 2), {}, tmp_path)
    read, annotations, _ = read_job(written.job.folder)
    assert read.axis == 2
    np.testing.assert_array_equal(read.array, np.moveaxis(slicer.util.arrayFromVolume(volume), 2, 0))
    assert annotations.muscles[0].drawn_slices == [4, 30]


REFUSALS = {"volume": "choose a volume", "drawing": "no slice is drawn", "transform": "give both the same transform"}


@pytest.mark.parametrize("missing", REFUSALS)
def test_refusals_leave_no_folder(scene, tmp_path, missing):
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
        write_scene_job(subject, {}, tmp_path)
    assert not list(tmp_path.iterdir())
