"""A volume that was cropped has other slices than the whole: marks stay with the slices that they were made on."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import OBLIQUE, add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.annotations import SLICES_TAG  # noqa: E402
from MusclePropLib.core.drawings import FILLED_TAG  # noqa: E402
from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.core.segmentation import annotations_from_segmentation, read_segmentation  # noqa: E402
from MusclePropLib.scene.annotations import AnnotationTracker, Subject  # noqa: E402
from MusclePropLib.scene.geometry import volume_geometry  # noqa: E402
from MusclePropLib.scene.inputs import read_inputs  # noqa: E402
from MusclePropLib.scene.results import accept  # noqa: E402
from MusclePropLib.scene.segments import use_grid_of  # noqa: E402
from MusclePropLib.scene.states import get_tag  # noqa: E402

FIRST = 3  # slice of the whole that the cropped volume begins with


@pytest.fixture
def cropped(volume):
    shift = np.eye(4)
    shift[2, 3] = FIRST
    return add_volume((10, 30, 40), OBLIQUE @ shift, "calf cropped")


def follow(volume, segmentation):
    """As the panel does when the two are chosen."""
    use_grid_of(volume, segmentation)
    tracker = AnnotationTracker(lambda: None)
    tracker.follow(Subject(volume.GetID(), segmentation.GetID(), 0))
    return tracker


def known(tracker, segment_id="GM"):
    tracker.refresh()
    states = tracker.states[segment_id]
    return sorted(states.drawn), sorted(states.filled), sorted(states.absent)


def fill(tracker):
    labels = np.zeros(volume_geometry(tracker.subject.nodes()[0]).shape, np.uint8)
    labels[:, disc(radius=6)] = 1
    accept(tracker.subject, ["GM"], labels, {})


def test_marks_made_on_the_whole_wait_for_the_whole(volume, cropped, segmentation):
    paint(segmentation, "GM", volume, {4: disc(), 9: disc()})
    on_whole = follow(volume, segmentation)
    on_whole.mark_absent("GM", [0, 13])
    fill(on_whole)
    before = known(on_whole)
    assert before == ([4, 9], [1, 2, 3, 5, 6, 7, 8, 10, 11, 12], [0, 13])
    on_crop = follow(cropped, segmentation)
    with pytest.raises(InputError, match=r"drawn on other slices than those of 'calf cropped'.*, 'calf'$"):
        on_crop.refresh()
    with pytest.raises(InputError, match="other slices"):
        read_inputs(on_crop.subject)
    assert known(follow(volume, segmentation)) == before


def test_marks_without_a_drawing_wait_for_the_whole(volume, cropped, segmentation):
    on_whole = follow(volume, segmentation)
    on_whole.mark_absent("GM", [5])
    with pytest.raises(InputError, match="other slices"):
        follow(cropped, segmentation).refresh()
    assert known(follow(volume, segmentation)) == ([], [], [5])


def test_what_is_drawn_beyond_the_crop_is_not_cut_off(volume, cropped, segmentation):
    paint(segmentation, "GM", volume, {1: disc(), 9: disc()})
    assert known(follow(volume, segmentation)) == ([1, 9], [], [])
    with pytest.raises(InputError, match="other slices"):
        follow(cropped, segmentation).refresh()
    assert known(follow(volume, segmentation)) == ([1, 9], [], [])


def test_what_is_drawn_inside_the_crop_goes_on_there(volume, cropped, segmentation, tmp_path):
    """Also in the file, whose grid is the one that the tags count on."""
    paint(segmentation, "GM", volume, {4: disc(), 9: disc()})
    assert known(follow(volume, segmentation)) == ([4, 9], [], [])
    on_crop = follow(cropped, segmentation)
    on_crop.mark_absent("GM", [0, 8])
    assert known(on_crop) == ([1, 6], [], [0, 8])
    storage = segmentation.CreateDefaultStorageNode()
    storage.SetFileName(str(tmp_path / "x.seg.nrrd"))
    assert storage.WriteData(segmentation)
    read = read_segmentation(tmp_path / "x.seg.nrrd")
    muscle = annotations_from_segmentation(read).muscles[0]
    assert (muscle.drawn_slices, sorted(muscle.absent)) == ([1, 6], [0, 8])
    assert read.geometry.shape == (10, 30, 40)
    with pytest.raises(InputError, match=r"choose the volume that it was drawn on, 'calf cropped'"):
        follow(volume, segmentation).refresh()


def test_filled_slices_are_not_drawn_for_a_source_geometry_that_was_changed(volume, cropped, segmentation):
    """Checksums hold places on the grid: on another, everything seemed to be the expert's own, and stayed so."""
    paint(segmentation, "GM", volume, {4: disc(), 9: disc()})
    on_whole = follow(volume, segmentation)
    fill(on_whole)
    before, tags = known(on_whole), tags_of(segmentation)
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(cropped)
    for chosen in (volume, cropped):
        with pytest.raises(InputError, match=r"geometry of 'muscles' was changed .*14 x 30 x 40 voxels instead"):
            follow(chosen, segmentation).refresh()
    with pytest.raises(InputError, match="was changed"):
        read_inputs(on_whole.subject)
    assert tags_of(segmentation) == tags
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    assert known(follow(volume, segmentation)) == before


def tags_of(segmentation):
    segment = segmentation.GetSegmentation().GetSegment("GM")
    return [get_tag(segment, name) for name in (SLICES_TAG, FILLED_TAG)]


def test_imported_segment_is_saved_on_the_volumes_grid(volume):
    """An import knows no grid; it was saved on its own extent, and its marks were counted on the volume's."""
    imported = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "imported")
    imported.GetSegmentation().AddEmptySegment("GM", "GM")
    paint(imported, "GM", volume, {4: disc(), 9: disc()})
    follow(volume, imported)
    whole = add_segmentation(volume, ["GM"])
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    grids = [node.GetSegmentation().GetConversionParameter(name) for node in (imported, whole)]
    assert grids[0] == grids[1]


def test_volume_under_a_transform_and_hardened_is_the_same_grid(volume, segmentation):
    paint(segmentation, "GM", volume, {4: disc(), 9: disc()})
    follow(volume, segmentation).mark_absent("GM", [0])
    turn = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turn.SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(np.array([[0, -1, 0, 5], [1, 0, 0, -9], [0, 0, 1, 50], [0, 0, 0, 1.0]]))
    )
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(turn.GetID())
    assert known(follow(volume, segmentation)) == ([4, 9], [], [0])
    volume.HardenTransform()
    assert known(follow(volume, segmentation)) == ([4, 9], [], [0])
    segmentation.HardenTransform()
    assert known(follow(volume, segmentation)) == ([4, 9], [], [0])
