"""Annotation states on real segments: painting, erasing, undo, import, files, and what the tags must survive."""

import numpy as np
import pytest
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from followed import Followed, fill, masks, top_of_surface  # noqa: E402
from slicer_scene import OBLIQUE, Editor, add_segmentation, add_volume, disc, new_scene, paint  # noqa: E402

from MusclePropLib.core.annotations import SLICES_TAG, State  # noqa: E402
from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.scene.annotations import (  # noqa: E402
    absent_run,
    propagation_axis,
    read_annotations,
    slices_to_the_end,
)
from MusclePropLib.scene.results import accept  # noqa: E402


def test_paint_erase_undo_redo(followed, volume, segmentation):
    editor = Editor(segmentation, volume)
    editor.stroke("GM", 3, disc())
    assert followed.events
    assert followed.drawn() == [3]
    editor.stroke("GM", 9, disc())
    assert followed.drawn() == [3, 9]
    editor.stroke("GM", 3, disc(radius=20), erase=True)
    assert followed.drawn() == [9]
    editor.logic.Undo()
    assert followed.drawn() == [3, 9]
    editor.logic.Undo()
    assert followed.drawn() == [3]
    editor.logic.Redo()
    assert followed.drawn() == [3, 9], "refreshing after an undo must leave the redo possible"


def test_stroke_faster_than_the_refresh_is_not_lost_by_undo(followed, volume, segmentation):
    editor = Editor(segmentation, volume)
    editor.stroke("GM", 3, disc())
    editor.stroke("GM", 4, disc())
    editor.stroke("GM", 5, disc())
    followed.tracker.refresh()
    editor.logic.Undo()  # back to a state whose tags were never brought up to date
    assert followed.drawn() == [3, 4]


def test_redo_after_strokes_faster_than_the_refresh(followed, volume, segmentation):
    """The undo restores tags that lag behind; bringing these up to date is a change, after which nothing is redone."""
    editor = Editor(segmentation, volume)
    editor.stroke("GM", 3, disc())
    followed.tracker.refresh()
    editor.stroke("GM", 4, disc())
    editor.stroke("GM", 5, disc())
    followed.tracker.refresh()
    editor.logic.Undo()
    assert followed.drawn() == [3, 4]
    assert editor.logic.CanRedo()
    editor.logic.Redo()
    assert followed.drawn() == [3, 4, 5] and '"drawn": [3, 4, 5]' in followed.tag()
    editor.logic.Undo()
    followed.tracker.refresh()
    editor.stroke("GM", 9, disc())
    assert followed.drawn() == [3, 4, 9] and '"drawn": [3, 4, 9]' in followed.tag()


def test_import_counts_as_drawn(followed, volume, segmentation):
    paint(segmentation, "GM", volume, {2: disc(), 7: disc()})
    assert followed.events
    assert followed.drawn() == [2, 7]
    assert '"drawn": [2, 7]' in followed.tag()


def test_quiet_refresh_touches_nothing(followed, volume, segmentation):
    paint(segmentation, "GM", volume, {2: disc()})
    assert followed.tracker.refresh()
    before = followed.events
    assert not followed.tracker.refresh()
    assert followed.events == before
    assert followed.tag("SOL") is None, "an untouched segment gets no tags"


def test_accepted_slices_are_no_evidence_until_the_expert_changes_them(followed, volume, segmentation):
    editor = Editor(segmentation, volume)
    editor.stroke("GM", 3, disc())
    editor.stroke("GM", 9, disc())
    followed.tracker.refresh()
    fill(followed, volume)
    assert followed.drawn() == [3, 9]
    assert len(followed.tracker.states["GM"].filled) == 12
    editor.stroke("GM", 6, disc(centre=(20, 30), radius=3))
    assert followed.drawn() == [3, 6, 9]
    editor.logic.Undo()
    assert followed.drawn() == [3, 9]


def test_another_module_may_paint_while_nobody_follows(followed, volume, segmentation):
    paint(segmentation, "GM", volume, {3: disc()})
    followed.tracker.refresh()
    fill(followed, volume)
    followed.tracker.refresh()
    followed.tracker.follow(None)
    Editor(segmentation, volume).stroke("GM", 8, disc(radius=10))
    assert Followed(volume, segmentation).drawn() == [3, 8]


def test_overpainting_a_filled_slice_does_not_make_it_drawn(followed, volume, segmentation):
    paint(segmentation, "GM", volume, {3: disc()})
    followed.tracker.refresh()
    fill(followed, volume)
    followed.tracker.refresh()
    editor = Editor(segmentation, volume)
    editor.stroke("SOL", 6, disc(centre=(16, 18)))
    assert followed.drawn("SOL") == [6]
    assert followed.drawn("GM") == [3], "GM only lost what SOL took"
    editor.stroke("GM", 10, disc(radius=3), erase=True)
    assert followed.drawn("GM") == [3, 10], "what the expert erases, the expert has looked at"


def fill_and_leave(followed, volume, segmentation, soleus=12):
    """GM drawn on slice 3 and filled on all others, SOL drawn on another one; then nobody follows."""
    paint(segmentation, "GM", volume, {3: disc()})
    paint(segmentation, "SOL", volume, {soleus: disc(centre=(25, 8), radius=3)})
    followed.tracker.refresh()
    fill(followed, volume)
    followed.tracker.refresh()
    followed.tracker.follow(None)


def test_overpainting_while_nobody_follows_does_not_make_a_filled_slice_drawn_either(followed, volume, segmentation):
    """As after loading the scene, or in another module. A segment that is new there tells nothing of the others."""
    fill_and_leave(followed, volume, segmentation)
    segmentation.GetSegmentation().AddEmptySegment("bone", "bone")
    editor = Editor(segmentation, volume)
    editor.stroke("SOL", 6, disc(centre=(16, 18)))
    editor.stroke("bone", 10, disc(centre=(25, 33), radius=4))
    editor.stroke("GM", 10, disc(radius=3), erase=True)
    assert Followed(volume, segmentation).drawn("GM") == [3, 10]


def test_a_drawn_contour_or_a_new_segment_may_take_from_a_filled_slice_while_nobody_follows(
    followed, volume, segmentation
):
    fill_and_leave(followed, volume, segmentation, soleus=6)
    segmentation.GetSegmentation().AddEmptySegment("tendon", "tendon")
    editor = Editor(segmentation, volume)
    editor.stroke("SOL", 6, disc(centre=(16, 18), radius=4))
    editor.stroke("tendon", 8, disc(centre=(16, 18), radius=4))
    now = Followed(volume, segmentation)
    assert now.drawn("GM") == [3] and now.drawn("tendon") == [8] and 6 in now.drawn("SOL")


def test_two_muscles_corrected_on_one_slice_while_nobody_follows_are_both_drawn(followed, volume, segmentation):
    fill_and_leave(followed, volume, segmentation)
    editor = Editor(segmentation, volume)
    editor.stroke("GM", 6, disc(radius=3), erase=True)
    editor.stroke("SOL", 6, disc(centre=(25, 8), radius=4))
    now = Followed(volume, segmentation)
    assert now.drawn("GM") == [3, 6] and 6 in now.drawn("SOL")


def test_absent_marks(followed, volume, segmentation):
    paint(segmentation, "GM", volume, {3: disc(), 9: disc()})
    tracker = followed.tracker
    tracker.refresh()
    tracker.mark_absent("GM", slices_to_the_end(tracker.states["GM"], 11, 14))
    tracker.mark_absent("GM", slices_to_the_end(tracker.states["GM"], 1, 14))
    assert sorted(tracker.states["GM"].absent) == [0, 1, 11, 12, 13]
    assert not tracker.refresh(), "the tags hold what the buttons said"
    with pytest.raises(InputError, match="GM is drawn on both sides"):
        slices_to_the_end(tracker.states["GM"], 6, 14)
    tracker.clear_absent("GM", absent_run(tracker.states["GM"], 12))
    assert sorted(tracker.states["GM"].absent) == [0, 1]
    tracker.mark_absent("GM", range(14))
    assert sorted(tracker.states["GM"].drawn) == [3, 9], "a drawing is the stronger statement"
    assert tracker.states["GM"].state(3) is State.DRAWN
    assert tracker.states["GM"].state(4) is State.ABSENT
    Editor(segmentation, volume).stroke("GM", 5, disc())
    tracker.refresh()
    assert 5 in tracker.states["GM"].drawn and 5 not in tracker.states["GM"].absent


@pytest.mark.parametrize("shared", [False, True])
def test_absent_where_a_propagation_filled_empties_the_slice(followed, volume, segmentation, shared):
    """And nothing else, also where segments share a label map; undo brings it back."""
    paint(segmentation, "GM", volume, {3: disc(), 9: disc()})
    paint(segmentation, "SOL", volume, {12: disc(centre=(25, 8), radius=3)})
    followed.tracker.refresh()
    fill(followed, volume)
    if shared:
        segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
        assert segmentation.GetSegmentation().GetNumberOfLayers() == 1
    segmentation.CreateClosedSurfaceRepresentation()
    editor = Editor(segmentation, volume)
    followed.tracker.refresh()
    before = {name: masks(segmentation, name, volume) for name in ("GM", "SOL")}
    tops = {name: top_of_surface(segmentation, name) for name in ("GM", "SOL")}
    editor.logic.SaveStateForUndo()
    followed.tracker.mark_absent("GM", range(9, 14))
    assert top_of_surface(segmentation, "GM") < tops["GM"] and top_of_surface(segmentation, "SOL") == tops["SOL"]
    after = {name: masks(segmentation, name, volume) for name in ("GM", "SOL")}
    np.testing.assert_array_equal(after["GM"][:10], before["GM"][:10])
    assert not after["GM"][10:].any()
    np.testing.assert_array_equal(after["SOL"], before["SOL"])
    states = followed.tracker.states["GM"]
    assert sorted(states.absent) == [10, 11, 12, 13] and sorted(states.drawn) == [3, 9]
    assert not followed.tracker.refresh(), "the states are as the label map has them"
    editor.logic.Undo()
    assert followed.drawn() == [3, 9]
    assert not followed.tracker.states["GM"].absent
    np.testing.assert_array_equal(masks(segmentation, "GM", volume), before["GM"])


def test_absent_mark_is_undone_with_the_editor(followed, volume, segmentation):
    editor = Editor(segmentation, volume)
    editor.stroke("GM", 3, disc())
    followed.tracker.refresh()
    editor.logic.SaveStateForUndo()
    followed.tracker.mark_absent("GM", [5])
    editor.logic.Undo()
    followed.tracker.refresh()
    assert followed.tracker.states["GM"].absent == frozenset()
    editor.logic.Redo()
    followed.tracker.refresh()
    assert followed.tracker.states["GM"].absent == {5}


def test_damaged_tag_leaves_what_is_painted(followed, volume, segmentation):
    paint(segmentation, "GM", volume, {3: disc()})
    segmentation.GetSegmentation().GetSegment("GM").SetTag(SLICES_TAG, "{cut")
    assert followed.drawn() == [3]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_axis_is_found_and_then_kept(volume, segmentation, axis):
    array = np.zeros((14, 30, 40), np.uint8)
    for index in (3, 9):
        block = [slice(4, 11), slice(8, 20), slice(9, 25)]
        block[axis] = index
        array[tuple(block)] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, "SOL", volume)
    assert propagation_axis(volume, segmentation) == axis
    assert Followed(volume, segmentation, axis).drawn("SOL") == [3, 9]
    annotations, ids = read_annotations(volume, segmentation, axis)
    assert ids == ["SOL"]
    np.testing.assert_array_equal(annotations.muscles[0].drawn[9], np.take(array, 9, axis).astype(bool))
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones_like(array), segmentation, "GM", volume)
    assert propagation_axis(volume, segmentation) == axis


def test_axis_of_an_empty_segmentation_is_the_first(volume, segmentation):
    assert propagation_axis(volume, segmentation) == 0
    with pytest.raises(InputError, match="'muscles': no slice is drawn"):
        read_annotations(volume, segmentation, 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_neighbouring_slices_are_told_apart(volume, axis):
    segmentation = add_segmentation(volume, ["GM", "Not muscle"])
    rng = np.random.default_rng(axis)
    shape = slicer.util.arrayFromVolume(volume).shape
    painted = {}
    for segment_id, slices in (("GM", (2, 3, 4, 9)), ("Not muscle", (3, 5, 6))):
        painted[segment_id] = np.zeros(shape, np.uint8)
        across = np.moveaxis(painted[segment_id], axis, 0)
        across[list(slices)] = rng.random((len(slices), *across.shape[1:])) < 0.3
        slicer.util.updateSegmentBinaryLabelmapFromArray(painted[segment_id], segmentation, segment_id, volume)
    annotations, _ = read_annotations(volume, segmentation, axis)
    for segment_id, found in (("GM", annotations.muscles[0].drawn), ("Not muscle", annotations.not_muscle)):
        across = np.moveaxis(painted[segment_id], axis, 0)
        assert sorted(found) == np.flatnonzero(across.any(axis=(1, 2))).tolist()
        assert all(np.array_equal(mask, across[t] > 0) for t, mask in found.items())


def test_hidden_completed_and_not_muscle(volume):
    segmentation = add_segmentation(volume, ["GM", "GL", "SOL", "Not muscle"])
    for name in ("GM", "GL", "SOL"):
        paint(segmentation, name, volume, {4: disc()})
    paint(segmentation, "Not muscle", volume, {4: disc(centre=(25, 30), radius=3)})
    segmentation.GetDisplayNode().SetSegmentVisibility("GL", False)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(segmentation.GetSegmentation().GetSegment("SOL"), logic.Completed)
    annotations, ids = read_annotations(volume, segmentation, 0)
    assert ids == ["GM"]
    np.testing.assert_array_equal(annotations.not_muscle[4], disc() | disc(centre=(25, 30), radius=3))


def test_hidden_segment_on_another_grid_is_in_nobodys_way(followed, volume, segmentation):
    paint(segmentation, "GM", volume, {4: disc()})
    other = add_volume(ijk_to_ras=OBLIQUE @ np.diag([1.3, 1.3, 1.3, 1]))
    paint(segmentation, "SOL", other, {4: disc()})
    with pytest.raises(InputError, match="segment 'SOL' does not lie"):
        followed.tracker.refresh()
    before = followed.events
    segmentation.GetDisplayNode().SetSegmentVisibility("SOL", False)
    assert followed.events > before, "hiding is noticed"
    assert followed.drawn() == [4]
    assert read_annotations(volume, segmentation, 0)[1] == ["GM"]


def test_volume_shifted_by_half_a_voxel_is_refused(volume, segmentation):
    paint(segmentation, "GM", volume, {4: disc()})
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    matrix.SetElement(0, 3, matrix.GetElement(0, 3) + 0.15)
    volume.SetIJKToRASMatrix(matrix)
    with pytest.raises(InputError, match="segment 'GM' does not lie on the voxels"):
        read_annotations(volume, segmentation, 0)


def test_removed_segment_and_deleted_nodes(followed, volume, segmentation):
    paint(segmentation, "GM", volume, {4: disc()})
    followed.tracker.refresh()
    segmentation.GetSegmentation().RemoveSegment("GM")
    assert followed.tracker.refresh()
    assert list(followed.tracker.states) == ["SOL"]
    slicer.mrmlScene.RemoveNode(segmentation)
    followed.tracker.refresh()
    assert followed.tracker.states == {}
    followed.tracker.follow(None)


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["paint", "erase", "undo", "redo", "accept", "refresh"]), st.integers(0, 5)), max_size=14
)


@settings(max_examples=40, deadline=None)
@given(ACTIONS)
def test_a_slice_is_drawn_unless_it_is_what_an_accept_wrote(actions):
    """The rule, against a model that remembers who wrote what, over any order of strokes, undo and accepts."""
    new_scene()
    volume = add_volume((6, 12, 12))
    segmentation = add_segmentation(volume, ["GM"])
    followed, editor = Followed(volume, segmentation), Editor(segmentation, volume)
    written: set[tuple[int, bytes]] = set()
    for step, (action, index) in enumerate(actions):
        mask = disc((12, 12), (5, 5), 2 + step % 3)
        if action in ("paint", "erase"):
            editor.stroke("GM", index, mask, erase=action == "erase")
        elif action == "undo" and editor.logic.CanUndo():
            editor.logic.Undo()
        elif action == "redo" and editor.logic.CanRedo():
            editor.logic.Redo()
        elif action == "accept":
            labels = np.zeros((6, 12, 12), np.uint8)
            labels[:, disc((12, 12), (6, 6), 3)] = 1
            drawn = followed.drawn()
            accept(followed.subject, ["GM"], labels, {}, editor.logic.SaveStateForUndo)
            now = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "GM", volume)
            written |= {(t, now[t].tobytes()) for t in range(6) if t not in drawn}
        else:
            followed.tracker.refresh()
    now = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "GM", volume)
    expected = [t for t in range(6) if now[t].any() and (t, now[t].tobytes()) not in written]
    assert set(expected) <= set(followed.drawn()), "nothing of the expert's may be lost"


def test_drawing_that_is_put_in_place_of_another_is_followed(followed, volume, segmentation):
    """As sequences do with each item; the node stays, what it holds is another object."""
    paint(segmentation, "GM", volume, {3: disc(), 9: disc()})
    assert followed.drawn() == [3, 9]
    other = add_segmentation(volume, ["GM"])
    paint(other, "GM", volume, {5: disc()})
    before = followed.events
    segmentation.SetAndObserveSegmentation(other.GetSegmentation())
    slicer.mrmlScene.RemoveNode(other)
    assert followed.events > before and followed.drawn() == [5]
    before = followed.events
    Editor(segmentation, volume).stroke("GM", 7, disc())
    assert followed.events > before and followed.drawn() == [5, 7]
