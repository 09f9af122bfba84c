"""`muscleprop measure`: what it prints, and the one sentence when it cannot measure."""

import csv
import io
import json

import numpy as np
import pytest
from results import write_result
from small_files import GRID, SHAPE

from MusclePropLib import cli
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segmentation import (
    Segment,
    Segmentation,
    read_segmentation,
    segmentation_from_labels,
    write_segmentation,
)
from MusclePropLib.core.volumes import Volume, write_volume


@pytest.fixture
def result(tmp_path):
    return write_result(tmp_path)


def test_text_has_volumes_by_all_methods(result, capsys):
    image, _, out = result
    assert cli.main(["measure", str(out), "--image", str(image)]) == 0
    told = capsys.readouterr()
    for words in ("GM", "spline", "cones", "expected range", "echo", "cm2"):
        assert words in told.out
    assert "'GL': drawn on one slice only" in told.err


def test_csv_has_a_row_per_muscle_and_units(result, capsys):
    out = result[2]
    assert cli.main(["measure", str(out), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["muscle"] for row in rows] == ["GM", "GL"]
    assert float(rows[0]["volume_ml"]) > 0 and rows[0]["echo_intensity_mean"] == ""


def test_json_has_the_curves(result, capsys):
    image, _, out = result
    assert cli.main(["measure", str(out), "--image", str(image), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    volume = sum(row["acsa_cm2"] for row in told["slices"] if row["muscle"] == "GM") * GRID.spacing[0] / 10
    assert volume == pytest.approx(told["muscles"][0]["volume_ml"], rel=1e-4)
    assert {"drawn", "propagated"} == {row["state"] for row in told["slices"] if row["muscle"] == "GM"}


def test_drawn_slices_from_the_annotations(result, tmp_path, capsys):
    """A label map says nothing of drawn slices; its segments are found by name."""
    _, drawn, out = result
    bare = read_segmentation(out)
    for segment in bare.segments:
        segment.tags.clear()
    write_segmentation(tmp_path / "bare.seg.nrrd", bare)
    for given, spline in (([], False), (["--drawn", str(drawn)], True)):
        assert cli.main(["measure", str(tmp_path / "bare.seg.nrrd"), "--csv", *given]) == 0
        row = next(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert bool(row["spline_volume_ml"]) is spline


def fault(arguments, capsys):
    assert cli.main(["measure", *map(str, arguments)]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert told.err.count("\n") == 1 and told.err.startswith("muscleprop: ")
    return told.err


def test_empty(tmp_path, capsys):
    path = tmp_path / "empty.seg.nrrd"
    write_segmentation(path, Segmentation(GRID, [np.zeros(SHAPE, np.uint8)], [Segment("GM")]))
    assert "empty.seg.nrrd: every segment is empty" in fault([path], capsys)


def test_an_image_of_another_size(result, tmp_path, capsys):
    other = tmp_path / "other.nrrd"
    shape = (6, 21, 24)
    array = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    write_volume(other, Volume(array, Geometry.from_spacing(shape, (1.4, 0.21, 0.2))))
    assert "different grids" in fault([result[2], "--image", other], capsys)


def test_annotations_of_something_else(result, tmp_path, capsys):
    other = tmp_path / "other.nrrd"
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 3:6, 3:6] = 7
    write_segmentation(other, segmentation_from_labels(labels, GRID))
    assert "none of the segments" in fault([result[2], "--drawn", other], capsys)


def test_no_such_file(tmp_path, capsys):
    assert "no such file" in fault([tmp_path / "none.nrrd"], capsys)
