"""The working grid keeps millimetres: nothing is squashed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib.core.cohort.frames import FrameGrid


@given(
    st.integers(20, 90),
    st.integers(20, 90),
    st.floats(0.2, 2.0),
    st.floats(0.2, 2.0),
    st.integers(8, 64),
    st.integers(8, 64),
)
def test_any_frame_fits_any_grid(rows, columns, row_mm, column_mm, grid_rows, grid_columns):
    grid = FrameGrid(0.7, grid_rows, grid_columns)
    frame = np.full((rows, columns), 7, np.uint8)
    image, mask = grid.image(frame, (row_mm, column_mm)), grid.mask(frame > 0, (row_mm, column_mm))
    assert image.shape == mask.shape == (grid_rows, grid_columns)
    assert image.dtype == np.float32 and mask.dtype == bool
    np.testing.assert_allclose(image[mask], 7, rtol=1e-5)
    assert mask.any()


@pytest.mark.parametrize("spacing", [0.4, 1.0, 1.7])
@pytest.mark.parametrize("pixel", [(0.5, 0.5), (1.2, 0.3)])
def test_a_disc_stays_a_disc_of_its_size(spacing, pixel):
    rows, columns = (np.arange(round(60 / size)) * size - 30 for size in pixel)
    disc = np.hypot(rows[:, None], columns[None, :]) < 18
    mask = FrameGrid(spacing, round(80 / spacing), round(80 / spacing)).mask(disc, pixel)
    area = mask.sum() * spacing**2
    height, width = (np.flatnonzero(mask.any(axis)).size * spacing for axis in (1, 0))
    assert area == pytest.approx(np.pi * 18**2, rel=0.05)
    assert height == pytest.approx(36, abs=2 * max(spacing, *pixel)) == width


def test_cropping_keeps_the_middle():
    frame = np.zeros((9, 9), np.uint8)
    frame[4, 4] = 200
    assert FrameGrid(1.0, 3, 3).image(frame, (1.0, 1.0))[1, 1] == 200
    assert FrameGrid(1.0, 15, 15).image(frame, (1.0, 1.0))[7, 7] == 200
