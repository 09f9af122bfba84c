"""What is left of a muscle in the cracks between others, and what is not."""

import numpy as np
import pytest

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.assemble import Placed, assemble
from MusclePropLib.core.guided.balance import contested
from MusclePropLib.core.guided.slivers import slivers
from MusclePropLib.core.priors.frame import frame_around


def block(rows, columns):
    mask = np.zeros((96, 96), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


WHOLE = block((20, 80), (10, 86))
BODY = block((50, 80), (10, 86))


def test_a_thin_strip_left_along_a_neighbours_far_side_is_a_sliver():
    strip = block((20, 23), (10, 86)) | block((23, 50), (10, 13))
    found = slivers(WHOLE, BODY | strip, 1.0)
    assert found[20:40][strip[20:40]].all() and not (found & BODY).any()


def test_what_is_cut_off_from_the_body_is_a_sliver():
    crumb = block((30, 33), (40, 43))
    assert (slivers(WHOLE, BODY | crumb, 1.0) & crumb).sum() == crumb.sum()


@pytest.mark.parametrize("part", [block((46, 50), (10, 18)), block((38, 50), (60, 86))], ids=["a corner", "a wing"])
def test_short_or_thick_parts_stay(part):
    assert not slivers(WHOLE, BODY | part, 1.0).any()


def test_a_muscle_that_is_thin_by_itself_stays_whoever_bounds_it():
    thin = block((50, 53), (10, 86)) | block((53, 70), (10, 30))
    assert not slivers(thin, thin & ~block((0, 96), (70, 96)), 1.0).any()
    assert not slivers(thin, thin, 1.0).any()


def test_the_room_of_a_sliver_is_given_back_where_the_muscle_is():
    """A strip of SOL beyond GL, which is known better, goes; SOL keeps its area."""
    square = np.pad(np.ones((40, 40), bool), 10)
    frame = frame_around({0: square}, np.arange(1), np.zeros(1), (1, 1))
    rows = np.arange(96)[:, None] * np.ones((1, 96))
    sol = np.minimum(rows - 20, 80 - rows) / 4
    gl = np.minimum(rows - 23, 50 - rows) / 4
    placed = [Placed(frame, f[None].astype(np.float32), np.ones(1, bool)) for f in (sol, gl)]
    areas = [np.array([33.0 * 96]), np.array([27.0 * 96])]
    annotations = Annotations((1, 60, 60), [MuscleAnnotation("SOL"), MuscleAnnotation("GL")])
    fair = contested(placed, areas, [np.array([20.0]), np.array([0.5])], annotations)
    labels = assemble(fair, annotations, np.zeros(1))[0]
    first_gl = np.flatnonzero((labels == 2).any(axis=1))[0]
    assert not (labels[:first_gl] == 1).any()
    assert (labels == 1).any(axis=1).sum() == pytest.approx(
        33 * frame.step[0], abs=1.5
    )  # two borders, each to within a voxel
