"""Random grids for property tests."""

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from MusclePropLib.core.geometry import Geometry


@st.composite
def geometries(draw, least=2, most=7):
    """Any rotation, spacing, origin, axis order and handedness."""
    number = st.floats(-1, 1, allow_subnormal=False)
    turn = draw(st.tuples(number, number, number))
    order = draw(st.permutations(range(3)))
    signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    spacing = draw(st.tuples(*[st.floats(0.05, 5.0)] * 3))
    origin = draw(st.tuples(*[st.floats(-500, 500)] * 3))
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(np.pi * np.array(turn)).as_matrix()[:, order] * signs * np.array(spacing)
    affine[:3, 3] = origin
    shape = draw(st.tuples(*[st.integers(least, most)] * 3))
    return Geometry(shape, affine)
