"""Holes and specks that no drawn slice of a muscle has."""

import numpy as np
import pytest
from scipy import ndimage

from MusclePropLib.core.guided.flaws import without_flaws
from MusclePropLib.core.guided.inputs import draft_logits
from MusclePropLib.core.guided.run import Run, WarmState
from MusclePropLib.core.outcome import Settings
from MusclePropLib.core.priors.frame import SIZE
from MusclePropLib.core.progress import Progress
from Testing.core.tubes import annotate, dice, tube, volume_of


def depths(row, column, radius):
    rows, columns = np.ogrid[:SIZE, :SIZE]
    return (radius - np.hypot(rows - row, columns - column)).astype(np.float32)


WHOLE = depths(45, 45, 25)
HOLLOW = np.minimum(WHOLE, -depths(38, 50, 6))
TWO = np.maximum(depths(45, 30, 15), depths(45, 70, 15))
SPECK = np.maximum(WHOLE, depths(80, 85, 4))


@pytest.mark.parametrize("flawed", [HOLLOW, SPECK, np.maximum(HOLLOW, depths(80, 85, 4))])
def test_flaws_that_no_drawn_slice_has_go_and_the_area_stays(flawed):
    logits = draft_logits(np.stack([WHOLE, flawed]))
    found = without_flaws(logits, [WHOLE])
    assert np.array_equal(found[0], logits[0])
    parts = ndimage.label(found[1] > 0, np.ones((3, 3)))[1]
    assert parts == 1 and np.array_equal(ndimage.binary_fill_holes(found[1] > 0), found[1] > 0)
    assert np.count_nonzero(found[1] > 0) == pytest.approx(np.count_nonzero(flawed > 0), rel=0.01)


@pytest.mark.parametrize(("flawed", "drawn"), [(HOLLOW, HOLLOW), (SPECK, TWO), (TWO, WHOLE)])
def test_what_may_be_meant_stays(flawed, drawn):
    """A hole or several parts where a drawn slice has some, and a second head of the muscle."""
    logits = draft_logits(flawed[None])
    assert np.array_equal(without_flaws(logits, [WHOLE, drawn]), logits)


def test_nothing_found_stays_nothing():
    nothing = np.full((2, SIZE, SIZE), -6, np.float32)
    assert np.array_equal(without_flaws(nothing, [WHOLE, nothing[0]]), nothing)


def test_a_label_map_has_none():
    image, mask = tube(slices=9)
    run = Run(volume_of(image), annotate({"GM": mask}, (0, 8)), Settings(), Progress(60, None, None), WarmState())
    run.draft()
    work = run.works[0]
    work.candidates[work.chosen][4, 46:51, 46:51] = -6
    labels = run.labels()
    assert np.array_equal(ndimage.binary_fill_holes(labels[4] == 1), labels[4] == 1)
    assert dice(labels[4] == 1, mask[4]) > 0.9
