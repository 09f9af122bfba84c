"""What is handed back: drawn slices voxel for voxel, whatever the labels say and however contours overlap."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation, parse_slices_tag, slices_tag
from MusclePropLib.core.drawings import with_filled_tags
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.propagated import PROVENANCE_TAG, propagated_segmentation
from MusclePropLib.core.segmentation import annotations_from_segmentation, read_segmentation, write_segmentation
from MusclePropLib.core.segments import Segment

SHAPE = (5, 4, 3)
masks = arrays(bool, SHAPE[1:]).filter(np.any)
drawn_slices = st.dictionaries(st.integers(0, SHAPE[0] - 1), masks, min_size=1)
SUMMARY = {"muscles": [{"method": "flow"}, {"method": "a|b"}], "provenance": {"seed": 0}}


def annotations_of(drawn, axis=0):
    return Annotations(
        SHAPE, [MuscleAnnotation(name, d) for name, d in zip(("GM", "GL"), drawn, strict=False)], axis=axis
    )


@given(arrays(np.uint8, SHAPE, elements=st.integers(0, 2)), st.tuples(drawn_slices, drawn_slices), st.integers(0, 2))
def test_drawn_slices_come_back_as_drawn(labels, drawn, axis):
    stored = Geometry.from_spacing(np.moveaxis(np.empty(SHAPE), 0, axis).shape, (1, 1, 1))
    result = propagated_segmentation(labels.copy(), annotations_of(drawn, axis), stored, SUMMARY)
    everyone = np.zeros(SHAPE, bool)
    for index, own in enumerate(drawn):
        mask = np.moveaxis(result.mask(index), axis, 0)
        for t in range(SHAPE[0]):
            if t in own:
                assert np.array_equal(mask[t], own[t])
            elif not any(t in other for other in drawn):
                assert np.array_equal(mask[t], labels[t] == index + 1)
        everyone |= mask
    assert result.geometry.shape == stored.shape


def test_no_copy_where_nothing_overlaps():
    mask = np.zeros(SHAPE[1:], bool)
    mask[1, 1] = True
    labels = np.zeros(SHAPE, np.uint8)
    labels[2] = mask
    result = propagated_segmentation(labels, annotations_of([{2: mask}]), Geometry.from_spacing(SHAPE, (1, 1, 1)), {})
    assert np.shares_memory(result.layers[0], labels)


def test_record_survives_the_file(tmp_path):
    drawn = [{1: np.ones(SHAPE[1:], bool)}, {1: np.eye(4, 3, dtype=bool)}]
    labels = np.ones(SHAPE, np.uint8)
    grid = Geometry.from_spacing(SHAPE, (2, 1, 1))
    write_segmentation(tmp_path / "out.seg.nrrd", propagated_segmentation(labels, annotations_of(drawn), grid, SUMMARY))
    read = read_segmentation(tmp_path / "out.seg.nrrd")
    assert json.loads(read.segments[1].tags[PROVENANCE_TAG])["muscle"] == {"method": "a|b"}
    assert parse_slices_tag(read.segments[0].tags["MuscleProp.Slices"], "out") == (0, {1}, set())
    assert np.array_equal(read.mask(1)[1], drawn[1][1])


def box(rows, columns):
    mask = np.zeros((8, 9), bool)
    mask[rows, columns] = True
    return mask


@pytest.fixture
def result(tmp_path):
    """GM above GL on all of six slices, drawn on the first and the last, in a file."""
    return result_drawn_on(tmp_path, 0, 5)


def result_drawn_on(tmp_path, *slices):
    masks = box(slice(0, 3), slice(2, 6)), box(slice(3, 6), slice(2, 6))
    muscles = [MuscleAnnotation(name, dict.fromkeys(slices, m)) for name, m in zip(("GM", "GL"), masks, strict=True)]
    labels = np.tile(masks[0] + np.uint8(2) * masks[1], (6, 1, 1))
    grid = Geometry.from_spacing(labels.shape, (2, 1, 1))
    path = tmp_path / "out.seg.nrrd"
    write_segmentation(path, propagated_segmentation(labels, Annotations(labels.shape, muscles), grid, SUMMARY))
    return path


def painted(path, change, without=""):
    """What is drawn, by the file, after another program that keeps its header has changed the voxels.

    It loses the tag `without`.
    """
    image = sitk.ReadImage(path)
    labels = sitk.GetArrayFromImage(image)
    change(labels)
    changed = sitk.GetImageFromArray(labels)
    changed.CopyInformation(image)
    return written_over(path, changed, image, without)


def written_over(path, changed, image, without=""):
    for key in image.GetMetaDataKeys():
        tags = image.GetMetaData(key).split("|")
        changed.SetMetaData(key, "|".join(tag for tag in tags if not without or not tag.startswith(f"{without}:")))
    sitk.WriteImage(changed, path)
    return {m.name: m.drawn for m in annotations_from_segmentation(read_segmentation(path)).muscles}


def test_a_result_is_drawn_where_it_was(result):
    drawn = painted(result, lambda labels: None)
    assert {name: list(slices) for name, slices in drawn.items()} == {"GM": [0, 5], "GL": [0, 5]}


def test_a_slice_of_a_result_that_somebody_redraws_is_drawn(result):
    def redraw(labels):
        labels[2][labels[2] == 1] = 0
        labels[2, 0:2, 0:8] = 1

    drawn = painted(result, redraw)
    assert {name: list(slices) for name, slices in drawn.items()} == {"GM": [0, 2, 5], "GL": [0, 5]}
    assert np.array_equal(drawn["GM"][2], box(slice(0, 2), slice(0, 8)))


def test_the_only_filled_slices_can_all_be_redrawn(tmp_path):
    """That no checksum fits any more is not the sign of another grid where there are but two."""

    def trim(labels):
        labels[1:5:3, :1] = 0

    drawn = painted(result_drawn_on(tmp_path, 0, 2, 3, 5), trim)
    assert list(drawn["GM"]) == list(range(6)) and list(drawn["GL"]) == [0, 2, 3, 5]


def test_a_result_whose_slices_are_cut_is_drawn_where_it_was(result):
    """Then no checksum fits."""
    image = sitk.ReadImage(result)
    image.EraseMetaData("Segmentation_ConversionParameters")  # else it is put back into the whole grid
    assert list(written_over(result, image[1:, 1:, :], image)["GM"]) == [0, 5]


def smooth(labels):
    labels[1:5, 2, 2:4] = 0


def test_all_filled_slices_of_a_muscle_may_be_corrected(result):
    drawn = painted(result, lambda labels: (smooth(labels), smooth(labels[:, ::-1])))
    assert [list(slices) for slices in drawn.values()] == [list(range(6))] * 2


def test_slices_of_another_muscle_tell_that_the_grid_is_the_same(result):
    """As those that Slicer has filled do not say on which one they were."""
    drawn = painted(result, smooth, without="MuscleProp.FilledOn")
    assert list(drawn["GM"]) == list(range(6)) and list(drawn["GL"]) == [0, 5]


def test_a_neighbour_that_is_only_painted_over_is_not_drawn_by_that(result):
    def paint_over(labels):
        labels[2, 2:4, 2:6] = 1

    def trim(labels):
        labels[3, 5, 2:6] = 0

    assert list(painted(result, paint_over)["GL"]) == [0, 5]
    assert list(painted(result, trim)["GL"]) == [0, 3, 5]


def test_a_muscle_that_lost_a_rim_on_all_sides_to_its_neighbour_is_not_drawn_by_that(tmp_path):
    """The middle of what it lost lies in itself."""
    inner, outer = np.zeros((2, 12, 12), bool)
    inner[4:8, 4:8] = outer[2:10, 2:10] = True
    outer &= ~inner
    muscles = [MuscleAnnotation(n, {0: m, 5: m}) for n, m in (("GM", inner), ("GL", outer))]
    labels = np.tile(inner + np.uint8(2) * outer, (6, 1, 1))
    path, grid = tmp_path / "out.seg.nrrd", Geometry.from_spacing(labels.shape, (2, 1, 1))
    write_segmentation(path, propagated_segmentation(labels, Annotations(labels.shape, muscles), grid, SUMMARY))

    def paint_over(labels):
        labels[2][labels[2] == 1] = 2
        labels[2, 5:7, 5:7] = 1

    drawn = painted(path, paint_over)
    assert list(drawn["GM"]) == [0, 5] and list(drawn["GL"]) == [0, 2, 5]


@pytest.mark.parametrize("other", [2, 3], ids=["drawn there", "new"])
def test_a_slice_that_another_contour_takes_from_is_not_drawn_by_that(tmp_path, other):
    path = result_drawn_on(tmp_path, 0, 5)
    read = read_segmentation(path)
    if other == 2:
        known = MuscleAnnotation("GL", dict.fromkeys((0, 2, 5)))
        read.segments[1].tags["MuscleProp.Slices"] = slices_tag(known, 0)
    told = with_filled_tags(read)
    told.layers[0] = told.layers[0].copy()
    told.layers[0][2, 2, 2:6] = other
    if other == 3:
        told.segments.append(Segment("tendon", value=3))
    write_segmentation(path, told)
    drawn = {m.name: list(m.drawn) for m in annotations_from_segmentation(read_segmentation(path)).muscles}
    assert drawn["GM"] == [0, 5]


def test_two_muscles_corrected_on_one_slice_are_both_drawn(result):
    """That the one gained what the other one lost does not mean that it was there."""

    def correct(labels):
        labels[2, 5, 2:6] = 0
        labels[2, 0:3, 6:8] = 1

    drawn = painted(result, correct)
    assert list(drawn["GM"]) == [0, 2, 5] and list(drawn["GL"]) == [0, 2, 5]
