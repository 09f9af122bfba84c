"""The simulated calf: published sizes, sound anatomy, speckle as physics has it."""

import argparse

import numpy as np
import pytest
from scipy import ndimage

from MusclePropLib.commands import phantom
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.phantom import NAMES, simulate_calf
from MusclePropLib.core.phantom.calf.anatomy import Leg
from MusclePropLib.core.phantom.calf.speckle import Beam, Scatterers, average_looks, envelope
from MusclePropLib.core.phantom.calf.subject import draw_subject
from MusclePropLib.core.segmentation import read_segmentation
from MusclePropLib.core.volumes import read_volume

SMALL = (35, 60, 80)
SEEDS = range(24)
STEP_MM = 4.0
# Adult women by MRI, ml: mean, standard deviation.
PUBLISHED = {"GM": (180, 33), "GL": (90, 16), "SOL": (358, 62)}


@pytest.fixture(scope="module")
def calves():
    return [simulate_calf(seed, SMALL) for seed in (0, 2, 5, 8)]


@pytest.fixture(scope="module")
def legs():
    """(subject, levels over the whole leg in mm below the knee, anatomy there)."""
    found = []
    for seed in SEEDS:
        who, limb = np.random.default_rng(seed).spawn(2)
        subject = draw_subject(who)
        levels = np.arange(-60.0, 420.0, STEP_MM)
        found.append((subject, levels, Leg(subject, limb).at(levels)))
    return found


def test_bellies_have_the_published_volumes(legs):
    """Of the whole belly, in women; the population's mean as well as everyone's two deviations."""
    women = [anatomy for subject, _, anatomy in legs if subject.sex == "female"]
    assert len(women) > 8
    for name, (mean, deviation) in PUBLISHED.items():
        volumes = np.array([anatomy.areas(name).sum() * STEP_MM / 1000 for anatomy in women])
        assert np.all(np.abs(volumes - mean) < 2 * deviation + 0.02 * mean)
        assert abs(volumes.mean() - mean) < 3 * deviation / np.sqrt(len(women))
        assert volumes.std() > 0.4 * deviation


def test_bellies_lie_as_in_the_leg(legs):
    for subject, levels, anatomy in legs:
        reach = {name: levels[anatomy.areas(name) > 0] for name in NAMES}
        assert reach["SOL"][-1] > reach["GM"][-1] + 50 > reach["GL"][-1] + 50
        assert reach["SOL"][0] > max(reach["GM"][0], reach["GL"][0])
        assert anatomy.areas("GM").sum() > anatomy.areas("GL").sum()
        assert 0.45 < np.ptp(reach["GM"]) / subject.tibia < 0.75
        assert 0.40 < np.ptp(reach["GL"]) / subject.tibia < 0.70
        assert 0.65 < np.ptp(reach["SOL"]) / subject.tibia < 0.95


def test_bellies_taper_towards_both_ends(legs):
    for _, _, anatomy in legs:
        for name in NAMES:
            area = anatomy.areas(name)
            widest = int(np.argmax(area))
            assert np.all(np.diff(area[: widest + 1]) > -1e-3 * area.max())
            assert np.all(np.diff(area[widest:]) < 1e-3 * area.max())


def test_neither_muscles_nor_bones_overlap(legs):
    for _, _, anatomy in legs:
        gm, gl, soleus = (anatomy.muscles[name] for name in NAMES)
        assert not np.any((gm[1] > gm[0]) & (gl[1] > gl[0]))
        assert np.all(soleus[0] >= np.maximum(gm[1], gl[1]))
        assert np.all(gm[0] > anatomy.fascia)
        assert all(np.all(bone > soleus[1]) for bone in anatomy.bones)


def test_labels_hold_what_the_sweep_saw_of_the_muscles(calves):
    for calf in calves:
        for value, muscle in enumerate(calf.subject.muscles, start=1):
            seen = (calf.labels == value).sum() * calf.volume.geometry.voxel_ml
            assert 0.75 * muscle.volume_ml < seen < 1.02 * muscle.volume_ml
        assert calf.labels.max() == 3
        assert (calf.labels[0] == 1).any() and (calf.labels[0] == 2).any(), "the sweep starts within the heads"


def test_a_belly_is_in_one_piece_on_every_level(legs):
    for _, _, anatomy in legs:
        for top, bottom in anatomy.muscles.values():
            edges = np.diff((bottom - top > 0.5).astype(int), axis=1, prepend=0)
            assert np.all((edges == 1).sum(axis=1) <= 1)


def test_same_seed_same_scan():
    first, again = simulate_calf(7, SMALL), simulate_calf(7, SMALL)
    np.testing.assert_array_equal(first.volume.array, again.volume.array)
    np.testing.assert_array_equal(first.labels, again.labels)


def test_subjects_differ(calves):
    volumes = {tuple(m.volume_ml for m in calf.subject.muscles) for calf in calves}
    assert len(volumes) == len(calves)
    assert len({calf.volume.array.tobytes() for calf in calves}) == len(calves)


def test_a_subject_is_the_same_at_every_resolution(calves):
    fine = simulate_calf(0, (70, 120, 160))
    for value in range(1, 4):
        coarse_ml = (calves[0].labels == value).sum() * calves[0].volume.geometry.voxel_ml
        fine_ml = (fine.labels == value).sum() * fine.volume.geometry.voxel_ml
        assert fine_ml == pytest.approx(coarse_ml, rel=0.05)


def test_spacing_is_kept():
    calf = simulate_calf(1, (10, 40, 50), spacing=(3.0, 2.0, 1.5))
    assert calf.volume.geometry.spacing == pytest.approx((3.0, 2.0, 1.5))
    assert calf.volume.array.shape == calf.labels.shape == (10, 40, 50)


def test_slices_run_down_the_leg_and_sides_are_mirrored(calves):
    """GM is medial: towards the patient's right (-x in LPS) in a left leg, towards the left in a right one."""
    sides = set()
    for calf in calves:
        affine, sides = calf.volume.geometry.affine, sides | {calf.subject.side}
        assert affine[2, 0] < 0, "slices run towards the feet"
        gm, gl = (affine[0, 3] + affine[0, 2] * np.nonzero(calf.labels == v)[2].mean() for v in (1, 2))
        assert (gm < gl) == (calf.subject.side == "left")
        assert np.linalg.det(affine[:3, [2, 1, 0]]) > 0, "right-handed: Slicer keeps its axes as they are"
    assert sides == {"left", "right"}


def test_uniform_tissue_gives_fully_developed_speckle():
    """Rayleigh: mean over deviation is sqrt(pi / (4 - pi)) = 1.91; averaging looks raises it."""
    echoes = Scatterers(np.random.default_rng(0), (7, 500, 500), 1.0).plane(3.0, 1.0)
    speckle = envelope(echoes, Beam(axial=0.3, lateral=0.6), (0.3, 0.3))
    inner = speckle[20:-20, 20:-20]
    assert inner.mean() / inner.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.03)
    assert np.mean(inner**2) == pytest.approx(2.0, rel=0.05)
    averaged = average_looks(speckle, (0.4, 0.4), (0.3, 0.3))[20:-20, 20:-20]
    assert averaged.mean() / averaged.std() > 2.5


def test_speckle_decorrelates_as_the_beam_moves_on():
    """A Gaussian beam of width s: planes d apart correlate by exp(-(d / 2s)^2)."""
    scatterers, width = Scatterers(np.random.default_rng(1), (60, 80, 80), 0.4), 1.2
    here = scatterers.plane(12.0, width)
    for distance in (0.5, 1.3, 2.9):
        there = scatterers.plane(12.0 + distance, width)
        found = np.abs(np.vdot(here, there)) / (np.linalg.norm(here) * np.linalg.norm(there))
        assert found == pytest.approx(np.exp(-((distance / (2 * width)) ** 2)), abs=0.03)


def test_slices_grow_apart():
    volume = simulate_calf(2, (24, 150, 200), spacing=(2.0, 0.5, 0.5)).volume
    fine = volume.array - ndimage.gaussian_filter(volume.array.astype(np.float32), (0, 3, 3))
    middle = fine[:, 20:90, 60:140].reshape(len(fine), -1)
    middle = (middle - middle.mean(axis=1, keepdims=True)) / middle.std(axis=1, keepdims=True)
    by_lag = [np.mean(middle[:-lag] * middle[lag:]) for lag in (1, 2, 4, 8)]
    assert by_lag[0] > 0.3
    assert by_lag == sorted(by_lag, reverse=True)


def arguments(folder, *more):
    parser = argparse.ArgumentParser()
    phantom.add_arguments(parser)
    return parser.parse_args(["-o", str(folder), *more])


def test_command_writes_volume_and_segmentation(tmp_path, capsys):
    folder = tmp_path / "made" / "here"
    assert phantom.run(arguments(folder, "--subjects", "2", "--seed", "3", "--shape", "12", "40", "50")) == 0
    assert sorted(p.name for p in folder.iterdir()) == [
        f"subject_{n:03d}.{kind}" for n in (0, 1) for kind in ("nrrd", "seg.nrrd")
    ]
    calf = simulate_calf(4, (12, 40, 50))
    volume = read_volume(folder / "subject_001.nrrd")
    truth = read_segmentation(folder / "subject_001.seg.nrrd")
    np.testing.assert_array_equal(volume.array, calf.volume.array)
    assert volume.geometry.matches(calf.volume.geometry) and truth.geometry.matches(calf.volume.geometry)
    assert [s.name for s in truth.segments] == list(NAMES)
    for index in range(3):
        np.testing.assert_array_equal(truth.mask(index), calf.labels == index + 1)
    assert "subject_001" in capsys.readouterr().out


@pytest.mark.parametrize("more", [("--subjects", "0"), ("--seed", "-1"), ("--shape", "2", "40", "40")])
def test_command_refuses_nonsense(tmp_path, more):
    with pytest.raises(InputError, match="phantom: "):
        phantom.run(arguments(tmp_path / "new", *more))
    assert not (tmp_path / "new").exists()


def test_command_names_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="file"):
        phantom.run(arguments(tmp_path / "file" / "inside"))
