"""What any user of a benchmark expects of its rivals: fair, sane, and never a crash."""

import os
import sys
from functools import cache

import numpy as np
import pytest
from cone import cone, drawn_on

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.metrics import score
from MusclePropLib.core.rivals import (
    RIVALS,
    RivalUnavailable,
    answer_of,
    labelprop,
    masks_of,
    rival_named,
    volumes_of,
)
from MusclePropLib.core.volumes import Volume

DRAWN = (0, 10, 20)
CARRY_ON = ["copy", "interpolation", "flow", "flow-distances"]
NEED_SLICER = ["fill", "grow"]


def run(name, slices=DRAWN, absent=()):
    return _run(name, slices, absent)


@cache
def _run(name, slices, absent):
    if name in NEED_SLICER:
        pytest.importorskip("slicer_core", reason="needs the slicer-core wheel")
    volume, truth = cone()
    return masks_of(RIVALS[name], volume, drawn_on(truth, slices, absent))[0]


def dice(name, slices=DRAWN):
    volume, truth = cone()
    return score(run(name, slices), truth, volume.geometry, slices).dice


@pytest.mark.parametrize("name", [*CARRY_ON, *NEED_SLICER, "walker"])
def test_drawn_slices_come_back_as_drawn(name):
    truth = cone()[1]
    mask = run(name)
    assert mask.shape == truth.shape and mask.dtype == bool
    assert all(np.array_equal(mask[t], truth[t]) for t in DRAWN)


@pytest.mark.parametrize("name", ["interpolation", "flow", "flow-distances", *NEED_SLICER, "walker"])
def test_a_method_with_any_sense_beats_copying(name):
    assert dice(name) > dice("copy") + 0.03


@pytest.mark.parametrize("name", NEED_SLICER)
def test_what_is_drawn_on_the_first_and_the_last_slice_counts(name):
    assert dice(name, (0, 20)) > dice("copy", (0, 20)) + 0.03


def test_copying_takes_the_nearest_slice():
    truth = cone()[1]
    mask = run("copy")
    assert np.array_equal(mask[4], truth[0]) and np.array_equal(mask[6], truth[10])


def test_flow_carries_nothing_else():
    volume, truth = cone()
    with pytest.raises(InputError, match="masks or distances, not 'edges'"):
        masks_of(RIVALS["flow"], volume, drawn_on(truth, DRAWN), carry="edges")


def test_flow_follows_a_drift_that_interpolation_cannot_know():
    """Beyond the last drawn slice only the images tell where the cone goes."""
    truth = cone()[1]
    ahead = slice(7, 13)
    followed, copied = run("flow", (0, 6))[ahead], run("interpolation", (0, 6))[ahead]
    assert overlap(followed, truth[ahead]) > 0.9 > overlap(copied, truth[ahead]) + 0.1


def overlap(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_interpolation_is_half_way_between_two_discs():
    rows, columns = np.mgrid[:41, :41]
    discs = [(rows - 20) ** 2 + (columns - 20) ** 2 <= r**2 for r in (6, 14)]
    truth = np.stack([discs[0]] * 4 + [discs[1]])
    volume = Volume(np.arange(truth.size).reshape(truth.shape), Geometry.from_spacing(truth.shape, (1, 0.5, 0.5)))
    middle = masks_of(RIVALS["interpolation"], volume, drawn_on(truth, (0, 4)))[0][2]
    assert middle.sum() == pytest.approx(np.pi * 10**2, rel=0.06)


@pytest.mark.parametrize("name", CARRY_ON)
def test_absent_slices_stay_empty_and_end_the_muscle(name):
    mask = run(name, (0, 10), (16, 20))
    assert not mask[[16, 17, 18, 19, 20]].any()
    assert mask[11].any() and not mask[15].any()


def test_fill_stops_at_the_last_drawn_slice_and_copying_does_not():
    assert not run("fill", (2, 8))[9:].any() and not run("fill", (2, 8))[:2].any()
    assert run("fill", (2, 8))[3:8].any(axis=(1, 2)).all()
    assert run("copy", (2, 8)).any(axis=(1, 2)).all()


@pytest.mark.parametrize("name", [*CARRY_ON, "walker"])
def test_muscles_whose_masks_overlap_each_keep_theirs(name):
    volume, truth = cone()
    shifted = np.roll(truth, 4, axis=1)
    muscles = [MuscleAnnotation(n, {t: m[t] for t in DRAWN}) for n, m in (("a", truth), ("b", shifted))]
    found = masks_of(RIVALS[name], volume, Annotations(truth.shape, muscles))
    assert np.array_equal(found[0][10], truth[10]) and np.array_equal(found[1][10], shifted[10])


@pytest.mark.parametrize("name", CARRY_ON)
def test_one_drawn_slice_is_enough(name):
    assert run(name, (10,)).any(axis=(1, 2)).all()


@pytest.mark.parametrize("name", ["fill", "labelprop"])
def test_a_method_that_cannot_do_with_one_slice_says_so(name):
    volume, truth = cone()
    with pytest.raises(RivalUnavailable, match="at least 2 drawn slices"):
        masks_of(RIVALS[name], volume, drawn_on(truth, (10,)))


def two_halves():
    volume, truth = cone()
    halves = [truth.copy(), truth.copy()]
    halves[0][:, 32:], halves[1][:, :32] = False, False
    muscles = [MuscleAnnotation(n, {t: m[t] for t in DRAWN}) for n, m in zip("ab", halves, strict=True)]
    return volume, Annotations(truth.shape, muscles), halves


def test_the_papers_network_learns_from_the_drawn_slices():
    volume, truth = cone()
    quick = {"levels": 3, "slices": 8, "variant": "unet-s", "learning_rate": 5e-3, "averaging": 0.9}
    found = masks_of(RIVALS["paper-scratch"], volume, drawn_on(truth, DRAWN), steps=60, **quick)[0]
    assert score(found, truth, volume.geometry, DRAWN).dice > 0.8


def test_own_says_what_it_expects_and_each_muscle_may_be_taken_by_itself():
    volume, annotations, halves = two_halves()
    together = answer_of(RIVALS["muscleprop-priors"], volume, annotations)
    alone = answer_of(RIVALS["muscleprop-no-negatives"], volume, annotations, method="interpolation")
    for answer in (together, alone):
        assert set(answer.said) == {"a", "b"} and 0 < answer.said["a"]["estimate"] <= 1
        assert all(overlap(mask, half) > 0.8 for mask, half in zip(answer.masks, halves, strict=True))
    assert not (together.masks[0] & together.masks[1]).any()
    single = Annotations(annotations.shape, annotations.muscles[:1])
    by_itself = masks_of(RIVALS["muscleprop-priors"], volume, single)[0]
    assert np.array_equal(by_itself, alone.masks[0])
    with pytest.raises(RivalUnavailable, match="one muscle only"):
        answer_of(RIVALS["muscleprop-no-negatives"], volume, single)


def test_the_area_spline_knows_a_cone_from_three_slices():
    """The area of a cone's slices is a parabola, which three slices determine."""
    volume, truth = cone()
    exact = truth.sum() * volume.geometry.voxel_ml
    assert volumes_of(RIVALS["area-spline"], volume, drawn_on(truth, DRAWN)) == pytest.approx([exact], rel=0.01)


def test_an_unknown_method_is_named():
    with pytest.raises(InputError, match="no method is called 'magic'"):
        rival_named("magic")


def test_labelprop_says_what_it_lacks(monkeypatch, tmp_path):
    monkeypatch.setenv("MUSCLEPROP_LABELPROP", str(tmp_path / "python"))
    volume, truth = cone()
    with pytest.raises(RivalUnavailable, match=r"no environment at .*labelprop_env\.sh"):
        masks_of(RIVALS["labelprop"], volume, drawn_on(truth, DRAWN))


@pytest.mark.parametrize(
    ("slices", "absent", "asked"),
    [(DRAWN, (), False), ((5, 15), (), True), ((5, 15), (*range(5), *range(16, 21)), False)],
)
def test_labelprop_extrapolates_only_where_nothing_is_known(monkeypatch, slices, absent, asked):
    given = {}
    monkeypatch.setenv("MUSCLEPROP_LABELPROP", sys.executable)
    monkeypatch.setattr(labelprop, "run_isolated", lambda module, arrays, *_: given.update(arrays) or arrays)
    volume, truth = cone()
    masks_of(RIVALS["labelprop"], volume, drawn_on(truth, slices, absent))
    assert bool(given["extrapolate"]) == asked


@pytest.mark.skipif("MUSCLEPROP_LABELPROP" not in os.environ, reason="slow; set MUSCLEPROP_LABELPROP to run it")
def test_labelprop_fills_every_slice():
    volume, truth = cone()
    mask = masks_of(RIVALS["labelprop"], volume, drawn_on(truth, DRAWN), epochs=1, size=64)[0]
    assert mask.any(axis=(1, 2)).all() and all(np.array_equal(mask[t], truth[t]) for t in DRAWN)
