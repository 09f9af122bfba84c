"""`muscleprop measure`: what it prints, and the one sentence when it cannot measure."""

import csv
import io
import json
import re

import numpy as np
import pytest
from results import write_result
from small_files import GRID, SHAPE

from MusclePropLib import cli
from MusclePropLib.core.annotations import SLICES_TAG
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.files import measure_file
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segmentation import (
    Segment,
    Segmentation,
    read_segmentation,
    segmentation_from_labels,
    write_segmentation,
)
from MusclePropLib.core.volumes import Volume, write_volume
from MusclePropLib.report.figures import cells


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


def test_both_legs_are_measured_along_them(tmp_path, capsys):
    """Not from one to the other: the gap between the legs is none between drawn slices."""
    labels, path = np.zeros((20, 30, 90), np.uint8), tmp_path / "thighs.nrrd"
    labels[2:18, 5:25, 10:30] = labels[2:18, 5:25, 60:80] = 1
    write_segmentation(path, segmentation_from_labels(labels, Geometry.from_spacing(labels.shape, (5.0, 1.0, 1.0))))
    assert cli.main(["measure", str(path)]) == 0
    told = capsys.readouterr().out
    assert "8.00 cm2" in told and "80 mm" in told and "axis" not in told
    assert cli.main(["measure", str(path), "--axis", "2"]) == 0
    told = capsys.readouterr().out
    assert "16.00 cm2" in told and "70 mm" in told and "slices counted along array axis 2" in told


def test_drawn_slices_alone_are_said_to_be_no_muscle(result, capsys):
    assert cli.main(["measure", str(result[1])]) == 0
    assert "'GM': empty on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("grey", "pixel_mm", "shown"),
    [
        (1.0, 0.5, ["0.574 (SD 0.052)", "0.25 cm2"]),
        (255.0, 0.05, ["146 (SD 13)", "0.0025 cm2", "2.5 mm"]),
        (6.0, 0.5, ["3.44 (SD 0.31)"]),
    ],
)
def test_small_figures_do_not_look_like_none(tmp_path, capsys, grey, pixel_mm, shown):
    """Images scaled to 0 to 1, and muscles of a few millimetres; on the page as here."""
    labels, image = np.zeros((10, 12, 12), np.uint8), np.full((10, 12, 12), 0.522 * grey, np.float32)
    labels[2:7, 1:11, 1:11], image[:, ::2] = 1, 0.626 * grey
    grid = Geometry.from_spacing(labels.shape, (0.5, pixel_mm, pixel_mm))
    write_segmentation(tmp_path / "leg.seg.nrrd", segmentation_from_labels(labels, grid))
    write_volume(tmp_path / "leg.nrrd", Volume(image, grid))
    assert cli.main(["measure", str(tmp_path / "leg.seg.nrrd"), "--image", str(tmp_path / "leg.nrrd")]) == 0
    told = capsys.readouterr().out
    page = cells(measure_file(tmp_path / "leg.seg.nrrd", tmp_path / "leg.nrrd").muscles[0])
    for words in shown:
        assert words in told and f">{re.sub('SD | cm2| mm', '', words)}<" in page


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


def test_drawn_slices_from_the_record_of_a_plain_result(tmp_path, capsys):
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 5:12, 6:15] = 1
    bare, plain = tmp_path / "bare.seg.nrrd", tmp_path / "plain.nii.gz"
    write_segmentation(bare, segmentation_from_labels(labels, GRID, [Segment("GM")]))
    write_segmentation(plain, segmentation_from_labels(labels, GRID))
    record = {"axis": 0, "muscles": [{"name": "GM", "drawn_slices": [0, 2, 5]}]}
    (tmp_path / "plain.json").write_text(json.dumps(record), encoding="utf-8")
    assert cli.main(["measure", str(bare), "--drawn", str(plain), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["muscles"][0]["drawn_slices"] == 3


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


def retagged(result, tag, value):
    given = read_segmentation(result)
    given.segments[0].tags[tag] = value
    write_segmentation(result, given)


@pytest.mark.parametrize(
    ("tag", "value", "sentence"),
    [
        (PROVENANCE_TAG, '{"confidence": 5', "Provenance is damaged"),
        (PROVENANCE_TAG, "[1, 2]", "Provenance is damaged"),
        (PROVENANCE_TAG, '{"confidence": ["a", "b", "c", "d", "e", "f"]}', "Provenance is damaged"),
        (PROVENANCE_TAG, '{"positions_mm": 7}', "Provenance is damaged"),
        (PROVENANCE_TAG, '{"muscle": {"estimate": "high"}}', "Provenance is damaged"),
        (SLICES_TAG, '{"axis": 7, "drawn": [], "absent": []}', "names axis 7"),
        (SLICES_TAG, '{"axis": 0, "drawn": [0, 77], "absent": []}', "names slice 77, but there are 6"),
    ],
)
def test_damaged_tags(result, capsys, tag, value, sentence):
    retagged(result[2], tag, value)
    told = fault([result[2]], capsys)
    assert sentence in told and "segment 'GM'" in told


def test_a_grey_image_is_no_segmentation(result, tmp_path, capsys):
    """Eight bits hold no more values than a label map may have."""
    assert "this is an image, not a label map" in fault([result[0]], capsys)


def test_a_folder(result, tmp_path, capfd):
    """ITK writes its warnings past Python, hence `capfd`."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty: a folder, where a file is needed" in fault([empty], capfd)
    assert "no DICOM series in this folder" in fault([result[2], "--image", empty], capfd)


@pytest.mark.parametrize("part", [0.5, 0.95])
def test_a_file_that_breaks_off(result, capsys, part):
    whole = result[2].read_bytes()
    result[2].write_bytes(whole[: int(part * len(whole))])
    assert "leg-muscles.seg.nrrd: " in fault([result[2]], capsys)


def test_a_record_that_is_none_is_left_alone_and_a_broken_one_named(result, capsys):
    record = result[2].with_name("leg-muscles.json")
    for text in ('{"Modality": "US"}', "[1]", '{"muscles": [{"name": 5}]}'):
        record.write_text(text, encoding="utf-8")
        assert cli.main(["measure", str(result[2])]) == 0
        capsys.readouterr()
    record.write_text('{"muscles": [', encoding="utf-8")
    assert "leg-muscles.json: the record of this result cannot be read" in fault([result[2]], capsys)


def test_tracked_frames_beside_a_label_map(result, capsys):
    """`frames.csv` is read with the image; without it the slices count as even, which has to be said."""
    result[2].with_name("frames.csv").write_text("", encoding="utf-8")
    assert cli.main(["measure", str(result[2])]) == 0
    assert "positions are not used: give --image" in capsys.readouterr().err


def test_no_such_file(tmp_path, capsys):
    assert "no such file" in fault([tmp_path / "none.nrrd"], capsys)
