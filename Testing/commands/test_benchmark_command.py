"""`muscleprop benchmark`: three files, a status, and a sentence for what cannot be."""

import json

import numpy as np
import pytest
from small_files import GRID, SHAPE

from MusclePropLib import cli
from MusclePropLib.core.rivals import interpolation
from MusclePropLib.core.segmentation import segmentation_from_labels, write_segmentation
from MusclePropLib.core.volumes import Volume, write_volume


@pytest.fixture
def cases(tmp_path):
    folder = tmp_path / "cases"
    for name in ("x1", "x2"):
        (folder / name).mkdir(parents=True)
        image = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
        labels = np.zeros(SHAPE, np.uint8)
        for t in range(SHAPE[0]):
            labels[t, 4 : 10 + t, 5 + t : 14] = 1
        write_volume(folder / name / "image.nrrd", Volume(image, GRID))
        write_segmentation(folder / name / "label.nrrd", segmentation_from_labels(labels, GRID))
    return folder


def benchmark(cases, *more):
    output = cases.parent / "results"
    methods = [] if "--methods" in more else ["--methods", "copy,interpolation,area-spline"]
    return output, cli.main(["benchmark", str(cases), "-o", str(output), "--slices", "2,3", *methods, *more])


def test_results_table_and_picture(cases, capsys):
    output, status = benchmark(cases)
    assert status == 0
    results = json.loads((output / "results.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert len(results["rows"]) == 2 * 2 * 3 and results["environment"]["processors"]
    page = (output / "results.md").read_text(encoding="utf-8")
    assert "Signed-distance interpolation" in page and page in capsys.readouterr().out
    assert (output / "results.png").read_bytes()[:4] == b"\x89PNG"


def test_what_has_no_partner_is_said_once_and_the_pairs_are_run(cases, capsys):
    (cases / "lone").mkdir()
    (cases / "lone" / "Bild.nrrd").write_bytes(b"")
    output, status = benchmark(cases)
    told = capsys.readouterr().err
    assert status == 0 and told.count("1 image or label map left out for want of a partner (lone/Bild.nrrd)") == 1
    assert len(json.loads((output / "results.json").read_text(encoding="utf-8"))["rows"]) == 2 * 2 * 3


def test_a_failing_method_ends_in_a_sentence_and_the_rest_is_there(cases, monkeypatch, capsys):
    def crash(*_):
        raise MemoryError("too large")

    monkeypatch.setattr(interpolation, "run", crash)
    output, status = benchmark(cases)
    assert status == 1
    assert "muscleprop: 4 of 12 runs failed" in capsys.readouterr().err
    page = (output / "results.md").read_text(encoding="utf-8")
    assert "MemoryError: too large" in page and "Nearest slice copied | 2 |" in page


def test_options_reach_the_method(cases):
    output, status = benchmark(cases, "--methods", "flow", "--set", "flow.carry=distances")
    rows = json.loads((output / "results.json").read_text(encoding="utf-8"))["rows"]
    assert status == 0 and rows[0]["options"] == {"carry": "distances"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--methods", "magic"], "no method is called 'magic'"),
        (["--slices", "3,five"], "whole numbers"),
        (["--set", "flow"], "METHOD.OPTION=VALUE"),
        (["--set", "flow.no_such_thing=1"], "flow has no option 'no_such_thing'; there are carry"),
        (["--seeds", "-1"], "needs seeds"),
    ],
)
def test_what_cannot_be_is_one_sentence(cases, capsys, more, words):
    output, status = benchmark(cases, *more)
    told = capsys.readouterr().err
    assert status == 2 and words in told and told.count("\n") == 1
    assert not output.exists()
