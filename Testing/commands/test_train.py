"""`muscleprop train` and `experiment` from the command line."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from small_files import write_case

from MusclePropLib import cli
from MusclePropLib.core.cohort.cases import find_cases, split_subjects
from MusclePropLib.core.cohort.simulated import simulate_cohort
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.weights import load_weights

SMALL = ["--simulated-shape", "8x32x40"]
QUICK = ["--size", "16x16", "--spacing", "0.4", "--slices", "3", "--base-maps", "4", "--levels", "2", "--device", "cpu"]
QUICK += ["--steps", "2", "--validate-every", "1"]


@pytest.fixture(autouse=True)
def torchs_own_folder(monkeypatch, tmp_path):
    """Torch makes a folder for its compiler when the first optimiser is built, wanted or not."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "torch"))


@pytest.fixture
def cohort(tmp_path):
    folder = tmp_path / "cohort"
    folder.mkdir()
    for number in range(3):
        write_case(folder, f"leg{number}")
    return folder


@pytest.fixture
def simulated(tmp_path):
    """A folder with one simulated calf."""
    folder = tmp_path / "calves"
    simulate_cohort(folder, 1, (8, 32, 40))
    return folder


def test_train_writes_weights_and_says_how_good_they_are(cohort, tmp_path, capsys):
    weights = tmp_path / "calf.safetensors"
    assert cli.main(["train", str(cohort), "-o", str(weights), "--labels", "GM", *QUICK]) == 0
    told = capsys.readouterr()
    assert "1 of 1 to learn from, 1 of 1 to stop by, 1 of 1 to report on" in told.err
    printed = json.loads(told.out)
    (test,) = split_subjects(find_cases(cohort), 0).test
    assert printed["steps"] == 2 and list(printed["test_dice"]) == [test.name], "of nobody who was learned from"
    assert load_weights(weights).metadata["labels"] == ["GM"]
    scores = json.loads((tmp_path / "calf.run" / "test.json").read_text(encoding="utf-8"))
    assert {"dice", "hd95_mm"} <= set(next(iter(scores.values()))["GM"])
    assert cli.main(["train", str(cohort), "-o", str(weights), "--labels", "GM", *QUICK]) == 2
    assert "--resume" in capsys.readouterr().err


def test_what_is_asked_for_is_what_is_trained(cohort, tmp_path, monkeypatch):
    trained = []

    def fit(split, settings, *_):
        trained.append(vars(settings))
        raise InputError("enough")

    monkeypatch.setattr("MusclePropLib.core.cohort.fit.fit", fit)
    own = {"share": 0.5, "negatives": "off", "variant": "unet-s", "seed": 3, "patience": 7, "learning_rate": 0.01}
    asked = [text for name, value in own.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    assert cli.main(["train", str(cohort), "-o", str(tmp_path / "calf.safetensors"), "--labels", "GM", *asked]) == 2
    assert own.items() <= trained[0].items() and trained[0]["labels"] == ("GM",)


def test_leg_3d_us_by_name(tmp_path):
    folder = tmp_path / "Leg-3D-US"
    folder.mkdir()
    labels = np.zeros((6, 20, 24), np.uint8)
    labels[1:5, 2:8, 2:8], labels[1:5, 2:8, 10:16], labels[1:5, 10:16, 4:14] = 100, 150, 200
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, labels.shape, dtype=np.uint8)
        sitk.WriteImage(sitk.GetImageFromArray(noise), folder / f"x{number}.mha")
        sitk.WriteImage(sitk.GetImageFromArray(labels), folder / f"masksX{number}.mha")
    weights = tmp_path / "calf.safetensors"
    assert cli.main(["train", str(folder), "-o", str(weights), "--complete", *QUICK, "--spacing", "1"]) == 0
    assert load_weights(weights).metadata["labels"] == ["GL", "GM", "SOL"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--labels", "GM=x"], "not a label value"),
        (["--labels", "SOL"], "no training case has a segment 'SOL'"),
        (["--size", "16"], "rows x columns"),
        (["--share", "2"], "share"),
        (["--init", "gone.safetensors"], "no such file"),
        (["--subject", "arm"], "does not fit"),
        (["--seed", "-1"], "--seed -1"),
        (["--steps", "-5"], "must not be negative"),
        (["--validate-every", "-1"], "must not be negative"),
        (["--learning-rate", "-1"], "the learning rate, and its share"),
        (["--learning-rate", "nan"], "the learning rate, and its share"),
        (["--spacing", "inf"], "numbers above 0 mm"),
        (["--slice-spacing", "inf"], "numbers above 0 mm"),
    ],
)
def test_bad_input_is_one_sentence(cohort, tmp_path, capsys, arguments, fault):
    weights = tmp_path / "calf.safetensors"
    assert cli.main(["train", str(cohort), "-o", str(weights), *QUICK, *arguments]) == 2
    error = capsys.readouterr().err
    assert fault in error and "Traceback" not in error and not weights.exists()


@pytest.mark.parametrize("arguments", [["--init", "gone.safetensors"], ["--device", "abacus"]])
def test_what_cannot_be_begun_leaves_nothing_behind(cohort, tmp_path, arguments):
    assert cli.main(["train", str(cohort), "-o", str(tmp_path / "calf.safetensors"), *QUICK, *arguments]) == 2
    assert not list(tmp_path.glob("calf*"))


def test_every_experiment_can_be_named():
    from MusclePropLib.commands.experiment import NAMES
    from MusclePropLib.core.cohort.experiments import EXPERIMENTS

    assert set(NAMES) == set(EXPERIMENTS)


def test_weights_need_their_ending(cohort, tmp_path, capsys):
    assert cli.main(["train", str(cohort), "-o", str(tmp_path / "calf.pt"), *QUICK]) == 2
    assert ".safetensors" in capsys.readouterr().err


def test_an_experiment_on_simulated_calves(tmp_path, capsys):
    options = ["--simulate", "3", *SMALL, "--seeds", "1", *QUICK, "--spacing", "9"]
    assert cli.main(["experiment", "transfer", str(tmp_path / "calves"), "-o", str(tmp_path / "out"), *options]) == 0
    assert "GM, 50%, from GL" in capsys.readouterr().out
    assert {"transfer.md", "transfer.json", "transfer.png"} <= {path.name for path in (tmp_path / "out").iterdir()}


def test_a_cohort_is_called_simulated_only_if_all_of_it_is(cohort, tmp_path, capsys):
    folder = tmp_path / "mixed"
    shutil.copytree(cohort, folder)
    options = ["--simulate", "1", *SMALL, "--seeds", "1", *QUICK, "--label", "GM"]
    assert cli.main(["experiment", "table1", str(folder), "-o", str(tmp_path / "out"), *options]) == 0
    assert "cohort: mixed, 4 volumes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--simulate", "-3"], "--simulate must be at least 1"),
        (["--simulate", "1", "--simulated-shape", "2x3x4"], "none below 8"),
        (["--simulate", "1", "--simulated-shape", "8x32x48"], "calf000.nrrd is a simulated calf of 8x32x40"),
        (["--label", "GL"], "from GL to another muscle"),
    ],
)
def test_a_bad_experiment_is_one_sentence(simulated, tmp_path, capsys, arguments, fault):
    assert cli.main(["experiment", "transfer", str(simulated), "-o", str(tmp_path), *QUICK, *arguments]) == 2
    error = capsys.readouterr().err
    assert fault in error and "Traceback" not in error and error.count("muscleprop: ") == 1


def test_calves_of_another_size_are_refused_before_any_is_written(tmp_path):
    simulate_cohort(tmp_path, 1, (8, 32, 40), first_seed=1)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"calf001\.nrrd is a simulated calf of 8x32x40, not 8x32x48"):
        simulate_cohort(tmp_path, 2, (8, 32, 48))
    assert sorted(tmp_path.iterdir()) == before


def test_a_pretraining_that_was_broken_off_is_not_gone_on_with_otherwise(tmp_path, capsys):
    weights = tmp_path / "guided.safetensors"
    weights.with_suffix(".ckpt").write_bytes(b"half a checkpoint")
    assert cli.main(["pretrain", "-o", str(weights), "--steps", "1", "--workers", "0"]) == 2
    assert "guided.ckpt: no checkpoint of a pretraining" in capsys.readouterr().err
    assert weights.with_suffix(".ckpt").read_bytes() == b"half a checkpoint" and not weights.exists()
