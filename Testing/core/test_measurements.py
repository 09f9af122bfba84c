"""Measurements against shapes of known volume, against SimpleITK, and against what a propagation leaves behind."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib.core.annotations import SLICES_TAG, Annotations, MuscleAnnotation, slices_tag
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.images import image_of
from MusclePropLib.core.measurements.muscle import Known, measure_muscle
from MusclePropLib.core.measurements.profile import profile
from MusclePropLib.core.measurements.recording import measure
from MusclePropLib.core.measurements.records import Places, known_of, recorded_positions
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.measurements.tables import as_csv, muscle_rows, slice_rows
from MusclePropLib.core.measurements.uncertainty import expected_range
from MusclePropLib.core.propagated import PROVENANCE_TAG, propagated_segmentation
from MusclePropLib.core.segments import Segment, Segmentation, segmentation_from_labels
from MusclePropLib.core.volumes import Volume

SHAPE = (90, 110, 100)
SPACING = (1.1, 0.5, 0.7)
AXES = (38.0, 22.0, 27.0)  # mm, an ellipsoid's half axes
HALF_PERCENT = 0.005


def grid(shear=0.0):
    geometry = Geometry.from_spacing(SHAPE, SPACING)
    affine = geometry.affine.copy()
    affine[1, 0] = shear * SPACING[0]
    return Geometry(SHAPE, affine)


def points(geometry):
    """LPS mm of every voxel about the grid's centre, (3, slices, rows, columns)."""
    index = np.indices(geometry.shape).reshape(3, -1) - (np.array(geometry.shape)[:, None] - 1) / 2
    return (geometry.affine[:3, :3] @ index).reshape(3, *geometry.shape)


def turned(x, y, z, degrees=25):
    """z, y, x in axes turned about the left-right and the front-back axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    y, z = c * y - s * z, s * y + c * z
    return c * z - s * x, y, s * z + c * x


def ellipsoid(geometry, tilt=0):
    z, y, x = turned(*points(geometry), tilt)
    return (z / AXES[0]) ** 2 + (y / AXES[1]) ** 2 + (x / AXES[2]) ** 2 <= 1


def whole(mask, geometry, positions=None, known=None):
    return measure_muscle("M", (1, 0, 0), profile(mask.astype(np.uint8)), Stack.of(geometry, positions), known)


@pytest.mark.parametrize("shear", [0.0, 0.4])
@pytest.mark.parametrize("tilt", [0, 25])
def test_ellipsoid(tilt, shear):
    """Also on a grid whose slices are shifted against each other: the distance between them counts, not the step."""
    geometry = grid(shear)
    found = whole(ellipsoid(geometry, tilt), geometry)
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * math.prod(AXES) / 1000, rel=HALF_PERCENT)
    if not tilt:
        assert found.max_area_mm2 == pytest.approx(math.pi * AXES[1] * AXES[2], rel=HALF_PERCENT)
        assert found.max_area_position_mm == pytest.approx((SHAPE[0] - 1) / 2 * SPACING[0], abs=SPACING[0])
        assert found.length_mm == pytest.approx(2 * AXES[0], abs=SPACING[0])


@pytest.mark.parametrize("tilt", [0, 25])
def test_cone(tilt):
    geometry = grid()
    z, y, x = turned(*points(geometry), tilt)
    height, radius = 64 * SPACING[0], 18.0  # untilted, its base is the face of a slice
    mask = (np.hypot(x, y) <= radius * (0.5 - z / height)) & (np.abs(z) <= height / 2)
    found = whole(mask, geometry)
    assert found.volume_ml == pytest.approx(math.pi * radius**2 * height / 3 / 1000, rel=HALF_PERCENT)


@pytest.mark.parametrize(
    ("area", "exact"),
    [(lambda z: math.pi * (z / 3) ** 2, "cones_ml"), (lambda z: 10.0 * z, "spline_ml")],
    ids=["cone", "paraboloid"],
)
def test_spline_and_cones_through_the_drawn_slices(area, exact):
    """A cone is what truncated cones are exact for, a paraboloid what the spline is: its area is linear in z."""
    stack = Stack.of(Geometry.from_spacing((61, 4, 4), (1.0, 0.1, 0.1)))
    areas = area(np.arange(61))
    known = Known(drawn=(10, 25, 40, 50))
    found = measure_muscle("M", (1, 0, 0), profile_of_areas(areas / stack.pixel_mm2), stack, known)
    assert found.between_drawn_ml == pytest.approx(areas[10:51].sum() / 1000, rel=1e-3)
    assert getattr(found, exact) == pytest.approx(found.between_drawn_ml, rel=1e-3)
    assert found.spline_ml == pytest.approx(found.between_drawn_ml, rel=HALF_PERCENT)


def profile_of_areas(voxels):
    from MusclePropLib.core.measurements.profile import Profile

    return Profile(np.rint(voxels).astype(int), np.zeros((len(voxels), 2)))


@pytest.mark.parametrize("drawn", [(), (30,)])
def test_no_volume_from_fewer_than_two_drawn_slices(drawn):
    geometry = grid()
    found = whole(ellipsoid(geometry), geometry, known=Known(drawn=drawn))
    assert found.spline_ml is found.cones_ml is found.between_drawn_ml is None


def test_tracked_positions_are_used():
    """The same body swept at a changing speed, and with the hand going back for a while."""
    positions = np.cumsum(np.r_[0, np.full(60, 0.4), np.full(20, -0.3), np.full(70, 0.9)])
    geometry = Geometry.from_spacing((len(positions), 100, 100), (0.7, 0.5, 0.5))
    y, x = np.ogrid[-24.75:24.76:0.5, -24.75:24.76:0.5]
    middle, half = 40.0, 33.0
    radius2 = 20.0**2 * (1 - ((positions - middle) / half) ** 2)
    mask = (y**2 + x**2)[None] <= radius2[:, None, None]
    found = whole(mask, geometry, positions)
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * half * 20**2 / 1000, rel=HALF_PERCENT)
    assert found.length_mm == pytest.approx(2 * half, abs=1.5)
    assert found.max_area_position_mm == pytest.approx(middle, abs=2.5)  # nearer, areas differ by less than a pixel
    assert found.centroids_mm[found.max_area_slice][2] == pytest.approx(found.max_area_position_mm)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_against_simpleitk(axis):
    """Two labels with an oblique direction, along every axis: volume, centroid, mean and deviation."""
    rng = np.random.default_rng(3)
    geometry = oblique((30, 26, 22))
    labels = np.zeros(geometry.shape, np.uint8)
    labels[5:20, 4:15, 3:18] = 1
    labels[rng.random(geometry.shape) < 0.05] = 2
    image = rng.normal(1e4, 30, geometry.shape).astype(np.float32)
    recording = measure(segmentation_from_labels(labels, geometry), Volume(image, geometry), axis=axis)
    shapes, statistics = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelIntensityStatisticsImageFilter()
    shapes.Execute(image_of(labels, geometry))
    statistics.Execute(image_of(labels, geometry), image_of(image, geometry))
    for label, found in enumerate(recording.muscles, 1):
        assert found.volume_ml == pytest.approx(shapes.GetPhysicalSize(label) / 1000, rel=1e-9)
        weights = found.areas_mm2 / found.areas_mm2.sum()
        centroid = np.nansum(found.centroids_mm * weights[:, None], axis=0)
        np.testing.assert_allclose(centroid, shapes.GetCentroid(label), atol=1e-6)
        assert found.intensity_mean == pytest.approx(statistics.GetMean(label), rel=1e-9)
        assert found.intensity_sd == pytest.approx(statistics.GetStandardDeviation(label), rel=1e-6)


def oblique(shape):
    affine = np.array([[0.3, 0.02, 0.1, 12.0], [-0.05, 0.28, -0.2, -7.0], [-0.02, 0.1, 1.4, 30.0], [0, 0, 0, 1.0]])
    direction, _ = np.linalg.qr(affine[:3, :3])
    affine[:3, :3] = direction * [0.3, 0.6, 1.4]
    return Geometry(shape, affine)


def test_a_part_of_a_larger_grid_is_the_same():
    """Slicer's segments hold only the box around their voxels."""
    geometry = grid()
    mask = ellipsoid(geometry).astype(np.uint8)
    image = np.random.default_rng(0).random(SHAPE)
    full = profile(mask, image=image)
    part = profile(mask[10:85, 5:100, 8:95], image=image, offset=(10, 5, 8), slices=SHAPE[0])
    np.testing.assert_array_equal(part.voxels, full.voxels)
    np.testing.assert_allclose(part.centroids, full.centroids)
    assert part.mean == pytest.approx(full.mean)


# What a propagation leaves behind


def annotations(labels):
    drawn = {t: labels[t] == 1 for t in (10, 40, 75)}
    return Annotations(labels.shape, [MuscleAnnotation("GM", drawn, frozenset({0, 89}), (1.0, 0.0, 0.0))])


def propagated(dice=0.9):
    geometry = grid()
    labels = ellipsoid(geometry).astype(np.uint8)
    given = annotations(labels)
    confidence = np.full((1, SHAPE[0]), dice)
    confidence[0, given.muscles[0].drawn_slices] = 1.0
    summary = {
        "provenance": {"seed": 3},
        "muscles": [{"name": "GM", "estimate": dice}],
        "confidence": confidence.tolist(),
    }
    return propagated_segmentation(labels, given, geometry, summary)


def test_tags_give_drawn_slices_estimate_and_range():
    (found,) = measure(propagated()).muscles
    assert found.known.drawn == (10, 40, 75) and found.known.absent == (0, 89)
    assert found.known.estimate == 0.9 and found.known.provenance["seed"] == 3
    assert found.expected.low_ml < found.volume_ml < found.expected.high_ml
    drawn = list(found.known.drawn)
    np.testing.assert_allclose(found.expected.low_mm2[drawn], found.areas_mm2[drawn])


@given(st.floats(0.3, 0.99), st.floats(0.001, 0.2))
def test_less_confidence_is_a_wider_range_within_the_limits_of_dice(dice, less):
    stack, drawn = Stack.of(grid()), [10, 40, 75]
    areas = np.linspace(100, 2000, SHAPE[0])
    wide, narrow = (expected_range(areas, np.full(SHAPE[0], d), drawn, stack) for d in (max(0.05, dice - less), dice))
    assert wide.high_ml - wide.low_ml > narrow.high_ml - narrow.low_ml
    assert (narrow.low_mm2 >= areas * dice / (2 - dice) - 1e-9).all()
    assert (narrow.high_mm2 <= areas * (2 - dice) / dice + 1e-9).all()
    np.testing.assert_allclose(narrow.low_mm2[drawn], areas[drawn])


@pytest.mark.parametrize("start", [3, SHAPE[0] - 1])
def test_slices_and_confidence_move_to_the_image_grid(start):
    """An image that begins at slice 3, or at the last one and counts backwards."""
    segmentation = propagated()
    step = 1 if start == 3 else -1
    confidence = np.linspace(0.5, 1, SHAPE[0])
    tag = segmentation.segments[0].tags
    tag[PROVENANCE_TAG] = json.dumps(json.loads(tag[PROVENANCE_TAG]) | {"confidence": confidence.tolist()})
    affine = segmentation.geometry.affine.copy()
    affine[:3, 3] += affine[:3, 0] * start
    affine[:3, 0] *= step
    image = np.random.default_rng(0).random((SHAPE[0] - 3, *SHAPE[1:]))
    known = measure(segmentation, Volume(image, Geometry(image.shape, affine))).muscles[0].known
    places = start + step * np.arange(len(image))
    assert known.drawn == tuple(sorted(t for t in range(len(image)) if places[t] in (10, 40, 75)))
    confidence[[0, 10, 40, 75, 89]] = 1  # drawn or absent
    np.testing.assert_allclose(known.confidence, confidence[places])


def test_confidence_of_another_count_of_slices_is_not_used():
    segmentation = propagated()
    tag = segmentation.segments[0].tags
    tag[PROVENANCE_TAG] = json.dumps({"confidence": [0.5] * 7})
    recording = measure(segmentation)
    assert recording.muscles[0].expected is None
    assert any("confidence" in w for w in recording.warnings)


def tracked(positions):
    """The result of a propagation on a tracked sweep."""
    segmentation = propagated()
    for segment in segmentation.segments:
        record = json.loads(segment.tags[PROVENANCE_TAG])
        segment.tags[PROVENANCE_TAG] = json.dumps(record | {"positions_mm": positions.tolist()})
    return segmentation


def test_recorded_positions_are_used_without_the_image():
    positions = np.linspace(0, 9, SHAPE[0]) ** 2
    segmentation, image = tracked(positions), np.random.default_rng(0).random(SHAPE)
    alone = measure(segmentation)
    volumes = [Volume(image, segmentation.geometry, p) for p in (positions, None)]
    beside = [measure(segmentation, volume).muscles[0].volume_ml for volume in volumes]
    assert alone.tracked and [alone.muscles[0].volume_ml] * 2 == pytest.approx(beside)
    assert alone.muscles[0].volume_ml != pytest.approx(measure(propagated()).muscles[0].volume_ml, rel=0.01)


@pytest.mark.parametrize(("start", "step"), [(4, 1), (SHAPE[0] - 1, -1)])
def test_recorded_positions_count_from_the_first_slice_of_the_image(start, step):
    """An image that begins at slice 4, or at the last one and counts backwards: the muscle stays where it is."""
    segmentation = tracked(SPACING[0] * np.arange(SHAPE[0]))
    affine = segmentation.geometry.affine.copy()
    affine[:3, 3] += affine[:3, 0] * start
    affine[:3, 0] *= step
    count = SHAPE[0] - 4 if step > 0 else SHAPE[0]
    image = np.random.default_rng(0).random((count, *SHAPE[1:]))
    recording = measure(segmentation, Volume(image, Geometry(image.shape, affine)))
    whole, found = measure(segmentation).muscles[0], recording.muscles[0]
    assert recording.tracked and found.volume_ml == pytest.approx(whole.volume_ml)
    np.testing.assert_allclose(found.positions_mm, SPACING[0] * np.arange(count), atol=1e-9)
    np.testing.assert_allclose(found.centroids_mm, whole.centroids_mm[start + step * np.arange(count)], atol=1e-6)


def test_recorded_positions_that_do_not_fit_are_warned_of():
    recording = measure(tracked(np.arange(7.0)))
    assert not recording.tracked
    assert any("tracked" in w for w in recording.warnings)


def test_tables_are_tidy():
    recording = measure(propagated())
    (row,) = muscle_rows(recording)
    assert row["volume_ml"] == pytest.approx(recording.muscles[0].volume_ml, rel=1e-5)
    assert row["first_drawn_slice"] == 10 and row["echo_intensity_mean"] is None
    rows = list(slice_rows(recording))
    assert [r["state"] for r in rows if r["slice"] in (39, 40)] == ["propagated", "drawn"]
    assert sum(r["acsa_cm2"] for r in rows) * SPACING[0] / 10 == pytest.approx(row["volume_ml"], rel=1e-4)
    header, *lines = as_csv(rows).splitlines()
    assert header.startswith("file,muscle,slice,position_mm,acsa_cm2")
    assert len(lines) == len(rows) and "nan" not in as_csv(rows)


# Faults


def test_an_empty_segment_is_left_out_and_named():
    segmentation = propagated()
    segmentation.segments.append(Segment("GL", value=7))
    recording = measure(segmentation)
    assert [m.name for m in recording.muscles] == ["GM"]
    assert any("'GL' is empty" in w for w in recording.warnings)


def test_nothing_but_empty_segments():
    segmentation = Segmentation(grid(), [np.zeros(SHAPE, np.uint8)], [Segment("GM")], "x.seg.nrrd")
    with pytest.raises(InputError, match=r"x\.seg\.nrrd: every segment is empty"):
        measure(segmentation)


def test_missing_tags_are_named_and_give_no_spline():
    recording = measure(segmentation_from_labels(ellipsoid(grid()).astype(np.uint8), grid()))
    assert recording.muscles[0].spline_ml is None
    assert any("which slices were drawn" in w for w in recording.warnings)


@pytest.mark.parametrize(
    ("shift", "scale", "sentence"),
    [(0.3, 1, "different grids"), (500, 1, "wholly outside"), (40, 1, "reaches beyond"), (0, 1.01, "different grids")],
)
def test_an_image_on_another_grid(shift, scale, sentence):
    geometry = grid()
    affine = geometry.affine.copy()
    affine[:3, :3] *= scale
    affine[:3, 3] += geometry.affine[:3, 0] * shift
    image = np.random.default_rng(0).random(SHAPE)
    with pytest.raises(InputError, match=sentence):
        measure(propagated(), Volume(image, Geometry(SHAPE, affine), source="other.nrrd"))


def test_annotations_of_other_segments_or_another_axis():
    labels = ellipsoid(grid()).astype(np.uint8)
    given = annotations(labels)
    segmentation = segmentation_from_labels(labels, grid())
    with pytest.raises(InputError, match=r"none of the segments .*GM"):
        measure(segmentation, drawn=given)
    with pytest.raises(InputError, match="along another axis"):
        measure(propagated(), drawn=given, axis=1)


def test_a_tag_that_names_no_slice_binds_nobody_to_its_axis():
    result = propagated()
    none = {SLICES_TAG: '{"axis": 1, "drawn": [], "absent": []}'}
    result.segments.append(replace(result.segments[0], name="planned", tags=none, value=99))
    assert measure(result).axis == 0


def test_whoever_asks_for_an_axis_has_it_and_what_is_known_along_another_one_does_not_count():
    recording = measure(propagated(), axis=1)
    assert recording.axis == 1 and recording.muscles[0].known.drawn == ()
    result, places = tracked(np.arange(SHAPE[0]) ** 1.1), Places(SHAPE[0], np.arange(SHAPE[0]))
    known = [known_of(result.segments[0], places, "", axis=axis) for axis in (0, 1)]
    assert [k.confidence is None for k in known] == [not k.drawn for k in known] == [False, True]
    assert [recorded_positions(result, places, axis)[0] is None for axis in (0, 1)] == [False, True]


@pytest.mark.parametrize("tag", [PROVENANCE_TAG, SLICES_TAG])
def test_a_damaged_tag(tag):
    segmentation = propagated()
    segmentation.segments[0].tags[tag] = "{"
    with pytest.raises(InputError, match=f"GM.*{tag}"):
        measure(segmentation)


def test_not_muscle_is_not_measured():
    segmentation = propagated()
    segmentation.segments.append(Segment("Not muscle", value=1))
    assert [m.name for m in measure(segmentation).muscles] == ["GM"]


def test_tag_round_trip_is_json():
    value = propagated().segments[0].tags
    assert json.loads(value[PROVENANCE_TAG])["confidence"][40] == 1.0
    assert slices_tag(annotations(ellipsoid(grid()).astype(np.uint8)).muscles[0], 0) == value[SLICES_TAG]


def test_the_tables_hold_the_measures():
    recording = measure(propagated())
    (m,), (row,) = recording.muscles, muscle_rows(recording)
    wanted = {
        "volume_low_ml": m.expected.low_ml,
        "volume_high_ml": m.expected.high_ml,
        "expected_dice": 0.9,
        "volume_between_drawn_ml": m.between_drawn_ml,
        "spline_volume_ml": m.spline_ml,
        "cone_volume_ml": m.cones_ml,
        "max_acsa_cm2": m.max_area_mm2 / 100,
        "length_mm": m.length_mm,
        "first_drawn_slice": 10,
        "last_drawn_slice": 75,
    }
    assert {k: row[k] for k in wanted} == pytest.approx(wanted, rel=1e-5)
    assert row["volume_low_ml"] < row["volume_ml"] < row["volume_high_ml"]
    there = next(r for r in slice_rows(recording) if r["slice"] == 30)
    t = {"acsa_low_cm2": m.expected.low_mm2[30] / 100, "acsa_high_cm2": m.expected.high_mm2[30] / 100}
    t |= {f"centroid_{n}_lps_mm": v for n, v in zip("xyz", m.centroids_mm[30], strict=True)}
    assert {k: there[k] for k in t} == pytest.approx(t, rel=1e-5, abs=1e-5)


def test_errors_add_up_within_a_gap_and_not_over_gaps():
    stack = Stack.of(Geometry.from_spacing((21, 4, 4), (1.0, 1.0, 1.0)))
    found = expected_range(np.full(21, 1000.0), np.full(21, 0.8), [0, 10, 20], stack)
    one_gap = 9 * 1000 * (1.2 / 0.8 - 1) / 1000
    assert found.high_ml - 21 == pytest.approx(np.sqrt(2) * one_gap)
