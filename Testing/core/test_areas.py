"""The areas that drawn slices lead to expect, between them and beyond them."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from MusclePropLib.core.priors.area import expected_areas

EVERY = np.arange(41)
ALONG = np.linspace(-1, 1, 41)


def from_slices(truth, known, positions=ALONG):
    return expected_areas({t: float(truth[t]) for t in known}, positions, EVERY)


def test_areas_go_through_the_known_ones_and_overshoot_a_little_at_most():
    areas = expected_areas({1: 10.0, 4: 90.0, 8: 20.0}, np.arange(10.0), np.arange(10))
    assert areas[[1, 4, 8]] == pytest.approx([10, 90, 20]) and areas.max() <= 1.2 * 90
    assert np.isnan(expected_areas({2: 5.0}, np.arange(4.0), np.arange(4))).all()


def test_areas_of_an_ellipsoid_are_found_from_five_slices():
    truth = 1000 * (1 - ALONG**2)
    assert from_slices(truth, (0, 10, 20, 30, 40)).sum() == pytest.approx(truth.sum(), rel=0.02)


@pytest.mark.parametrize("power", [1, 2], ids=["ellipsoid", "cone"])
def test_beyond_the_known_slices_a_muscle_tapers_to_its_end(power):
    truth = 1000 * np.clip(1 - np.abs(ALONG) ** (2 / power), 0, None) ** power
    found = from_slices(truth, (8, 14, 20, 26, 32))
    outside = (EVERY < 8) | (EVERY > 32)
    assert np.abs(found - truth)[outside].sum() < 0.35 * truth[outside].sum()
    assert np.abs(truth[[8, 32]].repeat(8) - truth[outside]).sum() > 0.6 * truth[outside].sum(), "going on is far off"


def test_a_bone_of_one_size_goes_on_and_what_grows_does_not_grow_on():
    assert from_slices(np.full(41, 300.0), (10, 20, 30)) == pytest.approx(np.full(41, 300.0))
    growing = from_slices(np.linspace(100, 500, 41), (10, 20, 30))
    assert growing[31:] == pytest.approx(np.full(10, growing[30]), rel=0.05) and (growing[:10] <= growing[10]).all()


@example([10, 11, 12, 13, 0, 30], 0, 1)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=6, unique=True), st.integers(0, 1000), st.integers(0, 1000))
def test_areas_are_finite_and_do_not_depend_on_the_direction(known, first, second):
    truth = np.linspace(first, second, 41)
    found = from_slices(truth, known)
    assert np.isfinite(found).all() and (found >= 0).all()
    mirrored = from_slices(truth[::-1], [40 - t for t in known])[::-1]
    assert found == pytest.approx(mirrored, abs=1e-6)
    assert found == pytest.approx(from_slices(truth, known, -ALONG), abs=1e-6)


def test_a_hand_that_trembles_ends_no_muscle():
    along = np.array([0.0, 5.0, 10.0, 10.1, 10.04, 10.06, 16.0, 22.0, 28.0])
    areas = expected_areas({0: 300.0, 2: 300.0, 4: 285.0, 5: 300.0}, along, np.arange(9))
    assert (areas > 200).all()


def test_neighbouring_slices_drawn_a_little_differently_end_no_muscle():
    areas = expected_areas({0: 2000.0, 20: 2000.0, 30: 2000.0, 31: 1900.0}, EVERY * 1.4, EVERY)
    assert areas[32:].min() > 1500


def test_two_drawn_slices_on_one_tip_say_little_of_the_other_end():
    """An outline that is cut off at full width; the parabola through its three diameters ends where it is widest."""
    truth = np.interp(EVERY, [0, 20, 34, 38, 40], [1200, 2400, 1700, 500, 0])
    found = from_slices(truth, (20, 34, 38))
    assert (found[:20] > 0).all() and np.abs(found - truth)[:20].sum() < 0.5 * truth[:20].sum()
    assert (np.diff(found[:20]) >= 0).all(), "it tapers all the same"


def test_a_belly_that_no_slice_shows_is_seen_from_four():
    """Of a symmetric muscle drawn beside its belly, the monotone curve knows no more than the largest drawn slice."""
    truth = 1000 * (1 - ALONG**2)
    found = from_slices(truth, (2, 14, 26, 38))
    assert found.max() == pytest.approx(1000, rel=0.03) and truth[[14, 26]].max() < 920


def test_where_the_muscle_is_absent_nothing_is_expected_and_nothing_overshoots_from_it():
    known = {0: 0.0, 5: 0.0, 10: 0.0, 12: 400.0, 20: 500.0, 30: 450.0, 40: 100.0}
    found = expected_areas(known, ALONG, EVERY)
    assert (found[:11] == 0).all() and (np.diff(found[10:13]) > 0).all()
    assert found.max() < 1.2 * 500
