"""Accepting a result: one undo step, the expert's voxels stay, neighbours stay, geometry stays."""

import json
import tracemalloc

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import Editor, add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.scene.annotations import AnnotationTracker, Subject, read_annotations  # noqa: E402
from MusclePropLib.scene.results import PROVENANCE_TAG, accept  # noqa: E402
from MusclePropLib.scene.states import get_tag  # noqa: E402

SHAPE = (14, 30, 40)
GM, SOL = disc(centre=(10, 14), radius=5), disc(centre=(10, 25), radius=6)
SUMMARY = {
    "provenance": {"weights": "a|b", "seed": 3},
    "muscles": [{"name": "GM", "estimate": 0.93}, {"name": "SOL", "estimate": 0.9}],
}


def labels_of(gm=GM, sol=SOL):
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, sol] = 2
    labels[:, gm] = 1
    return labels


def array(segmentation, segment_id, volume):
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, volume).astype(bool)


@pytest.fixture
def subject(volume, segmentation):
    paint(segmentation, "GM", volume, {3: disc(centre=(11, 14)), 9: disc(centre=(12, 16))})
    paint(segmentation, "SOL", volume, {3: disc(centre=(22, 25))})
    return Subject(volume.GetID(), segmentation.GetID(), 0)


def test_fills_what_is_unknown_and_keeps_every_drawn_voxel(subject, volume, segmentation):
    before = {name: array(segmentation, name, volume) for name in ("GM", "SOL")}
    assert accept(subject, ["GM", "SOL"], labels_of(), SUMMARY) == ["GM", "SOL"]
    after = {name: array(segmentation, name, volume) for name in ("GM", "SOL")}
    np.testing.assert_array_equal(after["GM"][[3, 9]], before["GM"][[3, 9]])
    np.testing.assert_array_equal(after["SOL"][3], before["SOL"][3])
    np.testing.assert_array_equal(after["GM"][5], GM)
    np.testing.assert_array_equal(after["SOL"][5], SOL & ~GM)
    np.testing.assert_array_equal(after["SOL"][9], SOL & ~GM & ~before["GM"][9])


def test_label_map_lies_in_the_volume_wherever_that_is(subject, volume, segmentation):
    """Through the full geometry: the centre of the filled disc, asked of Slicer in world coordinates."""
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(np.array([[0, -1, 0, 9], [1, 0, 0, 4], [0, 0, 2, -8], [0, 0, 0, 1.0]]))
    )
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())
    accept(subject, ["GM", "SOL"], labels_of(), SUMMARY)
    segmentation.HardenTransform()
    volume.HardenTransform()
    np.testing.assert_array_equal(array(segmentation, "GM", volume)[5], GM)


@pytest.mark.parametrize("axis", [1, 2])
def test_other_axes(volume, segmentation, axis):
    painted = np.zeros(SHAPE, np.uint8)
    np.moveaxis(painted, axis, 0)[4, 2:9, 5:11] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(painted, segmentation, "GM", volume)
    labels = np.zeros(np.moveaxis(painted, axis, 0).shape, np.uint8)
    labels[:, 3:8, 6:12] = 1
    subject = Subject(volume.GetID(), segmentation.GetID(), axis)
    accept(subject, ["GM"], labels, {})
    found = np.moveaxis(array(segmentation, "GM", volume), axis, 0)
    np.testing.assert_array_equal(found[4], np.moveaxis(painted, axis, 0)[4].astype(bool))
    np.testing.assert_array_equal(np.delete(found, 4, 0), np.delete(labels == 1, 4, 0))


def test_one_undo_takes_all_of_it_back(subject, volume, segmentation):
    editor = Editor(segmentation, volume)
    editor.stroke("GM", 6, disc())
    tracker = AnnotationTracker(lambda: None)
    tracker.follow(subject)
    tracker.refresh()
    before = {name: array(segmentation, name, volume) for name in ("GM", "SOL")}
    accept(subject, ["GM", "SOL"], labels_of(), SUMMARY, editor.logic.SaveStateForUndo)
    editor.logic.Undo()
    for name in ("GM", "SOL"):
        np.testing.assert_array_equal(array(segmentation, name, volume), before[name])
        assert get_tag(segmentation.GetSegmentation().GetSegment(name), PROVENANCE_TAG) is None
    editor.logic.Redo()
    np.testing.assert_array_equal(array(segmentation, "GM", volume)[5], GM)
    tracker.refresh()
    assert sorted(tracker.states["GM"].drawn) == [3, 6, 9]


def test_hidden_and_completed_neighbours_are_not_touched(volume):
    segmentation = add_segmentation(volume, ["GM", "GL", "SOL"])
    for name in ("GM", "GL", "SOL"):
        paint(segmentation, name, volume, {3: disc(centre=(11, 14))})
    ids = ["GM", "GL", "SOL"]
    segmentation.GetDisplayNode().SetSegmentVisibility("GL", False)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    paint(segmentation, "SOL", volume, {5: disc(centre=(10, 18), radius=4)})
    logic.SetSegmentStatus(segmentation.GetSegmentation().GetSegment("SOL"), logic.Completed)
    before = {name: array(segmentation, name, volume) for name in ids}
    assert accept(Subject(volume.GetID(), segmentation.GetID(), 0), ids, labels_of(), SUMMARY) == ["GM"]
    for name in ("GL", "SOL"):
        np.testing.assert_array_equal(array(segmentation, name, volume), before[name])
    np.testing.assert_array_equal(array(segmentation, "GM", volume)[5], GM & ~before["SOL"][5])


def test_a_segment_that_the_job_did_not_know_is_not_painted_over(subject, volume, segmentation):
    """Drawn, added or shown while it ran: SOL was all that there was."""
    accept(subject, ["SOL"], labels_of(gm=GM & ~GM) // 2, SUMMARY)
    gm, sol = (array(segmentation, name, volume) for name in ("GM", "SOL"))
    assert not (gm & sol)[[t for t in range(SHAPE[0]) if t != 3]].any(), "slice 3 of both is drawn"
    np.testing.assert_array_equal(sol[9], SOL & ~gm[9])
    assert (SOL & gm[9]).any(), "or this tells nothing"


def test_what_was_drawn_or_marked_while_the_job_ran_counts(subject, volume, segmentation):
    annotations, ids = read_annotations(*subject.nodes(), 0)
    assert annotations.known_slices() == [3, 9]
    Editor(segmentation, volume).stroke("GM", 6, disc(centre=(20, 20)))
    tracker = AnnotationTracker(lambda: None)
    tracker.follow(subject)
    tracker.mark_absent("GM", [12, 13])
    accept(subject, ids, labels_of(), SUMMARY)
    gm = array(segmentation, "GM", volume)
    np.testing.assert_array_equal(gm[6], disc(centre=(20, 20)))
    assert not gm[12:].any() and gm[11].any()
    tracker.refresh()
    assert sorted(tracker.states["GM"].drawn) == [3, 6, 9]
    assert sorted(tracker.states["GM"].absent) == [12, 13]


def test_segment_removed_meanwhile_is_left_out(subject, segmentation):
    segmentation.GetSegmentation().RemoveSegment("GM")
    assert accept(subject, ["GM", "SOL"], labels_of(), SUMMARY) == ["SOL"]


def test_an_empty_outcome_empties_only_what_was_filled(subject, volume, segmentation):
    accept(subject, ["GM", "SOL"], labels_of(), SUMMARY)
    accept(subject, ["GM", "SOL"], np.zeros(SHAPE, np.uint8), SUMMARY)
    assert np.flatnonzero(array(segmentation, "GM", volume).any(axis=(1, 2))).tolist() == [3, 9]


def test_gone_or_changed_nodes_are_refused_before_anything_is_written(subject, volume, segmentation):
    saved = []
    with pytest.raises(InputError, match="changed its size"):
        accept(subject, ["GM"], np.zeros((13, 30, 40), np.uint8), {}, lambda: saved.append(1))
    slicer.mrmlScene.RemoveNode(volume)
    with pytest.raises(InputError, match="has been deleted"):
        accept(subject, ["GM"], labels_of(), {}, lambda: saved.append(1))
    assert not saved


def test_provenance_names_run_and_muscle(subject, segmentation):
    accept(subject, ["GM", "SOL"], labels_of(), SUMMARY)
    value = get_tag(segmentation.GetSegmentation().GetSegment("SOL"), PROVENANCE_TAG)
    assert "|" not in value, "Slicer cuts tag values there"
    record = json.loads(value)
    assert record["weights"] == "a|b" and record["seed"] == 3
    assert record["muscle"] == {"name": "SOL", "estimate": 0.9}


def test_surfaces_follow(subject, segmentation):
    segmentation.CreateClosedSurfaceRepresentation()
    accept(subject, ["GM", "SOL"], labels_of(), SUMMARY)
    surface = segmentation.GetSegmentation().GetSegment("GM").GetRepresentation("Closed surface")
    bounds = surface.GetBounds()
    assert bounds[5] - bounds[4] > 13, "the surface spans the filled slices"


def test_no_second_copy_of_a_segment_is_made(scene):
    """tracemalloc sees numpy's memory; the one copy that is wanted is VTK's own."""
    volume = add_volume((60, 200, 200))
    segmentation = add_segmentation(volume, ["GM"])
    paint(segmentation, "GM", volume, {3: disc((200, 200), (90, 90), 60)})
    labels = np.zeros((60, 200, 200), np.uint8)
    labels[:, 20:180, 20:180] = 1
    subject = Subject(volume.GetID(), segmentation.GetID(), 0)
    tracemalloc.start()
    accept(subject, ["GM"], labels, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * labels.nbytes


def test_marks_across_another_axis_are_not_overwritten(volume, segmentation):
    """A result along J while the segment has got absent marks along K: it knows nothing of them."""
    paint(segmentation, "GM", volume, {4: disc(), 9: disc()})
    along_k = AnnotationTracker(lambda: None)
    along_k.follow(Subject(volume.GetID(), segmentation.GetID(), 0))
    along_k.mark_absent("GM", [12])
    before = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "GM", volume)
    labels = np.ones((30, 14, 40), np.uint8)
    with pytest.raises(InputError, match="'GM' holds slices that were filled or marked"):
        accept(Subject(volume.GetID(), segmentation.GetID(), 1), ["GM"], labels, {})
    np.testing.assert_array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "GM", volume), before)
    along_k.refresh()
    assert along_k.states["GM"].absent == {12}
    with pytest.raises(InputError, match="across another axis"):
        read_annotations(volume, segmentation, 1)


@pytest.mark.parametrize("how", ["removed", "hidden", "completed"])
def test_what_was_computed_of_one_muscle_goes_into_no_other(volume, segmentation, how):
    paint(segmentation, "GM", volume, {3: disc(centre=(11, 14)), 9: disc(centre=(12, 16))})
    paint(segmentation, "SOL", volume, {3: disc(centre=(22, 25))})
    subject = Subject(volume.GetID(), segmentation.GetID(), 0)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if how == "removed":
        segmentation.GetSegmentation().RemoveSegment("GM")
    elif how == "hidden":
        segmentation.GetDisplayNode().SetSegmentVisibility("GM", False)
    else:
        logic.SetSegmentStatus(segmentation.GetSegmentation().GetSegment("GM"), logic.Completed)
    assert accept(subject, ["GM", "SOL"], labels_of(), SUMMARY) == ["SOL"]
    np.testing.assert_array_equal(array(segmentation, "SOL", volume)[5], SOL & ~GM)
    record = json.loads(get_tag(segmentation.GetSegmentation().GetSegment("SOL"), PROVENANCE_TAG))
    assert record["muscle"]["name"] == "SOL"
