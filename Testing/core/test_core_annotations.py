import tracemalloc

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from MusclePropLib.core.annotations import (
    SLICES_TAG,
    Annotations,
    MuscleAnnotation,
    State,
    load_annotations,
    parse_slices_tag,
    save_annotations,
    slices_tag,
    sparse_axis,
)
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segmentation import (
    Segment,
    annotations_from_segmentation,
    read_segmentation,
    segmentation_from_annotations,
    segmentation_from_labels,
    segmentation_from_masks,
    write_segmentation,
)

SHAPE = (30, 24, 40)
GRID = Geometry.from_spacing(SHAPE, (1.4, 0.2, 0.3))


def disc(row=12, column=14, radius=6):
    rows, columns = np.ogrid[: SHAPE[1], : SHAPE[2]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def calf(slices=range(4, 26)):
    """Three muscles side by side, (3, 30, 24, 40), on the given slices."""
    masks = np.zeros((3, *SHAPE), bool)
    for n, column in enumerate((7, 20, 33)):
        masks[n, list(slices)] = disc(column=column, radius=5)
    return masks


def read(masks, segments=None, axis="auto", pick=None):
    segments = segments or [Segment(n) for n in ("GM", "GL", "SOL")[: len(masks)]]
    geometry = Geometry.from_spacing(np.shape(masks)[1:], (1, 1, 1))
    return annotations_from_segmentation(segmentation_from_masks(masks, geometry, segments), axis, "a.seg.nrrd", pick)


def tagged(name="GM", axis=0, drawn=(), absent=(), **tags):
    annotation = MuscleAnnotation(name, dict.fromkeys(drawn), frozenset(absent))
    return Segment(name, tags={SLICES_TAG: slices_tag(annotation, axis), **tags})


def fault(call, *args, **kwargs):
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# States


def test_without_tags_non_empty_slices_are_drawn_and_the_rest_unknown():
    annotations = read(calf([4, 11, 25]))
    assert annotations.axis == 0 and annotations.shape == SHAPE
    for n, muscle in enumerate(annotations.muscles):
        assert muscle.drawn_slices == [4, 11, 25] and not muscle.absent
        np.testing.assert_array_equal(muscle.drawn[11], calf([11])[n, 11])
        assert muscle.state(5) is State.UNKNOWN


def test_tags_say_what_is_drawn_and_absent():
    masks = calf()[:1]
    muscle = read(masks, [tagged(drawn=[4, 9, 28], absent=[9, 0, 29])]).muscles[0]
    assert muscle.drawn_slices == [4, 9], "28 is named in the tag, but empty"
    assert muscle.absent == {0, 29}, "9 holds a mask, which is the stronger statement"
    assert [muscle.state(t) for t in (4, 5, 29)] == [State.DRAWN, State.UNKNOWN, State.ABSENT]


def test_a_tag_of_another_image_is_noticed():
    assert "is this the image" in fault(read, calf()[:1], [tagged(drawn=[0, 1, 2])])


def test_the_tags_axis_is_taken_and_slices_come_first():
    masks = np.moveaxis(calf([4, 11, 25]), 1, 3)
    annotations = read(masks[:1], [tagged(axis=2, drawn=[4, 25])])
    assert annotations.axis == 2 and annotations.shape == SHAPE
    np.testing.assert_array_equal(annotations.muscles[0].drawn[25], calf([25])[0, 25])


def test_another_axis_than_the_tags_is_an_error():
    segments = [tagged("GM", axis=2, drawn=[4]), tagged("GL", axis=0, drawn=[4])]
    assert "another axis" in fault(read, calf()[:2], segments)
    assert "another axis" in fault(read, calf()[:1], segments[:1], axis=0)


@pytest.mark.parametrize("drawn", [(), (4,)])
def test_the_tag_of_an_empty_segment_binds_nobody_to_its_axis(drawn):
    masks = calf()[:2]
    masks[1] = False
    annotations = read(masks, [tagged("GM", axis=0, drawn=[4]), tagged("GL", axis=2, drawn=drawn)])
    assert annotations.axis == 0 and [m.name for m in annotations.muscles] == ["GM"]
    absent = [tagged("GM", axis=0, drawn=[4]), tagged("GL", axis=2, absent=[0])]
    assert "another axis" in fault(read, masks, absent), "that it is absent somewhere is said, however empty"


@pytest.mark.parametrize("segment", [Segment("Not Muscle "), Segment("bone", tags={"MuscleProp.NotMuscle": "1"})])
def test_not_muscle_is_negative_evidence_and_no_muscle(segment):
    annotations = read(calf([4, 11]), [Segment("GM"), segment, segment])
    assert [m.name for m in annotations.muscles] == ["GM"]
    assert sorted(annotations.not_muscle) == [4, 11]
    np.testing.assert_array_equal(annotations.not_muscle[4], calf()[1, 4] | calf()[2, 4])


def test_empty_segments_are_left_out():
    masks = calf([4, 11])
    masks[1] = False
    assert [m.name for m in read(masks).muscles] == ["GM", "SOL"]


@pytest.mark.parametrize("segments", [None, [tagged(drawn=[])] * 3, [Segment("Not muscle")] * 3])
def test_no_annotation(segments):
    masks = calf([4]) if segments else np.zeros((3, *SHAPE), bool)
    assert "no slice is drawn" in fault(read, masks, segments)


DAMAGED = (
    "x",
    "[]",
    "{}",
    '{"axis": 3, "drawn": [], "absent": []}',
    '{"axis": 0, "drawn": 1, "absent": []}',
    '{"axis": 0, "drawn": ["a"], "absent": []}',
    '{"axis": 1e999, "drawn": [], "absent": []}',
)


@pytest.mark.parametrize("value", DAMAGED)
def test_a_damaged_tag(value):
    message = fault(read, calf()[:1], [Segment("GM", tags={SLICES_TAG: value})])
    assert "a.seg.nrrd" in message and "'GM'" in message


def test_slices_outside_the_volume_are_refused():
    assert "outside" in fault(read, calf()[:1], [tagged(drawn=[4], absent=[30])])


slices = st.frozensets(st.integers(0, 200))


@given(axis=st.integers(0, 2), drawn=slices, absent=slices)
def test_the_tag_comes_back_and_has_no_bar(axis, drawn, absent):
    value = slices_tag(MuscleAnnotation("GM", dict.fromkeys(drawn), absent), axis)
    assert "|" not in value
    assert parse_slices_tag(value, "here") == (axis, drawn, absent)


# To files and back


@st.composite
def annotations(draw):
    shape = draw(st.tuples(*[st.integers(2, 9)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    axis = draw(st.integers(0, 2))

    def masks(slices):
        return {t: rng.random(shape[1:]) < 0.4 for t in slices}

    some = st.frozensets(st.integers(0, shape[0] - 1))
    muscles = []
    for n in range(draw(st.integers(1, 4))):
        drawn = {t: m for t, m in masks(draw(some) | {n % shape[0]}).items() if m.any()}
        absent = draw(some) - set(drawn)
        muscles.append(MuscleAnnotation(f"Müskel {n}", drawn, frozenset(absent), (0.25, 0.5, 1.0), {"a": '"b"'}))
    not_muscle = {t: m for t, m in masks(draw(some)).items() if m.any()}
    return Annotations(shape, [m for m in muscles if m.drawn], not_muscle, axis)


def assert_same(a, b):
    assert (a.shape, a.axis, len(a.muscles)) == (b.shape, b.axis, len(b.muscles))
    for one, other in zip(a.muscles, b.muscles, strict=True):
        assert (one.name, one.absent, one.color) == (other.name, other.absent, other.color)
        assert one.tags.items() <= other.tags.items()
        assert_same_masks(one.drawn, other.drawn)
    assert_same_masks(a.not_muscle, b.not_muscle)


def assert_same_masks(a, b):
    assert sorted(a) == sorted(b)
    for t, mask in a.items():
        np.testing.assert_array_equal(mask, b[t])


@settings(max_examples=40)
@given(original=annotations())
def test_annotations_survive_the_job_folder(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("job") / "annotations.npz"
    save_annotations(original, path)
    assert_same(original, load_annotations(path))


@settings(max_examples=40)
@given(original=annotations().filter(lambda a: a.muscles))
def test_annotations_survive_a_segmentation_file(original, tmp_path_factory):
    stored = tuple(np.insert(original.shape[1:], original.axis, original.shape[0]))
    path = tmp_path_factory.mktemp("seg") / "a.seg.nrrd"
    write_segmentation(path, segmentation_from_annotations(original, Geometry.from_spacing(stored, (1, 1, 1))))
    assert_same(original, annotations_from_segmentation(read_segmentation(path)))


def test_a_slice_that_another_program_adds_to_annotations_is_drawn(tmp_path):
    path, known = tmp_path / "a.seg.nrrd", MuscleAnnotation("GM", {4: disc(), 11: disc()}, frozenset({20}))
    write_segmentation(path, segmentation_from_annotations(Annotations(SHAPE, [known]), GRID))
    image = sitk.ReadImage(path)
    image[:, :, 7] = image[:, :, 4]
    sitk.WriteImage(image, path)
    (muscle,) = annotations_from_segmentation(read_segmentation(path)).muscles
    assert muscle.drawn_slices == [4, 7, 11] and muscle.absent == {20}


@settings(max_examples=40)
@given(
    original=annotations().filter(lambda a: a.muscles),
    order=st.permutations(range(3)),
    flips=st.tuples(*[st.booleans()] * 3),
    pads=st.tuples(*[st.integers(0, 3)] * 6),
)
def test_states_and_masks_move_to_another_grid_and_back(original, order, flips, pads):
    stored = tuple(np.insert(original.shape[1:], original.axis, original.shape[0]))
    grid = Geometry.from_spacing(stored, (1.5, 0.5, 0.25))
    shape = np.array(stored)[list(order)]
    move = np.zeros((4, 4))
    move[3, 3] = 1
    for axis, (source, flip) in enumerate(zip(order, flips, strict=True)):
        move[source, axis] = -1 if flip else 1
        move[source, 3] = stored[source] - 1 + pads[axis] if flip else -pads[axis]
    larger = Geometry(tuple(shape + pads[:3] + pads[3:]), grid.affine @ move)
    moved = segmentation_from_annotations(original, grid).resampled_to(larger)
    there = annotations_from_segmentation(moved)
    assert there.axis == order.index(original.axis)
    first, pad = original.muscles[0], pads[there.axis]
    along = [original.shape[0] - 1 - t if flips[there.axis] else t for t in first.drawn_slices]
    assert there.muscles[0].drawn_slices == sorted(t + pad for t in along)
    assert_same(original, annotations_from_segmentation(moved.resampled_to(grid)))


def test_states_outside_the_other_grid_are_left_out():
    known = Annotations(SHAPE, [MuscleAnnotation("GM", {4: disc(), 11: disc()}, frozenset({0, 12, 29}))])
    affine = GRID.affine.copy()
    affine[:, 3] = affine @ [10, 0, 0, 1]
    cropped = segmentation_from_annotations(known, GRID).resampled_to(Geometry((5, *SHAPE[1:]), affine))
    muscle = annotations_from_segmentation(cropped).muscles[0]
    assert muscle.drawn_slices == [1] and muscle.absent == {2}


# Positive and negative masks


def two_muscles():
    a, b = disc(column=8, radius=5), disc(column=20, radius=5)
    gm = MuscleAnnotation("GM", {4: a, 10: a}, frozenset({20}))
    gl = MuscleAnnotation("GL", {10: b, 15: b, 20: b})
    wrong = np.zeros(SHAPE[1:], bool)
    wrong[0] = True
    return Annotations(SHAPE, [gm, gl], {15: wrong, 10: a | wrong}), a, b, wrong


def test_where_drawn_everything_else_is_negative_even_what_is_called_not_muscle():
    known, a, _, _ = two_muscles()
    np.testing.assert_array_equal(known.positive(0, 10), a)
    np.testing.assert_array_equal(known.negative(0, 10), ~a)


def test_where_absent_everything_is_negative():
    known, *_ = two_muscles()
    assert not known.positive(0, 20).any()
    assert known.negative(0, 20).all()


def test_where_unknown_the_others_less_their_rim_and_the_explicit_are_negative():
    known, _, b, wrong = two_muscles()
    negative = known.negative(0, 15)
    assert not known.positive(0, 15).any()
    assert (negative[wrong]).all() and negative[12, 20]
    rim = b & ~(np.roll(b, 1, 0) & np.roll(b, -1, 0) & np.roll(b, 1, 1) & np.roll(b, -1, 1))
    np.testing.assert_array_equal(negative, (b & ~rim) | wrong)


def test_where_nothing_is_known_nothing_is_negative():
    known, *_ = two_muscles()
    assert not known.negative(1, 7).any() and not known.positive(1, 7).any()


@settings(max_examples=30)
@given(known=annotations())
def test_positive_and_negative_never_meet(known):
    for n in range(len(known.muscles)):
        for t in range(known.shape[0]):
            assert not (known.positive(n, t) & known.negative(n, t)).any()


def test_validate_names_the_fault():
    assert "no slice is drawn" in fault(Annotations(SHAPE, []).validate)
    drawn = MuscleAnnotation("GM", {1: disc()})
    assert "'GL' is drawn on no slice" in fault(Annotations(SHAPE, [drawn, MuscleAnnotation("GL")]).validate)
    assert "outside" in fault(Annotations(SHAPE, [MuscleAnnotation("GM", {30: disc()})]).validate)
    assert "another size" in fault(Annotations(SHAPE, [MuscleAnnotation("GM", {1: disc().T})]).validate)


# The axis of the drawn slices


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "drawn",
    [
        ([4, 11, 18, 25],) * 3,
        ([11],) * 3,
        ([11, 12],) * 3,
        ([4], [11], [25]),
        ([4, 25], [11, 18], [4, 11]),
        (range(4, 26, 2),) * 3,
        (range(4, 26, 2), range(5, 26, 2), range(4, 26, 3)),
        ([4, 5, 6, 20, 21, 22],) * 3,
    ],
    ids=["few", "one", "two-neighbours", "one-each", "incomplete", "every-second", "in-turn", "two-blocks"],
)
def test_the_axis_is_found(axis, drawn):
    masks = [calf(t)[n] for n, t in enumerate(drawn)]
    assert sparse_axis([np.moveaxis(m, 0, axis) for m in masks]) == axis
    annotations = read([np.moveaxis(m, 0, axis) for m in masks])
    assert [m.drawn_slices for m in annotations.muscles] == [sorted(t) for t in drawn]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    ("drawn", "radius"), [(range(0, 30, 4), 4), (range(0, 30, 9), 4), ([2, 3, 4, 20, 21], 4), ([14, 15], 6)]
)
def test_the_gap_between_a_pair_of_bones_is_no_gap_between_slices(axis, drawn, radius):
    """Two neighbouring slices alone show it by how few they are, if a bone is five times as many pixels high."""
    pair = np.zeros(SHAPE, bool)
    pair[list(drawn)] = disc(column=7, radius=radius) | disc(column=32, radius=radius)
    assert sparse_axis([np.moveaxis(pair, 0, axis)]) == axis


def test_a_dense_label_map_is_taken_along_the_first_axis():
    assert sparse_axis(calf()) == 0
    assert sparse_axis(np.moveaxis(calf(), 1, 3)) == 0


def both_legs(slices=range(2, 38)):
    """One muscle of each leg under one name: 21 pixels high and wide, with as many and more between them."""
    rows, columns = np.ogrid[:30, :90]
    legs = np.zeros((40, 30, 90), bool)
    legs[list(slices)] = ((rows - 14) ** 2 + (np.abs(columns - 44) - 25) ** 2) <= 100
    return legs


@pytest.mark.parametrize("across", [1, 2])
def test_the_gap_between_two_legs_is_no_gap_between_slices(across):
    """A complete label map of both legs is as dense as one of a single leg, whichever axis leads from leg to leg."""
    assert sparse_axis([np.moveaxis(both_legs(), 2, across)]) == 0
    assert sparse_axis([np.moveaxis(both_legs(), 2, across), np.moveaxis(both_legs(range(5, 30)), 2, across)]) == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "drawn",
    [(3, 12, 20, 36), (3, 4, 5, 15, 16, 17, 30, 31, 32), [*range(3, 13), *range(24, 34)], [*range(2, 15), 30, 34, 37]],
    ids=["single", "thick-brush", "blocks", "block-and-single"],
)
def test_slices_drawn_of_both_legs(axis, drawn):
    assert sparse_axis([np.moveaxis(both_legs(drawn), 0, axis)]) == axis


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_long_blocks_of_thin_slices(axis):
    large = np.zeros((120, 90, 80), bool)
    large[[*range(5, 30), *range(80, 105)], 2:88, 1:79] = True
    assert sparse_axis([np.moveaxis(large, 0, axis)]) == axis


def test_the_axis_of_the_real_sweep_is_found(real):
    labels = read_segmentation(real / "us_leg_fibula_sweepA" / "label.nrrd").layers[0]
    filled = np.flatnonzero(labels.any(axis=(1, 2)))
    for count in (1, 3, 5, 9, len(filled)):
        sparse = np.zeros_like(labels)
        for t in np.linspace(filled[0], filled[-1], count).round().astype(int):
            sparse[t] = labels[t]
        assert sparse_axis([sparse > 0]) == 0
        assert sparse_axis([np.moveaxis(sparse > 0, 0, 2)]) == (2 if count < len(filled) else 0)


# Memory


def test_only_the_slices_that_are_kept_are_copied():
    labels = np.zeros((200, 300, 200), np.uint8)
    labels[10:190, 50:250, 50:150] = 1
    segmentation = segmentation_from_labels(labels, Geometry.from_spacing(labels.shape, (1, 1, 1)))
    tracemalloc.start()
    annotations = annotations_from_segmentation(segmentation, pick=lambda filled: filled[[0, -1]])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert annotations.muscles[0].drawn_slices == [10, 189]
    assert peak < labels.nbytes / 20
