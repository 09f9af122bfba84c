"""Every command explains itself, and bad input is one sentence, status 2 and no file."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_files import write_case

from MusclePropLib import cli
from MusclePropLib.commands.common import write_text
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segmentation import Segment, segmentation_from_labels, write_segmentation

GRID = Geometry.from_spacing((4, 5, 6), (1.0, 1.0, 1.0))
COMMANDS = [name.replace("_", "-") for name in cli.command_names()]


def test_commands_are_found():
    assert {"propagate", "batch", "sparsify"} <= set(COMMANDS)
    assert "common" not in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  muscleprop {command} " in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_example_parses(command):
    """The first line of an example is a command line that the parser takes."""
    module = __import__(f"MusclePropLib.commands.{command.replace('-', '_')}", fromlist=["EXAMPLE"])
    words = module.EXAMPLE.splitlines()[0].partition(" > ")[0].split()
    assert words[:2] == ["muscleprop", command]
    assert cli.build_parser(words[1:]).parse_args(words[1:]).run is module.run


def test_no_command_shows_help(capsys):
    assert cli.main([]) == 2
    assert "propagate" in capsys.readouterr().out


def test_module_can_be_run():
    done = subprocess.run([sys.executable, "-m", "MusclePropLib", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout[:11]) == (0, "muscleprop ")


def missing_image(image, drawn):
    image.unlink()
    return image, "no such file"


def text_for_image(image, drawn):
    image.write_text("patient list", encoding="utf-8")
    return image, ""


def image_cut_short(image, drawn):
    image.write_bytes(image.read_bytes()[:400])
    return image, ""


def missing_annotations(image, drawn):
    drawn.unlink()
    return drawn, ""


def empty_annotations(image, drawn):
    sitk.WriteImage(sitk.Image(24, 20, 6, sitk.sitkUInt8), str(drawn))
    return drawn, ""


def other_grid(image, drawn):
    write_case(drawn.parent, "other", (1.4, 0.3, 0.2))
    (drawn.parent / "other-annotations.seg.nrrd").replace(drawn)
    for path in drawn.parent.glob("other*"):
        path.unlink()
    return drawn, "grid"


def image_for_annotations(image, drawn):
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(6 * 20 * 24, dtype=np.int16).reshape(6, 20, 24)), str(drawn))
    return drawn, "label map"


FAULTS = [
    missing_image,
    text_for_image,
    image_cut_short,
    missing_annotations,
    empty_annotations,
    other_grid,
    image_for_annotations,
]


@pytest.mark.parametrize("spoil", FAULTS)
def test_unusable_input_is_one_sentence(spoil, tmp_path, capsys):
    image, drawn = write_case(tmp_path)
    blamed, words = spoil(image, drawn)
    before = sorted(tmp_path.iterdir())
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(tmp_path / "out.seg.nrrd")]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"muscleprop: {blamed}")
    assert words in message
    assert len(message.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["-o", "{tmp}/out.txt"], "cannot write this kind of file"),
        (["-o", "{tmp}/no/out.seg.nrrd"], "no such folder"),
        (["-o", "{tmp}/out.NII.GZ"], "small letters"),
        (["-o", "{tmp}/folder.seg.nrrd"], "there is a folder of that name"),
        (["-o", "{tmp}/locked/out.seg.nrrd"], "nothing can be written to this folder"),
        (["-o", "{tmp}/out.nii.gz"], "drawn muscles overlap"),
        (["-o", "{tmp}/leg.nrrd"], "would overwrite an input"),
        (["-o", "{tmp}/out.seg.nrrd", "--time-limit", "0"], "must be positive"),
        (["-o", "{tmp}/out.seg.nrrd", "--time-limit", "nan"], "must be positive"),
        (["-o", "{tmp}/out.seg.nrrd", "--time-limit", "inf"], "a number of seconds is needed"),
        (["-o", "{tmp}/out.seg.nrrd", "--device", "abacus"], "'abacus' is not available"),
        (["-o", "{tmp}/out.seg.nrrd", "--weights", "{tmp}/leg.nrrd"], "leg.nrrd: not a file of MuscleProp weights"),
        (["-o", "{tmp}/out.seg.nrrd", "--weights", "{tmp}/no.safetensors"], "no such file of weights"),
        (["-o", "{tmp}/out.seg.nrrd", "--report", "{tmp}/leg.nrrd"], "where a folder is needed"),
    ],
)
def test_unusable_options_are_one_sentence(more, words, monkeypatch, tmp_path, capsys):
    image, drawn = write_case(tmp_path)
    (tmp_path / "folder.seg.nrrd").mkdir()
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "locked")
    monkeypatch.setattr("MusclePropLib.commands._session.run_to_end", None)  # before anything is computed
    before = sorted(tmp_path.iterdir())
    assert cli.main(["propagate", str(image), str(drawn), *(m.format(tmp=tmp_path) for m in more)]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert len(message.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_letters_that_the_output_lacks_are_written_otherwise(tmp_path):
    """On Windows, what is piped on has the letters of one region only."""
    path = tmp_path / "leg.seg.nrrd"
    segment = Segment("肌 Mü")
    write_segmentation(path, segmentation_from_labels(np.ones((4, 5, 6), np.uint8), GRID, [segment]))
    command = [sys.executable, "-m", "MusclePropLib", "measure", str(path), "--csv"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "cp1252"})
    assert done.returncode == 0 and rb"\u808c M" + b"\xfc" in done.stdout


@pytest.mark.parametrize("seed", ["-1", str(1 << 63)])
@pytest.mark.parametrize(
    "argv",
    [
        ["demo", "-o", "{tmp}/demo"],
        ["propagate", "a.nrrd", "b.nrrd", "-o", "{tmp}/out.nrrd"],
        ["sparsify", "a.nrrd", "-o", "{tmp}/out.nrrd"],
        ["train", "cohort", "-o", "{tmp}/w.safetensors"],
        ["pretrain", "-o", "{tmp}/w.safetensors"],
    ],
)
def test_a_seed_that_nobody_takes(argv, seed, tmp_path, capsys):
    assert cli.main([*(word.format(tmp=tmp_path) for word in argv), "--seed", seed]) == 2
    assert capsys.readouterr().err == f"muscleprop: --seed {seed}: from 0 to 2^63 - 1 is needed\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argv", [["sing"], ["propagate"], ["propagate", "a", "b", "-o", "c", "--axis", "7"]])
def test_unusable_arguments(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    assert stop.value.code == 2
    assert "muscleprop" in capsys.readouterr().err


def test_what_the_system_refuses_is_one_sentence(monkeypatch, tmp_path, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "calf.nrrd")

    monkeypatch.setattr("MusclePropLib.core.volumes.write_volume", full)
    assert cli.main(["phantom", "-o", str(tmp_path), "--shape", "8", "16", "16"]) == 1
    assert capsys.readouterr().err == "muscleprop: calf.nrrd: No space left on device\n"


@pytest.mark.parametrize("told", [True, False])
def test_a_fault_in_writing_names_the_file(told, monkeypatch, tmp_path):
    """Of itself it tells the temporary name, or, from writing to an open file, none."""

    def full(part, *_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([str(part)] if told else []))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError) as caught:
        write_text(tmp_path / "table.csv", "")
    assert caught.value.filename == str(tmp_path / "table.csv")


@pytest.mark.parametrize("command", ["train cohort", "pretrain"])
def test_weights_are_not_trained_for_a_folder_that_cannot_hold_them(command, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert cli.main([*command.split(), "-o", str(tmp_path / "w.safetensors")]) == 2
    assert f"{tmp_path}: nothing can be written" in capsys.readouterr().err
