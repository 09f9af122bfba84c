"""Scores against hand-computed values, known shifts and an independent library."""

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.metrics import Scores, score

SHAPE = (12, 20, 24)
ANISOTROPIC = (2.0, 0.5, 0.25)


def grid(shape=SHAPE, spacing=(1.0, 1.0, 1.0)):
    return Geometry.from_spacing(shape, spacing)


def box(*ranges, shape=SHAPE):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in ranges)] = True
    return mask


def ball(radius, centre, shape, spacing):
    axes = [np.arange(n) * s - c for n, s, c in zip(shape, spacing, centre, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return z**2 + y**2 + x**2 <= radius**2


def test_equal_masks_are_perfect():
    mask = box((2, 9), (3, 15), (4, 20))
    s = score(mask, mask, grid(spacing=ANISOTROPIC), exclude=[3])
    assert (s.dice, s.iou, s.surface_dice_1mm, s.surface_dice_2mm) == (1, 1, 1, 1)
    assert (s.hd95_mm, s.assd_mm, s.volume_error_ml, s.volume_error_percent, s.area_error_mm2) == (0, 0, 0, 0, 0)


def test_overlap_volume_and_curve_by_hand():
    """One slice right, one half as wide, of 8 x 6 pixels of 0.5 x 0.25 mm, 2 mm thick."""
    reference = box((4, 6), (0, 8), (0, 6))
    prediction = reference.copy()
    prediction[5, :, 3:] = False
    s = score(prediction, reference, grid(spacing=ANISOTROPIC))
    voxel = 2.0 * 0.5 * 0.25 / 1000
    assert s.dice == pytest.approx(2 * 72 / (72 + 96))
    assert s.iou == pytest.approx(72 / 96)
    assert s.reference_ml == pytest.approx(96 * voxel)
    assert s.volume_error_ml == pytest.approx(-24 * voxel)
    assert s.volume_error_percent == pytest.approx(-25)
    assert s.absolute_volume_error_percent == pytest.approx(25)
    assert s.area_error_mm2 == pytest.approx((0 + 24 * 0.125) / 2)
    assert s.area_error_percent == pytest.approx(100 * 1.5 / 6)
    assert s.slices == SHAPE[0]


def test_volume_and_areas_of_a_sheared_grid():
    """As `Stack` measures them; the columns' lengths would give more."""
    geometry = grid(spacing=ANISOTROPIC)
    affine = geometry.affine.copy()
    affine[:3, 0] += affine[:3, 1]
    affine[:3, 2] += 0.3 * affine[:3, 1]
    sheared = Geometry(geometry.shape, affine)
    mask = box((4, 6), (0, 8), (0, 6))
    prediction = mask.copy()
    prediction[5] = False
    s = score(prediction, mask, sheared)
    stack = Stack.of(sheared)
    assert s.reference_ml == pytest.approx(96 * geometry.voxel_ml)
    assert s.reference_ml == pytest.approx(stack.millilitres(np.array([48, 48]) * stack.pixel_mm2, slice(4, 6)))
    assert s.area_error_mm2 == pytest.approx(48 * stack.pixel_mm2 / 2)


def test_muscle_error_counts_the_drawn_slices_in():
    reference = box((0, 4), (0, 10), (0, 10))
    prediction = reference.copy()
    prediction[1, :5] = False
    s = score(prediction, reference, grid(), exclude=[0, 3])
    assert s.volume_error_percent == pytest.approx(-25)
    assert s.muscle_error_percent == pytest.approx(-12.5)
    assert s.muscle_ml == pytest.approx(0.4)


@pytest.mark.parametrize(("axis", "step"), [(0, 2.0), (1, 0.5), (2, 0.25)])
def test_distance_of_a_shifted_box_uses_the_spacing_of_its_axis(axis, step):
    reference = box((3, 8), (5, 12), (6, 14))
    s = score(np.roll(reference, 1, axis), reference, grid(spacing=ANISOTROPIC))
    assert s.hd95_mm == pytest.approx(step)
    assert 0 < s.assd_mm < step
    assert s.surface_dice_2mm == 1


def test_concentric_balls_are_as_far_apart_as_their_radii():
    shape, spacing, centre = (41, 81, 81), (1.0, 0.5, 0.5), (20.0, 20.0, 20.0)
    small, large = ball(10, centre, shape, spacing), ball(15, centre, shape, spacing)
    s = score(small, large, grid(shape, spacing))
    assert s.assd_mm == pytest.approx(5, abs=0.25)
    assert s.hd95_mm == pytest.approx(5, abs=0.6)
    assert s.surface_dice_2mm == 0
    assert s.volume_error_percent == pytest.approx(100 * ((10 / 15) ** 3 - 1), abs=0.5)


def test_both_empty_is_perfect_and_one_empty_is_nothing():
    empty, full = np.zeros(SHAPE, bool), box((2, 5), (2, 8), (2, 8))
    both = score(empty, empty, grid())
    assert (both.dice, both.iou, both.hd95_mm, both.assd_mm, both.surface_dice_1mm) == (1, 1, 0, 0, 1)
    assert (both.volume_error_percent, both.area_error_percent) == (0, 0)
    for a, b in ((empty, full), (full, empty)):
        one = score(a, b, grid())
        assert (one.dice, one.iou, one.surface_dice_1mm, one.surface_dice_2mm) == (0, 0, 0, 0)
        assert math.isnan(one.hd95_mm) and math.isnan(one.assd_mm)
    assert score(empty, full, grid()).volume_error_percent == -100
    assert math.isnan(score(full, empty, grid()).volume_error_percent)


def test_emptiness_is_judged_on_the_scored_slices():
    reference = box((2, 5), (2, 8), (2, 8))
    nothing_predicted = np.where(np.arange(SHAPE[0])[:, None, None] == 2, reference, False)
    s = score(nothing_predicted, reference, grid(), exclude=[2])
    assert s.dice == 0 and math.isnan(s.hd95_mm)
    assert score(reference, reference, grid(), exclude=[2, 3, 4]).dice == 1


masks = arrays(bool, (5, 6, 7), elements=st.booleans())


@settings(max_examples=40, deadline=None)
@given(masks, masks, arrays(bool, (6, 7)), st.sets(st.integers(0, 4), min_size=1, max_size=4))
def test_nothing_on_an_excluded_slice_counts(prediction, reference, scribble, exclude):
    changed = prediction.copy()
    changed[list(exclude)] = scribble
    g = grid((5, 6, 7), ANISOTROPIC)
    assert score(prediction, reference, g, exclude).to_json() == score(changed, reference, g, exclude).to_json()


@settings(max_examples=40, deadline=None)
@given(masks, masks, st.integers(0, 2))
def test_moving_the_axes_moves_no_distance(prediction, reference, axis):
    g = grid((5, 6, 7), ANISOTROPIC)
    here = score(prediction, reference, g)
    there = score(np.moveaxis(prediction, axis, 0), np.moveaxis(reference, axis, 0), g.moved(axis))
    for name in ("dice", "iou", "hd95_mm", "assd_mm", "surface_dice_1mm", "volume_error_ml"):
        assert getattr(here, name) == pytest.approx(getattr(there, name), nan_ok=True), name


@settings(max_examples=40, deadline=None)
@given(masks, masks)
def test_symmetry_and_bounds(a, b):
    g = grid((5, 6, 7), ANISOTROPIC)
    s, t = score(a, b, g), score(b, a, g)
    for name in ("dice", "iou", "hd95_mm", "assd_mm", "surface_dice_1mm", "area_error_mm2"):
        assert getattr(s, name) == pytest.approx(getattr(t, name), nan_ok=True), name
    assert 0 <= s.iou <= s.dice <= 1 and 0 <= s.surface_dice_1mm <= s.surface_dice_2mm <= 1
    assert s.volume_error_ml == pytest.approx(-t.volume_error_ml)


def test_a_slice_left_out_makes_no_cap():
    """The box is cut by slice 5 only in the count: the hole's rim must not become a surface."""
    reference = box((0, 11), (4, 16), (4, 20))
    prediction = reference.copy()
    prediction[3, 9, 11] = False
    whole = score(prediction, reference, grid())
    without = score(prediction, reference, grid(), exclude=[5])
    assert without.hd95_mm == whole.hd95_mm
    assert without.assd_mm == pytest.approx(whole.assd_mm, rel=0.15)


def test_tracked_positions_stretch_distances_and_volumes():
    reference = box((3, 8), (5, 12), (6, 14))
    shifted = np.roll(reference, 1, 0)
    even = score(shifted, reference, grid(), positions=np.arange(SHAPE[0]) * 3.0)
    assert even.to_json() == pytest.approx(score(shifted, reference, grid(spacing=(3.0, 1.0, 1.0))).to_json())
    uneven = np.cumsum(np.r_[0.0, np.linspace(1, 2, SHAPE[0] - 1)])
    backwards = score(shifted, reference, grid(), positions=-uneven)
    forwards = score(shifted, reference, grid(), positions=uneven)
    assert forwards.to_json() == pytest.approx(backwards.to_json())
    width = (uneven[4:9] - uneven[2:7]) / 2
    assert forwards.muscle_ml == pytest.approx(width.sum() * 7 * 8 / 1000)


def test_agrees_with_simpleitk_on_a_whole_volume():
    rng = np.random.default_rng(0)
    spacing, shape = (1.5, 0.7, 0.4), (16, 40, 50)
    centre = np.array(shape) * spacing / 2
    a = ball(6, centre, shape, spacing)
    b = ball(5, centre + rng.uniform(-1.5, 1.5, 3), shape, spacing)
    images = [sitk.GetImageFromArray(m.astype(np.uint8)) for m in (a, b)]
    for image in images:
        image.SetSpacing(spacing[::-1])
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    s = score(a, b, grid(shape, spacing))
    assert s.dice == pytest.approx(overlap.GetDiceCoefficient())
    assert s.iou == pytest.approx(overlap.GetJaccardCoefficient())
    edges = [sitk.LabelContour(image, fullyConnected=False) for image in images]
    maps = [sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(e, False, False, True)) for e in edges]
    away = [np.abs(maps[1 - i])[sitk.GetArrayFromImage(edges[i]) > 0] for i in (0, 1)]
    assert s.assd_mm == pytest.approx(np.concatenate(away).mean(), rel=1e-4)
    assert s.hd95_mm == pytest.approx(max(np.percentile(d, 95) for d in away), rel=1e-4)


def test_scores_are_json_without_nan():
    text = json.dumps(score(np.zeros(SHAPE, bool), box((1, 3), (1, 4), (1, 4)), grid()).to_json(), allow_nan=False)
    assert json.loads(text)["hd95_mm"] is None
    assert set(json.loads(text)) == set(Scores.__dataclass_fields__)


@pytest.mark.parametrize("exclude", [[-1], [SHAPE[0]], range(SHAPE[0])])
def test_impossible_exclusions_are_refused(exclude):
    mask = box((1, 3), (1, 4), (1, 4))
    with pytest.raises(ValueError, match="exclude"):
        score(mask, mask, grid(), exclude=exclude)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        score(np.zeros((3, 3, 3), bool), np.zeros(SHAPE, bool), grid())
