"""Masks kept in boxes are those that were put in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")

SHAPE = (9, 21)
PARTS = st.tuples(
    st.integers(0, 3),
    st.integers(0, SHAPE[0] - 1),
    st.integers(0, SHAPE[1] - 1),
    arrays(bool, st.tuples(st.integers(1, SHAPE[0]), st.integers(1, SHAPE[1]))),
)


@given(st.lists(PARTS, max_size=6))
def test_masks_are_what_was_added(parts):
    from MusclePropLib.scene.masks import Masks

    masks, expected = Masks(SHAPE), {}
    for t, row, column, part in parts:
        inside = part[: SHAPE[0] - row, : SHAPE[1] - column]
        masks.add(t, inside, row, column)
        whole = expected.setdefault(t, np.zeros(SHAPE, bool))
        whole[row : row + inside.shape[0], column : column + inside.shape[1]] |= inside
    assert sorted(masks) == sorted(expected) and len(masks) == len(expected)
    for t, whole in expected.items():
        assert masks[t].dtype == bool
        np.testing.assert_array_equal(masks[t], whole)
        masks[t][...] = True
        np.testing.assert_array_equal(masks[t], whole, "the caller's copy")
