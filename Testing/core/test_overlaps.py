"""Muscles that are drawn over each other: what an expert expects of the slices that nobody drew."""

import numpy as np
import pytest
from tubes import annotate, dice, tube, volume_of

from MusclePropLib.core.overlaps import overlap_warnings, overlapping, without_overlaps
from MusclePropLib.core.propagation import Settings, propagate

DRAWN = [0, 6, 12]
OTHERS = [t for t in range(13) if t not in DRAWN]
DRAFTS_ONLY = Settings(method="interpolation")


def side_by_side(shift):
    image, one = tube(centre=(26.0, 18.0), drift=(0.4, 0.5), columns=90)
    two = np.roll(one, shift, axis=2)
    return image + 40 * two, one, two


@pytest.fixture(scope="module")
def nested():
    """(image, whole, part) bool (slices, rows, columns)."""
    image, whole = tube(rows=90, columns=100, centre=(36.0, 42.0), drift=(0.4, 0.5), radius=22.0)
    _, part = tube(rows=90, columns=100, centre=(36.0, 42.0), drift=(0.4, 0.5), radius=10.0)
    return image + 40 * part, whole, part


@pytest.mark.parametrize("shift", [12, 18])
def test_neighbours_drawn_over_each_other_do_not_grow_outwards(shift):
    image, one, two = side_by_side(shift)
    result = propagate(volume_of(image), annotate({"GM": one, "GL": two}, DRAWN), DRAFTS_ONLY)
    found, there = (result.labels > 0)[OTHERS], (one | two)[OTHERS]
    assert found.sum() == pytest.approx(there.sum(), rel=0.02)
    assert dice(found, there) > 0.97


def test_a_whole_is_found_around_its_part(nested):
    image, whole, part = nested
    result = propagate(volume_of(image), annotate({"Calf": whole, "GM": part}, DRAWN), DRAFTS_ONLY)
    assert dice(result.mask(1)[OTHERS], part[OTHERS]) > 0.95
    assert dice((result.labels > 0)[OTHERS], whole[OTHERS]) > 0.97


def test_what_was_drawn_is_kept_and_measured_as_drawn(nested):
    image, whole, part = nested
    result = propagate(volume_of(image), annotate({"Calf": whole, "GM": part}, DRAWN), DRAFTS_ONLY)
    assert all((result.mask(0)[t] == whole[t]).all() and (result.mask(1)[t] == part[t]).all() for t in DRAWN)
    voxel_ml = 2.0 * 0.5 * 0.5 / 1000
    assert [m.volume_ml for m in result.muscles] == pytest.approx([result.mask(i).sum() * voxel_ml for i in (0, 1)])


def test_the_expert_is_told_whose_the_shared_voxels_are(nested):
    image, whole, part = nested
    said = []
    result = propagate(volume_of(image), annotate({"Calf": whole, "GM": part}, DRAWN), DRAFTS_ONLY, said.append)
    (warning,) = result.summary()["warnings"]
    assert "Calf is drawn over GM" in warning and "GM, the smaller one" in warning
    assert warning in [event["text"] for event in said if event["event"] == "log"]


def test_contours_that_share_a_line_are_no_news():
    one, two = np.zeros((2, 13, 60, 80), bool)
    one[:, 10:50, 10:40] = two[:, 10:50, 39:70] = True
    annotations = annotate({"GM": one, "GL": two}, DRAWN)
    assert overlapping(annotations) and not overlap_warnings(annotations)


def test_a_segment_that_is_there_twice_keeps_its_masks():
    _, mask = tube()
    apart = without_overlaps(annotate({"GM": mask, "GM copy": mask}, DRAWN))
    assert all((muscle.drawn[t] == mask[t]).all() for muscle in apart.muscles for t in DRAWN)


def test_without_overlaps_nothing_is_copied(nested):
    _, whole, part = nested
    annotations = annotate({"Calf": whole & ~part, "GM": part}, DRAWN)
    assert without_overlaps(annotations) is annotations
