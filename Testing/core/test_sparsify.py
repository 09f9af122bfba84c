import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib import cli
from MusclePropLib.commands import sparsify as command
from MusclePropLib.core.annotations import NOT_MUSCLE, Annotations, MuscleAnnotation
from MusclePropLib.core.completed import without_completed
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segmentation import (
    Segment,
    annotations_from_segmentation,
    read_segmentation,
    segmentation_from_labels,
    segmentation_from_masks,
    write_segmentation,
)
from MusclePropLib.core.sparsify import covering, equally_spaced, incomplete, randomly_placed

filled = st.lists(st.integers(0, 300), min_size=1, max_size=60, unique=True).map(lambda t: np.array(sorted(t)))
counts = st.integers(2, 70)


@given(filled=filled, count=counts)
def test_equally_spaced_keeps_both_ends_and_only_labelled_slices(filled, count):
    picked = equally_spaced(filled, count)
    assert picked[0] == filled[0] and picked[-1] == filled[-1]
    assert set(picked) <= set(filled.tolist()) and len(picked) <= count
    assert picked == sorted(set(picked))


def test_equally_spaced_is_equally_spaced():
    assert equally_spaced(np.arange(10, 51), 5) == [10, 20, 30, 40, 50]
    assert equally_spaced(np.arange(10, 13), 5) == [10, 11, 12]


@given(filled=filled, count=counts, share=st.floats(0.05, 1))
def test_covering_ends_at_its_share(filled, count, share):
    picked = covering(filled, count, share)
    end = filled[0] + share * (filled[-1] - filled[0])
    nearest = np.abs(filled - end).min()
    assert picked[0] == filled[0] and abs(picked[-1] - end) == pytest.approx(nearest)
    assert set(picked) <= set(filled.tolist())


@given(filled=filled, count=counts, seed=st.integers(0, 99))
def test_randomly_placed_draws_without_replacement_and_repeatably(filled, count, seed):
    picked = randomly_placed(filled, count, np.random.default_rng(seed))
    assert len(set(picked)) == min(count, len(filled)) and set(picked) <= set(filled.tolist())
    assert picked == randomly_placed(filled, count, np.random.default_rng(seed))


def test_random_places_differ():
    places = {tuple(randomly_placed(np.arange(100), 5, np.random.default_rng(s))) for s in range(20)}
    assert len(places) == 20


def test_a_single_slice_stands_in_the_middle():
    assert equally_spaced(np.arange(10, 51), 1) == [30]
    assert covering(np.arange(10, 51), 1, 0.5) == [20]
    assert len(randomly_placed(np.arange(10, 51), 1, np.random.default_rng(0))) == 1


def test_covering_may_begin_anywhere():
    assert covering(np.arange(0, 101), 4, 0.6, 0.2) == [20, 40, 60, 80]
    with pytest.raises(InputError, match="share"):
        covering(np.arange(9), 3, 0.6, 0.5)


@pytest.mark.parametrize("count", [0, -3])
def test_no_slice_at_all(count):
    for pick in (equally_spaced, lambda f, n: randomly_placed(f, n, np.random.default_rng(0))):
        with pytest.raises(InputError, match="at least 1"):
            pick(np.arange(9), count)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, np.nan])
def test_impossible_shares(share):
    with pytest.raises(InputError, match="share"):
        covering(np.arange(9), 5, share)


@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4), fraction=st.floats(0, 0.95), seed=st.integers(0, 99))
def test_incomplete_drops_the_fraction_and_leaves_every_muscle_two(sizes, fraction, seed):
    mask = np.ones((2, 2), bool)
    muscles = [MuscleAnnotation(str(n), {t: mask for t in range(size)}) for n, size in enumerate(sizes)]
    annotations = Annotations((12, 2, 2), muscles)
    can_go = sum(max(0, size - 2) for size in sizes)
    wanted = round(fraction * sum(sizes))
    if wanted > can_go:
        with pytest.raises(InputError, match="must keep 2"):
            incomplete(annotations, fraction, np.random.default_rng(seed))
        return
    left = incomplete(annotations, fraction, np.random.default_rng(seed))
    assert sum(len(m.drawn) for m in left.muscles) == sum(sizes) - wanted
    for before, after in zip(muscles, left.muscles, strict=True):
        assert len(after.drawn) >= min(2, len(before.drawn)) and set(after.drawn) <= set(before.drawn)
    assert [len(m.drawn) for m in muscles] == sizes, "the input is left alone"


@pytest.mark.parametrize("fraction", [-0.1, 1.0, np.nan])
def test_impossible_fractions(fraction):
    with pytest.raises(InputError, match="fraction"):
        incomplete(Annotations((2, 2, 2), []), fraction, np.random.default_rng(0))


@pytest.fixture
def labels(tmp_path):
    masks = np.zeros((2, 40, 20, 20), bool)
    masks[0, 5:36, 2:9, 2:18] = True
    masks[1, 9:30, 11:18, 2:18] = True
    grid = Geometry.from_spacing(masks.shape[1:], (1.4, 0.3, 0.3))
    write_segmentation(
        tmp_path / "labels.seg.nrrd", segmentation_from_masks(masks, grid, [Segment("GM"), Segment("SOL")])
    )
    return tmp_path / "labels.seg.nrrd"


def run(*args):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(a) for a in args]))


def test_the_command_writes_what_it_prints(labels, tmp_path, capsys):
    output = tmp_path / "sparse.seg.nrrd"
    assert run(labels, "-o", output, "--slices", 4) == 0
    printed = capsys.readouterr().out
    assert "GM: slices 5, 15, 25, 35" in printed and str(output) in printed
    sparse = annotations_from_segmentation(read_segmentation(output))
    assert [m.drawn_slices for m in sparse.muscles] == [[5, 15, 25, 35], [9, 16, 22, 29]]
    full = read_segmentation(labels)
    np.testing.assert_array_equal(sparse.muscles[1].drawn[16], full.mask(1)[16])


def test_a_plain_result_has_the_names_and_drawn_slices_of_its_record(labels, tmp_path, capsys):
    plain = tmp_path / "plain.nii.gz"
    write_segmentation(plain, read_segmentation(labels))
    muscles = [{"name": "GM", "drawn_slices": [5, 15, 35]}, {"name": "SOL", "drawn_slices": [9, 29]}]
    (tmp_path / "plain.json").write_text(json.dumps({"axis": 0, "muscles": muscles}), encoding="utf-8")
    assert run(plain, "-o", tmp_path / "sparse.seg.nrrd", "--slices", 9) == 0
    assert capsys.readouterr().out.startswith("GM: slices 5, 15, 35\nSOL: slices 9, 29\n")


def test_what_stays_of_a_completed_muscle_can_be_propagated(labels, tmp_path):
    full, output = read_segmentation(labels), tmp_path / "sparse.seg.nrrd"
    tags = {"Segmentation.Status": "completed", "own": "tag"}
    write_segmentation(labels, replace(full, segments=[replace(segment, tags=tags) for segment in full.segments]))
    assert run(labels, "-o", output) == 0
    for segment in without_completed(read_segmentation(output)).segments:
        assert "Segmentation.Status" not in segment.tags and segment.tags["own"] == "tag"


def test_the_command_is_repeatable_and_the_seed_matters(labels, tmp_path):
    def drawn(name, seed):
        run(labels, "-o", tmp_path / name, "--slices", 7, "--incomplete", 0.4, "--seed", seed)
        return [m.drawn_slices for m in annotations_from_segmentation(read_segmentation(tmp_path / name)).muscles]

    assert drawn("a.seg.nrrd", 1) == drawn("b.seg.nrrd", 1) != drawn("c.seg.nrrd", 2)
    assert sum(map(len, drawn("d.seg.nrrd", 3))) == 14 - round(0.4 * 14)


def test_the_command_takes_another_axis(labels, tmp_path):
    run(labels, "-o", tmp_path / "a.seg.nrrd", "--slices", 3, "--axis", 2)
    sparse = annotations_from_segmentation(read_segmentation(tmp_path / "a.seg.nrrd"))
    assert sparse.axis == 2 and sparse.muscles[0].drawn_slices == [2, 9, 17]


@pytest.mark.parametrize("values", [(2, 3, 5), (100, 150, 200), (3, 7, 1000)])
def test_a_label_map_keeps_its_values(tmp_path, capsys, values):
    """They are all that `evaluate` can tell the muscles by."""
    truth, sparse = tmp_path / "truth.nii.gz", tmp_path / "sparse.nii.gz"
    masks = np.zeros((12, 20, 30), np.uint16)
    for n, value in enumerate(values):
        masks[n : 9 + n, 2:18, 10 * n : 10 * n + 8] = value
    grid = Geometry.from_spacing(masks.shape, (1.4, 0.3, 0.3))
    write_segmentation(truth, segmentation_from_labels(masks, grid))
    assert run(truth, "-o", sparse, "--slices", 9) == 0
    capsys.readouterr()
    assert [segment.value for segment in read_segmentation(sparse).segments] == list(values)
    assert cli.main(["evaluate", str(sparse), str(truth), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [muscle["dice"] for muscle in found["muscles"].values()] == [1.0] * 3
    assert not found["missing"] and not found["extra"]


@pytest.mark.parametrize(
    ("names", "overlap", "sentence"),
    [(("GM", "SOL"), True, "drawn muscles overlap"), (("GM", NOT_MUSCLE), False, f"holds '{NOT_MUSCLE}'")],
)
def test_what_a_label_map_cannot_hold_is_refused(tmp_path, names, overlap, sentence):
    masks = np.zeros((2, 10, 20, 20), bool)
    masks[0, :, 2:9], masks[1, :, 8 if overlap else 9 : 18] = True, True
    grid = Geometry.from_spacing(masks.shape[1:], (1.4, 0.3, 0.3))
    given = tmp_path / "truth.seg.nrrd"
    write_segmentation(given, segmentation_from_masks(masks, grid, [Segment(name) for name in names]))
    with pytest.raises(InputError, match=rf"truth\.seg\.nrrd: {sentence}, which only a \.seg\.nrrd can hold"):
        run(given, "-o", tmp_path / "sparse.nii.gz")
    assert list(tmp_path.iterdir()) == [given]
    assert run(given, "-o", tmp_path / "sparse.seg.nrrd") == 0


def test_the_command_leaves_nothing_half_written(labels, tmp_path):
    before = sorted(tmp_path.iterdir())
    for output, *faulty in (["a.seg.nrrd", "--incomplete", 0.9], ["a.seg.nrrd", "--slices", 0], [labels.name]):
        with pytest.raises(InputError):
            run(labels, "-o", tmp_path / output, *faulty)
    assert sorted(tmp_path.iterdir()) == before
