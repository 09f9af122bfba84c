import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from grids import geometries
from hypothesis import given, settings
from hypothesis import strategies as st

from MusclePropLib.core.annotations import SLICES_TAG
from MusclePropLib.core.defaults import DEFAULT_MUSCLES, GL, GM, SOL, default_for_name, default_for_terminology
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.images import image_of, save_image
from MusclePropLib.core.seg_fields import format_reference_grid
from MusclePropLib.core.segmentation import (
    CONVERSION_PARAMETERS,
    Segment,
    annotations_from_segmentation,
    read_segmentation,
    segmentation_from_labels,
    segmentation_from_masks,
    write_segmentation,
)

GRID = Geometry.from_spacing((4, 5, 6), (3.0, 0.5, 0.25))
TEXT = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="|:"), min_size=1, max_size=12)


def overlapping(shape=GRID.shape):
    masks = np.zeros((3, *shape), bool)
    masks[0, :2, :3, :4] = True
    masks[1, 1:, 1:, 1:] = True
    masks[2, -1, 0, 0] = True
    return masks


def disjoint(masks):
    masks[1] &= ~masks[0]
    masks[2] &= ~(masks[0] | masks[1])
    return masks


def named(*names):
    return [Segment(name, (0.25, 0.5, 1.0)) for name in names]


def write_labels(path, array, geometry=GRID):
    save_image(image_of(np.asarray(array), geometry), path)
    return path


def fault(call, *args):
    with pytest.raises(InputError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(max_examples=30)
@given(
    geometry=geometries(),
    overlap=st.booleans(),
    texts=st.lists(TEXT, min_size=6, max_size=6, unique=True),
    color=st.tuples(*[st.integers(0, 255)] * 3),
)
def test_seg_nrrd_keeps_masks_grid_names_colours_and_tags(geometry, overlap, texts, color):
    masks = overlapping(geometry.shape)
    if not overlap:
        masks = disjoint(masks)
    tags = {texts[3]: f'{{"{texts[4]}": [1, 2]}}', texts[5]: "ä ö ü ~^; 'x'"}
    segments = [Segment(t, tuple(c / 255 for c in color), tags) for t in texts[:3]]
    written = segmentation_from_masks(masks, geometry, segments)
    assert len(written.layers) == 1 + overlap
    with tempfile.TemporaryDirectory() as folder:
        write_segmentation(Path(folder, "a.seg.nrrd"), written)
        read = read_segmentation(Path(folder, "a.seg.nrrd"))
        assert read.geometry.matches(geometry)
        for n, segment in enumerate(read.segments):
            np.testing.assert_array_equal(read.mask(n), masks[n])
            assert segment.name == texts[n] and segment.tags == tags
            np.testing.assert_allclose(segment.color, segments[n].color, atol=1e-5)


def test_layers_are_a_list_to_other_readers(tmp_path):
    """As the format says, and as slicerio, Slicer's library for scripts, insists."""
    slicerio = pytest.importorskip("slicerio")
    masks = overlapping()
    write_segmentation(tmp_path / "a.seg.nrrd", segmentation_from_masks(masks, GRID, named("a", "b", "c")))
    read = slicerio.read_segmentation(str(tmp_path / "a.seg.nrrd"))
    assert read["voxels"].shape == (2, *GRID.shape[::-1])
    for segment, mask in zip(read["segments"], masks, strict=True):
        voxels = read["voxels"][segment["layer"]] == segment["labelValue"]
        np.testing.assert_array_equal(voxels, mask.transpose())


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_label_maps_keep_masks_and_grid(tmp_path, suffix):
    masks = disjoint(overlapping())
    write_segmentation(tmp_path / ("a" + suffix), segmentation_from_masks(masks, GRID, named("a", "b", "c")))
    read = read_segmentation(tmp_path / ("a" + suffix))
    assert read.geometry.matches(GRID)
    assert [s.name for s in read.segments] == ["Segment_1", "Segment_2", "Segment_3"]
    for n in range(3):
        np.testing.assert_array_equal(read.mask(n), masks[n])


def test_layers_that_do_not_overlap_share_a_label_map(tmp_path):
    labels = np.zeros((2, *GRID.shape), np.uint8)
    labels[0, 0], labels[1, 1] = 1, 1
    segmentation = segmentation_from_labels(labels[0], GRID)
    segmentation.layers.append(labels[1])
    segmentation.segments.append(replace(segmentation.segments[0], name="b", layer=1))
    write_segmentation(tmp_path / "a.mha", segmentation)
    read = read_segmentation(tmp_path / "a.mha")
    np.testing.assert_array_equal(read.mask(0), labels[0] == 1)
    np.testing.assert_array_equal(read.mask(1), labels[1] == 1)


def test_a_label_map_does_not_hide_an_overlap(tmp_path):
    segmentation = segmentation_from_masks(overlapping(), GRID, named("a", "b", "c"))
    assert "'b' overlaps" in fault(write_segmentation, tmp_path / "a.nii.gz", segmentation)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tags", [{"key": "a|b"}, {"k|ey": "a"}, {"k:ey": "a"}, {"key": "a\nb"}, {"": "a"}])
def test_a_tag_that_slicer_would_damage_is_refused(tmp_path, tags):
    segmentation = segmentation_from_masks(overlapping()[:1], GRID, [Segment("GM", tags=tags)])
    assert "'GM'" in fault(write_segmentation, tmp_path / "a.seg.nrrd", segmentation)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", [(100, 150, 200), (100, 200), (150,)])
def test_leg_3d_us_values_name_the_muscles(tmp_path, values):
    array = np.zeros(GRID.shape, np.uint8)
    array[0, 0, : len(values)] = values
    read = read_segmentation(write_labels(tmp_path / "masks.mha", array))
    assert [s.name for s in read.segments] == [{100: "SOL", 150: "GM", 200: "GL"}[v] for v in values]
    assert [default_for_terminology(s.tags["TerminologyEntry"]).name for s in read.segments] == [
        s.name for s in read.segments
    ]


def test_other_values_are_numbered_and_can_be_named(tmp_path):
    array = np.zeros(GRID.shape, np.uint8)
    array[0, 0, :3] = 7, 100, 150
    path = write_labels(tmp_path / "masks.mha", array)
    assert [s.name for s in read_segmentation(path).segments] == ["Segment_7", "Segment_100", "Segment_150"]
    names = {100: "Tibia", 7: "Müller"}
    assert [s.name for s in read_segmentation(path, names).segments] == ["Müller", "Tibia", "Segment_150"]


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_whole_numbers_of_any_type_are_labels(tmp_path, dtype):
    array = np.zeros(GRID.shape, dtype)
    array[1], array[2, 2] = 3, 90
    read = read_segmentation(write_labels(tmp_path / "a.mha", array))
    np.testing.assert_array_equal(read.mask(0), array == 3)
    np.testing.assert_array_equal(read.mask(1), array == 90)


def test_a_two_byte_label_map_is_shared_not_copied():
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2] = 1
    assert segmentation_from_labels(labels, GRID).layers[0] is labels


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(GRID.shape, np.uint8), "no segment"),
        (np.full(GRID.shape, -1, np.int16), "negative"),
        (np.full(GRID.shape, 0.5, np.float32), "whole numbers"),
        (np.full(GRID.shape, np.nan, np.float32), "whole numbers"),
        (np.arange(7 * 8 * 9, dtype=np.int16).reshape(7, 8, 9), "different values"),
        (np.zeros((4, 5, 6, 3), np.uint8), "values per voxel"),
        (np.ones((5, 6), np.uint8), "one slice"),
    ],
)
def test_what_is_not_a_label_map(tmp_path, array, words):
    path = tmp_path / "a.mha"
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=array.ndim == 4), path)
    message = fault(read_segmentation, path)
    assert words in message and str(path) in message


def test_missing_file_and_no_image(tmp_path):
    assert "no such file" in fault(read_segmentation, tmp_path / "a.seg.nrrd")
    (tmp_path / "b.seg.nrrd").write_text("nonsense", encoding="utf-8")
    assert "not an image" in fault(read_segmentation, tmp_path / "b.seg.nrrd")


def write_header(path, array, fields):
    image = image_of(array, GRID)
    for key, value in fields.items():
        image.SetMetaData(key, value)
    save_image(image, path)
    return path


def test_files_of_before_layers_hold_one_segment_per_component(tmp_path):
    masks = overlapping()
    fields = {f"Segment{n}_Name": name for n, name in enumerate("abc")}
    read = read_segmentation(write_header(tmp_path / "a.seg.nrrd", np.stack(masks, -1).astype(np.uint8), fields))
    assert [s.name for s in read.segments] == ["a", "b", "c"]
    for n in range(3):
        np.testing.assert_array_equal(read.mask(n), masks[n])


@pytest.mark.parametrize(("low", "high", "drawn"), [((0, 0, 0), (2, 5, 6), [1, 3]), ((1, 2, 1), (4, 5, 6), [2, 3])])
def test_segments_beyond_the_grid_that_a_file_names_are_not_cut_off(tmp_path, low, high, drawn):
    """A segment that was drawn on another volume; its tag counts slices on the grid that is named."""
    affine = GRID.affine.copy()
    affine[:, 3] = GRID.affine @ [*low, 1]
    tag = json.dumps({"axis": 0, "drawn": [t - low[0] for t in drawn], "absent": []})
    fields = {
        "Segment0_Name": "GM",
        "Segment0_Tags": f"{SLICES_TAG}:{tag}|",
        CONVERSION_PARAMETERS: format_reference_grid(Geometry(tuple(np.subtract(high, low)), affine)),
    }
    read = read_segmentation(write_header(tmp_path / "a.seg.nrrd", np.ones(GRID.shape, np.uint8), fields))
    assert read.geometry.matches(GRID) and read.mask(0).all()
    assert annotations_from_segmentation(read).muscles[0].drawn_slices == drawn


def test_names_that_are_not_utf8(tmp_path):
    path = tmp_path / "a.seg.nrrd"
    fields = {"Segment0_Name": "M-ller", "Segment0_Tags": "Arzt:Jürgen|"}
    write_header(path, np.ones(GRID.shape, np.uint8), fields)
    path.write_bytes(path.read_bytes().replace(b"M-ller", b"M\xfcller"))
    read = read_segmentation(path)
    assert read.segments[0].name == "Müller" and read.segments[0].tags == {"Arzt": "Jürgen"}
    write_segmentation(path, read)
    assert read_segmentation(path).segments[0].name == "Müller"


@pytest.mark.parametrize("field", [{"Layer": "2"}, {"LabelValue": "x"}, {"Color": "1 0"}, {"Color": "red"}])
def test_a_damaged_description(tmp_path, field):
    fields = {"Segment0_Name": "GM"} | {f"Segment0_{key}": value for key, value in field.items()}
    path = write_header(tmp_path / "a.seg.nrrd", overlapping()[0].astype(np.uint8), fields)
    assert str(path) in fault(read_segmentation, path)


@settings(max_examples=60)
@given(
    geometry=geometries(),
    order=st.permutations(range(3)),
    flips=st.tuples(*[st.booleans()] * 3),
    low=st.tuples(*[st.integers(-3, 3)] * 3),
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    seed=st.integers(0, 99),
)
def test_aligned_grids_are_padded_cropped_turned_exactly(geometry, order, flips, low, shape, seed):
    labels = np.random.default_rng(seed).integers(0, 3, geometry.shape, np.uint8)
    labels.flat[0] = 1
    move = np.zeros((4, 4))
    for axis, (source, flip) in enumerate(zip(order, flips, strict=True)):
        move[source, axis] = -1 if flip else 1
        move[source, 3] = low[axis] + flip * (geometry.shape[source] - 1)
    move[3, 3] = 1
    target = Geometry(shape, geometry.affine @ move)
    moved = segmentation_from_labels(labels, geometry).resampled_to(target).layers[0]
    assert moved.shape == shape
    for index in np.ndindex(shape):
        stored = np.rint(move @ [*index, 1])[:3].astype(int)
        inside = all(0 <= i < n for i, n in zip(stored, labels.shape, strict=True))
        assert moved[index] == (labels[tuple(stored)] if inside else 0)


@pytest.mark.parametrize(
    "other",
    [
        Geometry(GRID.shape, GRID.affine + np.outer([0, 0, 1, 0], [0, 0, 0, 1.5])),
        Geometry.from_spacing(GRID.shape, (3.0, 0.5, 0.26)),
        Geometry.from_spacing((4, 5, 3), (3.0, 0.5, 0.5)),
        Geometry.from_spacing((8, 5, 6), (1.5, 0.5, 0.25)),
    ],
)
def test_other_grids_are_refused(other):
    segmentation = segmentation_from_labels(np.ones(GRID.shape, np.uint8), GRID, source="a.seg.nrrd")
    assert "a.seg.nrrd: different grids" in fault(segmentation.resampled_to, other)


TURN = np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            Geometry.from_spacing(GRID.shape, (3.0, 0.5, 0.26)),
            "(spacing 0.25 x 0.5 x 3 mm, not 0.26 x 0.5 x 3 mm)",
        ),
        (
            Geometry.from_spacing((4, 5, 3), (3.0, 0.5, 0.5)),
            "(size 6 x 5 x 4 voxels, not 3 x 5 x 4 voxels; spacing 0.25 x 0.5 x 3 mm, not 0.5 x 0.5 x 3 mm)",
        ),
        (
            Geometry(GRID.shape, GRID.affine + np.outer([0, 0, 1, 0], [0, 0, 0, 1.5])),
            "(origin 0, 0, 0 mm, not 0, 0, 1.5 mm)",
        ),
        (
            Geometry(GRID.shape, TURN @ GRID.affine),
            "(direction 1 0 0 0 1 0 0 0 1, not 0.8 -0.6 0 0.6 0.8 0 0 0 1)",
        ),
    ],
)
def test_what_sets_other_grids_apart_is_said(other, said):
    segmentation = segmentation_from_labels(np.ones(GRID.shape, np.uint8), GRID, source="a.nii.gz")
    assert fault(segmentation.resampled_to, other).endswith(said)


def test_a_small_difference_is_shown_with_the_digits_it_takes():
    grid = Geometry.from_spacing((4, 5, 600), (3.0, 0.5, 0.25))
    other = Geometry.from_spacing((4, 5, 600), (3.0, 0.5, 0.25001))
    assert grid.differences(other) == "spacing 0.25 x 0.5 x 3 mm, not 0.25001 x 0.5 x 3 mm"


def test_the_same_grid_is_not_copied():
    segmentation = segmentation_from_labels(np.ones(GRID.shape, np.uint8), GRID)
    assert segmentation.resampled_to(Geometry(GRID.shape, GRID.affine)) is segmentation


def test_default_muscles_are_found_by_any_of_their_names():
    assert default_for_name(" soleus ") is SOL and default_for_name("gm") is GM
    assert default_for_name("Gastrocnemius lateralis") is GL and default_for_name("Tibia") is None
    assert len({m.terminology for m in DEFAULT_MUSCLES}) == 3


def test_real_labels(real):
    read = read_segmentation(real / "mr_brats_tumour_pat0006" / "label.nrrd")
    assert [s.value for s in read.segments] == [1, 2, 3, 4]
