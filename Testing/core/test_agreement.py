"""Agreement against the worked example of Shrout and Fleiss (1979) and against its definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from MusclePropLib.core.measurements.agreement import Difference, bland_altman, reliability

SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])

tables = arrays.arrays(float, st.tuples(st.integers(3, 8), st.integers(2, 4)), elements=st.integers(1, 400).map(float))


def test_published_example():
    """Six targets, four judges: ICC(2,1) = .29, ICC(3,1) = .71."""
    found = reliability(SHROUT_FLEISS)
    assert (found.subjects, found.repeats) == (6, 4)
    assert found.icc_2_1 == pytest.approx(0.29, abs=0.005)
    assert found.icc_3_1 == pytest.approx(0.71, abs=0.01)


def test_minimal_detectable_change_of_two_scans():
    """With two scans the within-subject variance is half the mean squared difference."""
    values = np.array([[100, 104], [150, 148], [90, 91], [200, 206.0]])
    sem = np.sqrt(np.mean((values[:, 1] - values[:, 0]) ** 2) / 2)
    found = reliability(values)
    assert found.sem == pytest.approx(sem)
    assert found.mdc == pytest.approx(1.96 * np.sqrt(2) * sem)
    assert found.mdc_percent == pytest.approx(100 * found.mdc / values.mean())


@given(tables, st.floats(-50, 50))
def test_a_constant_difference_between_scans_counts_only_for_agreement(values, shift):
    moved = values.copy()
    moved[:, 1] += shift
    one, other = reliability(values), reliability(moved)
    assert one.icc_3_1 == pytest.approx(other.icc_3_1, nan_ok=True, abs=1e-6)


@given(tables)
def test_perfect_repeats(values):
    same = np.repeat(values[:, :1], 2, axis=1)
    found = reliability(same)
    assert found.sem == pytest.approx(0, abs=1e-9)
    assert np.isnan(found.icc_2_1) if np.ptp(same) == 0 else found.icc_2_1 == pytest.approx(1)


def test_bland_altman():
    found = bland_altman([10, 20, 30], [11, 21, 35])
    np.testing.assert_allclose(found.differences, [1, 1, 5])
    np.testing.assert_allclose(found.means, [10.5, 20.5, 32.5])
    deviation = np.std([1, 1, 5], ddof=1)
    np.testing.assert_allclose(found.limits, (7 / 3 - 1.96 * deviation, 7 / 3 + 1.96 * deviation))


def test_left_and_right():
    assert Difference(90.0, 110.0).absolute == 20
    assert Difference(90.0, 110.0).percent == pytest.approx(20)
    assert np.isnan(Difference(0.0, 0.0).percent)


@pytest.mark.parametrize("values", [[[1, 2]], [[1], [2]], [[1, np.nan], [2, 3]], [1, 2]])
def test_too_little(values):
    with pytest.raises(ValueError, match="agreement needs"):
        reliability(np.array(values, dtype=float))
