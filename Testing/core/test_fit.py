"""Cohort training on tiny volumes: it learns, it survives, it is the same whoever computes it."""

import csv
import multiprocessing
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_cohort import TINY, write_cohort

from MusclePropLib.core.cohort.cases import find_cases, split_subjects
from MusclePropLib.core.cohort.fit import evaluate, fit, run_folder
from MusclePropLib.core.cohort.prepared import prepare
from MusclePropLib.core.cohort.processes import Processes
from MusclePropLib.core.cohort.run import Material, Run
from MusclePropLib.core.device import Plan
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.segmentation import read_segmentation, segmentation_from_masks, write_segmentation
from MusclePropLib.core.segments import Segment
from MusclePropLib.core.weights import load_weights


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"))


def train(cases, weights, settings=TINY, **options):
    return fit(split_subjects(find_cases(cases), 0), settings, weights, **options)


def curves(weights):
    with (run_folder(weights) / "curves.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_it_learns_and_leaves_weights_curves_and_picture(cases, tmp_path):
    weights = tmp_path / "w.safetensors"
    events = []
    settings = replace(TINY, steps=90, validate_every=30, augment=False)
    result = train(cases, weights, settings, on_event=events.append)
    assert result.dice > 0.85
    loaded = load_weights(weights)
    assert loaded.metadata["labels"] == ["GM"] and loaded.network.config.classes == 2
    assert loaded.metadata["validation"]["dice"] == result.dice
    rows = curves(weights)
    assert [row["step"] for row in rows] == ["30", "60", "90"]
    assert float(rows[-1]["segmentation"]) < 0.5 * float(rows[0]["segmentation"])
    assert (run_folder(weights) / "curves.png").stat().st_size > 1000
    assert {event["event"] for event in events} == {"progress"} and events[-1]["fraction"] == 1


def test_resuming_comes_to_the_same_numbers(cases, tmp_path):
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    train(cases, whole)
    train(cases, broken, replace(TINY, steps=2))
    train(cases, broken, resume=True)
    assert curves(broken) == curves(whole)
    assert load_weights(broken).checksum == load_weights(whole).checksum


def _train_for_ever(cases, weights):
    train(cases, weights, replace(TINY, steps=100_000))


def test_a_killed_training_goes_on_from_its_checkpoint(cases, tmp_path):
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    process = multiprocessing.get_context("spawn").Process(target=_train_for_ever, args=(cases, killed))
    process.start()
    deadline = time.monotonic() + 300
    while not (run_folder(killed) / "checkpoint.safetensors").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    steps = int(curves(killed)[-1]["step"]) + 4
    train(cases, killed, replace(TINY, steps=steps), resume=True)
    train(cases, whole, replace(TINY, steps=steps))
    assert curves(killed) == curves(whole)


def _train_together(rank, meeting, cases, weights):
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = meeting
    train(cases, weights, replace(TINY, clips=2, steps=4, variant="unet-s-r-clstm"))
    # Threads of gloo that meet the interpreter's end abort a process now and then.
    assert not [name for name in _threads() if "gloo" in name]


def _threads():
    """Names of this process's threads, Python's and others', where the system tells."""
    return [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]


def test_two_processes_give_the_curve_of_one(cases, tmp_path):
    alone, together = tmp_path / "alone.safetensors", tmp_path / "together.safetensors"
    train(cases, alone, replace(TINY, clips=2, steps=4, variant="unet-s-r-clstm"))
    context = multiprocessing.get_context("spawn")
    port = str(20_000 + os.getpid() % 20_000)
    pair = [context.Process(target=_train_together, args=(rank, port, cases, together)) for rank in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(300)
    assert [process.exitcode for process in pair] == [0, 0]
    for one, two in zip(curves(alone), curves(together), strict=True):
        for name in ("segmentation", "reconstruction"):
            assert float(one[name]) == pytest.approx(float(two[name]), rel=1e-4)
        # Dice counts pixels: where two classes are as good as equal, rounding decides.
        assert float(one["dice"]) == pytest.approx(float(two["dice"]), abs=0.005)


def test_an_unfinished_training_is_not_overwritten_nor_mixed(cases, tmp_path):
    weights = tmp_path / "w.safetensors"
    train(cases, weights, replace(TINY, steps=2))
    with pytest.raises(InputError, match="--resume"):
        train(cases, weights)
    with pytest.raises(InputError, match="seed differ"):
        train(cases, weights, replace(TINY, seed=1), resume=True)


def test_cases_and_weights_are_known_by_what_they_hold_not_by_name_or_place(cases, tmp_path):
    first, other = tmp_path / "first.safetensors", tmp_path / "other.safetensors"
    train(cases, first, replace(TINY, steps=2))
    train(cases, other, replace(TINY, steps=2, seed=1))
    begun, init = tmp_path / "begun.safetensors", tmp_path / "init.safetensors"
    shutil.copy(first, init)
    train(cases, begun, replace(TINY, steps=2), init=init)
    shutil.copy(other, init)
    with pytest.raises(InputError, match="initial weights differ"):
        train(cases, begun, resume=True, init=init)

    shutil.copytree(cases, tmp_path / "moved")
    train(tmp_path / "moved", first, replace(TINY, steps=4), resume=True)
    assert [row["step"] for row in curves(first)] == ["2", "4"]
    for number in range(4):
        shutil.copy(tmp_path / "moved" / "x4.nrrd", tmp_path / "moved" / f"x{number}.nrrd")
    with pytest.raises(InputError, match="training cases, validation cases differ"):
        train(tmp_path / "moved", first, resume=True)


def test_it_stops_early(cases, tmp_path):
    settings = replace(TINY, steps=40, validate_every=1, patience=2, learning_rate=1e-9)
    result = train(cases, tmp_path / "w.safetensors", settings)
    assert result.steps < 40


def test_validating_more_often_makes_no_difference_to_the_passes(cases, tmp_path):
    ends = []
    for every in (0, 1, 5):
        weights = tmp_path / f"{every}.safetensors"
        train(cases, weights, replace(TINY, steps=0, epochs=2, validate_every=every))
        ends.append(curves(weights)[-1]["step"])
    assert len(set(ends)) == 1


def test_cases_with_slices_across_different_axes_are_refused(tmp_path):
    """Sparse label maps tell theirs, a dense one does not."""
    write_cohort(tmp_path)
    for number in range(4):
        path = tmp_path / f"x{number}.seg.nrrd"
        drawn = read_segmentation(path)
        some = np.arange(32) % 3 == 0
        write_segmentation(path, replace(drawn, layers=[layer * some for layer in drawn.layers]))
    settings = replace(TINY, reading=replace(TINY.reading, axis=None, complete=False))
    with pytest.raises(InputError, match=r"slices lie across axis \d, those of .* across axis \d; give --axis"):
        train(tmp_path, tmp_path / "w.safetensors", settings)


def test_it_begins_from_given_weights(cases, tmp_path):
    train(cases, tmp_path / "gl.safetensors", replace(TINY, labels=("GL",)))
    settings = replace(TINY, steps=1, validate_every=1, learning_rate=1e-12)
    result = train(cases, tmp_path / "gm.safetensors", settings, init=tmp_path / "gl.safetensors")
    begun, given = load_weights(result.weights).network, load_weights(tmp_path / "gl.safetensors").network
    for one, other in zip(begun.parameters(), given.parameters(), strict=True):
        np.testing.assert_allclose(one.detach(), other.detach(), atol=1e-9)


def test_memory_that_runs_out_shortens_the_clips(cases, tmp_path, monkeypatch):
    from MusclePropLib.core.training import AlternateTrainer

    step = AlternateTrainer.step

    def greedy(self, clip, *args, **kwargs):
        if len(clip) > 4:
            raise RuntimeError("CUDA out of memory. Tried to allocate 3 GiB")
        return step(self, clip, *args, **kwargs)

    monkeypatch.setattr(AlternateTrainer, "step", greedy)
    events = []
    result = train(cases, tmp_path / "w.safetensors", replace(TINY, slices=8), on_event=events.append)
    assert result.steps == TINY.steps
    assert [event["level"] for event in events if event["event"] == "log"] == ["warning"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"labels": ("biceps",)}, "no training case has a segment 'biceps'; there are GL, GM"),
        ({"share": 0.0}, "share"),
        ({"negatives": "maybe"}, "negatives"),
        ({"variant": "vnet"}, "variant"),
        ({"slices": 0}, "slices"),
    ],
)
def test_unusable_settings_are_said(cases, tmp_path, changes, fault):
    with pytest.raises(InputError, match=fault):
        train(cases, tmp_path / "w.safetensors", replace(TINY, **changes))


def test_what_cannot_be_validated_is_told_of_before_the_first_step(tmp_path):
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    split = split_subjects(find_cases(write_cohort(cohort)), 0)
    held = [read_segmentation(case.labels) for case in split.validation]
    for case, found in zip(split.validation, held, strict=True):
        only = segmentation_from_masks([found.mask(1)], found.geometry, [Segment("GL")])
        write_segmentation(case.labels, only)
    settings = replace(TINY, reading=replace(TINY.reading, complete=False))
    events = []
    with pytest.raises(InputError, match=r"set aside for validation \(x\d\) shows GM"):
        fit(split, settings, tmp_path / "w.safetensors", on_event=events.append)
    assert not [event for event in events if event["event"] == "progress"]


def test_a_damaged_file_of_those_to_report_on_is_told_of_before_the_first_step(cases, tmp_path):
    cohort, weights, events = tmp_path / "cohort", tmp_path / "w.safetensors", []
    shutil.copytree(cases, cohort)
    split = split_subjects(find_cases(cohort), 0)
    whole = split.test[0].image.read_bytes()
    split.test[0].image.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=split.test[0].image.name):
        fit(split, TINY, weights, on_event=events.append)
    assert not events and not weights.exists()
    split.test[0].image.write_bytes(whole)
    fit(split, TINY, weights)  # nothing of that attempt is in its way
    kept = sorted((run_folder(weights) / "cache").iterdir())
    assert evaluate(weights, split.test, TINY).keys() == {case.name for case in split.test}
    assert sorted((run_folder(weights) / "cache").iterdir()) == kept, "the report converts nothing again"


def test_a_file_whose_values_have_lost_their_names_is_told_of(cases, tmp_path):
    cohort = tmp_path / "cohort"
    shutil.copytree(cases, cohort)
    odd = split_subjects(find_cases(cohort), 0).training[0]
    found = read_segmentation(odd.labels)
    named = [Segment("Segment_100"), Segment("Segment_50")]
    write_segmentation(odd.labels, segmentation_from_masks([found.mask(0), found.mask(1)], found.geometry, named))
    events = []
    train(cohort, tmp_path / "w.safetensors", replace(TINY, steps=2), on_event=events.append)
    assert [e["text"] for e in events if e["event"] == "log"] == [
        f"{odd.name}: label values without a name, which other cases have; give --labels NAME=VALUE"
    ]


def test_share_and_negatives_are_those_of_the_training(cases, tmp_path):
    split = split_subjects(find_cases(cases), 0)
    ready = [prepare(case, TINY.reading, tmp_path / "cache") for case in split.training]
    material = Material(ready, (), TINY.labels, tmp_path / "w.safetensors", tmp_path / "checkpoint.safetensors", None)
    plan = Plan(torch.device("cpu"), TINY.slices)

    def first(**chosen):
        run = Run(replace(TINY, clips=4, **chosen), material, Processes(), lambda event: None)
        batch = run._batch(run._sampler(plan), 0, plan)
        return batch, float(run._loss(batch)(torch.zeros(16, 2, 24, 32)))

    assert first()[0].known.all()
    (on, _), (off, without), (paper, with_equation_3) = (
        first(share=0.5, negatives=choice) for choice in ("on", "off", "paper")
    )
    unknown = ~on.known[:, 0]
    assert 0 < unknown.sum() < 16
    assert off.allowed[unknown].all() and not on.allowed[unknown].all()
    assert (paper.allowed == off.allowed).all() and with_equation_3 > without


def test_the_weights_are_those_that_were_validated(cases, tmp_path):
    split = split_subjects(find_cases(cases), 0)
    weights = tmp_path / "w.safetensors"
    settings = replace(TINY, steps=30, validate_every=30, averaging=0.99)
    result = fit(split, settings, weights)
    found = evaluate(weights, split.validation, settings)
    assert np.mean([s["GM"].dice for s in found.values()]) == pytest.approx(result.dice, abs=1e-6)
