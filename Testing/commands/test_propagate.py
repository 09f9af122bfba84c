"""`muscleprop propagate` with the stand-in engine: what is written, printed, and left alone when it fails."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_files import GRID, SHAPE, write_case

from MusclePropLib import cli
from MusclePropLib.commands.propagate import describe
from MusclePropLib.commands.report import find_image
from MusclePropLib.core.annotations import (
    Annotations,
    MuscleAnnotation,
)
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.files import read_result
from MusclePropLib.core.measurements.records import Places, known_of, read_record
from MusclePropLib.core.measurements.tables import spans
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segmentation import (
    read_segmentation,
    segmentation_from_annotations,
    segmentation_from_labels,
    segmentation_from_masks,
    write_segmentation,
)
from MusclePropLib.core.segments import Segment
from MusclePropLib.core.volumes import Volume, write_volume
from MusclePropLib.jobs.job import Job


def test_drawn_slices_come_back_with_names_colours_and_tags(tmp_path, capsys):
    image, drawn = write_case(tmp_path)
    out = tmp_path / "out.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    given, result = read_segmentation(drawn), read_segmentation(out)
    assert result.geometry.matches(GRID)
    for index, (before, after) in enumerate(zip(given.segments, result.segments, strict=True)):
        assert (after.name, after.color) == (before.name, before.color)
        assert after.tags["MuscleProp.Slices"] == before.tags["MuscleProp.Slices"]
        assert "stand-in" in after.tags[PROVENANCE_TAG]
        assert np.array_equal(result.mask(index)[0], given.mask(index)[0])
    told = capsys.readouterr()
    assert "GM" in told.out
    assert "Draw slice 3 next" in told.out
    assert "Carrying the contours" in told.err


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_plain_label_maps(tmp_path, ending):
    image, drawn = write_case(tmp_path)
    given, out = tmp_path / f"given{ending}", tmp_path / f"out{ending}"
    labels = read_segmentation(drawn).mask(0).astype(np.uint8)
    write_segmentation(given, segmentation_from_labels(labels, GRID))
    assert cli.main(["propagate", str(image), str(given), "-o", str(out)]) == 0
    result = read_segmentation(out)
    assert result.geometry.matches(GRID)
    assert np.array_equal(result.layers[0], labels)


@pytest.mark.parametrize("values", [(100, 150, 200), (3, 7, 1000)])
def test_label_values_are_kept_where_they_are_all_that_tells_the_muscles_apart(tmp_path, capsys, values):
    image, _ = write_case(tmp_path)
    given, out, labels = tmp_path / "given.mha", tmp_path / "out.mha", np.zeros(SHAPE, np.uint16)
    for row, value in enumerate(values):
        labels[[0, -1], 2 * row] = value
    write_segmentation(given, segmentation_from_labels(labels, GRID))
    assert cli.main(["propagate", str(image), str(given), "-o", str(out)]) == 0
    assert "across axis 0" in capsys.readouterr().out
    before, after = read_segmentation(given), read_segmentation(out)
    assert [s.value for s in after.segments] == list(values)
    assert [s.name for s in after.segments] == [s.name for s in before.segments]
    assert np.array_equal(after.layers[0][[0, -1]], labels[[0, -1]])
    assert [muscle["value"] for muscle in read_record(out)["muscles"]] == list(values)
    assert cli.main(["measure", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["muscles"]
    assert [muscle["muscle"] for muscle in told] == [s.name for s in before.segments]
    assert all(muscle["drawn_slices"] == 2 for muscle in told)


def test_two_muscles_of_one_name_stay_two(tmp_path):
    image, _ = write_case(tmp_path)
    given, out, masks = tmp_path / "given.seg.nrrd", tmp_path / "out.mha", np.zeros((2, *SHAPE), bool)
    masks[0, [0, -1], 2], masks[1, [0, 3, -1], 6] = True, True
    write_segmentation(given, segmentation_from_masks(masks, GRID, [Segment("Vein"), Segment("Vein")]))
    assert cli.main(["propagate", str(image), str(given), "-o", str(out)]) == 0
    labels = read_segmentation(out).layers[0]
    assert [np.unique(labels[0, row]).tolist() for row in (2, 6)] == [[1], [2]]
    told = [known_of(s, Places(SHAPE[0], np.arange(SHAPE[0])), "out.mha") for s in read_result(out).segments]
    assert [known.drawn for known in told] == [(0, 5), (0, 3, 5)]
    assert [known.provenance["muscle"]["value"] for known in told] == [1, 2]


def test_a_label_map_is_measured_by_the_record_beside_it(tmp_path, capsys):
    """It holds neither names nor drawn slices; those of GM, its second array axis being that of the slices."""
    image, drawn = tmp_path / "leg.nrrd", tmp_path / "drawn.seg.nrrd"
    mask = np.zeros((20, 6, 24), bool)
    mask[5:12, :, 6:15] = True
    grid = Geometry.from_spacing(mask.shape, (0.2, 1.4, 0.2))
    write_volume(image, Volume(np.random.default_rng(0).integers(0, 255, mask.shape, np.uint8), grid))
    gm = MuscleAnnotation("Gastrocnemius, left", {t: mask[:, t] for t in (0, 3, 5)}, frozenset({1}))
    write_segmentation(drawn, segmentation_from_annotations(Annotations((6, 20, 24), [gm], axis=1), grid))
    out = tmp_path / "out.nii.gz"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    capsys.readouterr()
    assert cli.main(["measure", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (muscle,) = told["muscles"]
    assert told["axis"] == 1 and muscle["muscle"] == "Gastrocnemius, left"
    assert muscle["drawn_slices"] == 3 and muscle["spline_volume_ml"] and muscle["expected_dice"] == 0.8
    assert find_image(out) == image


def test_annotations_of_another_place(tmp_path, capsys):
    image, drawn = write_case(tmp_path)
    affine = GRID.affine.copy()
    affine[:3, 3] += 100 * affine[:3, 0]
    write_volume(image, Volume(np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8), Geometry(SHAPE, affine)))
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(tmp_path / "out.seg.nrrd")]) == 2
    assert "segment 'GM' lies wholly outside the image" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_a_foreign_json_is_not_overwritten(tmp_path, capsys):
    """Converters from DICOM put what they know of leg.nii.gz into leg.json."""
    image, drawn = write_case(tmp_path)
    sidecar = tmp_path / "leg.json"
    sidecar.write_text('{"Modality": "US"}', encoding="utf-8")
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(tmp_path / "leg.seg.nrrd")]) == 2
    assert "leg.json: the record of leg.seg.nrrd would overwrite this file" in capsys.readouterr().err
    assert sidecar.read_text(encoding="utf-8") == '{"Modality": "US"}' and not (tmp_path / "leg.seg.nrrd").exists()


def test_results_that_differ_in_their_ending_do_not_share_a_record(tmp_path, capsys):
    """Else the muscles of the one would be measured under the names of the other."""
    image, drawn = write_case(tmp_path)
    out, other = tmp_path / "out.seg.nrrd", tmp_path / "out.nii.gz"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    labels = segmentation_from_labels(np.ones(SHAPE, np.uint8), GRID)
    write_segmentation(other, labels)
    before = (tmp_path / "out.json").read_bytes()
    assert read_record(out)["muscles"][0]["name"] == "GM" and not read_record(other)
    single = tmp_path / "single.seg.nrrd"
    write_segmentation(single, replace(read_segmentation(drawn), segments=read_segmentation(drawn).segments[:1]))
    assert cli.main(["propagate", str(image), str(single), "-o", str(tmp_path / "out.nrrd")]) == 2
    assert "out.json: the record of out.nrrd would overwrite that of out.seg.nrrd" in capsys.readouterr().err
    assert (tmp_path / "out.json").read_bytes() == before and not (tmp_path / "out.nrrd").exists()
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0, "its own record it may overwrite"


def test_drawing_stored_as_a_part_of_the_grid(tmp_path):
    """Slicer writes only the part that holds segments; the result is on the volume's whole grid."""
    image, drawn = write_case(tmp_path)
    whole, part, out = read_segmentation(drawn).mask(0), tmp_path / "part.seg.nrrd", tmp_path / "out.nrrd"
    affine = GRID.affine.copy()
    affine[:3, 3] = (GRID.affine @ [0, 2, 3, 1])[:3]
    labels = np.ascontiguousarray(whole[:, 2:18, 3:20]).astype(np.uint8)
    write_segmentation(part, segmentation_from_labels(labels, Geometry(labels.shape, affine)))
    assert cli.main(["propagate", str(image), str(part), "-o", str(out)]) == 0
    result = read_segmentation(out)
    assert result.geometry.matches(GRID)
    assert np.array_equal(result.mask(0), whole)


def test_the_axis_is_the_volumes_whatever_the_order_of_axes_of_the_drawing(tmp_path, capsys):
    image, _ = write_case(tmp_path)
    given, out, mask = tmp_path / "given.seg.nrrd", tmp_path / "out.seg.nrrd", np.zeros(SHAPE[1:], bool)
    mask[5:12, 6:15] = True
    turned = Annotations(SHAPE, [MuscleAnnotation("GM", {0: mask, 5: mask})], axis=1)
    write_segmentation(given, segmentation_from_annotations(turned, GRID.moved(1)))
    argv = ["propagate", str(image), str(given), "-o", str(out), "--axis"]
    assert cli.main([*argv, "1"]) == 2
    assert "drawn along another axis ([0, 1] are named)" in capsys.readouterr().err and not out.exists()
    assert cli.main([*argv, "0"]) == 0
    assert read_record(out)["axis"] == 0
    assert np.array_equal(read_segmentation(out).mask(0)[5], mask)


def test_another_axis_than_that_of_the_tags_is_refused(tmp_path, capsys):
    image, drawn = write_case(tmp_path)
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(tmp_path / "out.seg.nrrd"), "--axis", "2"]) == 2
    assert "drawn along another axis ([0, 2] are named)" in capsys.readouterr().err


@pytest.mark.parametrize(("pixel", "told"), [(0.2, False), (0.4, True)])
def test_it_is_told_where_the_result_has_another_grid_than_the_header(tmp_path, capsys, pixel, told):
    image, drawn = write_case(tmp_path)
    rows = [f"{n},{n},{pixel},0,0,0,0,{pixel},0,0,0,0,1,{n * 1.4}" for n in range(SHAPE[0])]
    (tmp_path / "frames.csv").write_text("\n".join(rows), encoding="utf-8")
    out = tmp_path / "out.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    assert np.allclose(read_segmentation(out).geometry.spacing, (1.4, pixel, pixel))
    said = f"{image}: its poses give pixels of 0.4 x 0.4 mm, its header 0.2 x 0.2 mm; the result has the poses' grid"
    assert (said in capsys.readouterr().err) == told


def test_json_and_report(tmp_path, capsys):
    image, drawn = write_case(tmp_path)
    out, report = tmp_path / "out.seg.nrrd", tmp_path / "report"
    argv = ["propagate", str(image), str(drawn), "-o", str(out), "--json", "--report", str(report)]
    assert cli.main(argv) == 0
    told = json.loads(capsys.readouterr().out)
    assert [m["name"] for m in told["muscles"]] == ["GM", "GL"]
    assert told["muscles"][0]["drawn_slices"] == [0, 5]
    assert {"read", "prior", "write", "total"} <= told["seconds"].keys()
    assert told["peak_memory_mb"]["worker"] == 1.0
    assert json.loads((report / "summary.json").read_text(encoding="utf-8"))["output"] == str(out)
    assert (report / "montage.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("behaviour", "status"), [("fault", 1), ("crash", 1), ("many_labels", 1), ("bad_input", 2)])
def test_failure_leaves_no_file(tmp_path, capsys, behaviour, status):
    image, drawn = write_case(tmp_path, behaviour)
    before = sorted(tmp_path.iterdir())
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(tmp_path / "out.seg.nrrd")]) == status
    assert "muscleprop: " in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def mapped_at_the_end(monkeypatch):
    """The files of a job that are still mapped whenever one's folder is about to be deleted."""
    found = []
    remove = Job.remove

    def look_first(job):
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
        found.append([line.split()[-1] for line in lines if str(job.folder) in line])
        remove(job)

    monkeypatch.setattr(Job, "remove", look_first)
    return found


linux = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux")


@linux
@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz"])
def test_nothing_maps_the_result_any_more_when_its_folder_is_deleted(tmp_path, mapped_at_the_end, ending):
    """Windows deletes no file that is mapped: a patient's masks would stay in the temporary folder."""
    image, drawn = write_case(tmp_path)
    single = tmp_path / "single.seg.nrrd"
    write_segmentation(single, replace(read_segmentation(drawn), segments=read_segmentation(drawn).segments[:1]))
    argv = ["propagate", str(image), str(single), "-o", str(tmp_path / f"out{ending}"), "--report", str(tmp_path / "r")]
    assert cli.main(argv) == 0
    assert mapped_at_the_end == [[]]


@linux
def test_nor_when_the_result_cannot_be_written(tmp_path, monkeypatch, mapped_at_the_end):
    image, drawn = write_case(tmp_path)

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("MusclePropLib.commands._handover.write_json", full)
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(tmp_path / "out.seg.nrrd")]) != 0
    assert mapped_at_the_end == [[]]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_leaves_nothing_behind(tmp_path, temporary_folder):
    image, drawn = write_case(tmp_path, "slow")
    before = sorted(tmp_path.iterdir())
    script = Path(__file__).with_name("interrupted.py")
    command = [sys.executable, str(script), "propagate", str(image), str(drawn), "-o", str(tmp_path / "out.seg.nrrd")]
    environment = os.environ | {"TMPDIR": str(temporary_folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert "Carrying" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.stderr.read() == "muscleprop: cancelled\n"
    assert process.wait(30) == 130
    process.stderr.close()
    assert sorted(tmp_path.iterdir()) == before


def test_a_whole_segmentation_is_asked_about(tmp_path, capsys):
    """As by mistake for a drawing: everything in it counts as drawn."""
    image, drawn, masks = tmp_path / "leg.nrrd", tmp_path / "leg.seg.nrrd", np.zeros((2, 30, 20, 24), bool)
    masks[0, 2:28, 5:9, 5:9] = masks[1, :, 12:16, 5:9] = True
    grid = Geometry.from_spacing(masks.shape[1:], (1.4, 0.2, 0.2))
    write_volume(image, Volume(np.arange(masks[0].size, dtype=np.uint16).reshape(masks.shape[1:]), grid))
    write_segmentation(drawn, segmentation_from_masks(masks, grid, [Segment("GM"), Segment("GL")]))
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(tmp_path / "out.seg.nrrd")]) == 0
    told = capsys.readouterr()
    assert "leg.seg.nrrd: no muscle has a gap between its drawn slices" in told.err
    assert "2-27\n" in told.out and "0-29\n" in told.out


def test_slices_in_a_row_are_named_by_the_first_and_the_last():
    assert spans([0, 2, 3, 5, 6, 7, 20]) == "0, 2, 3, 5-7, 20" and spans([]) == ""


def test_no_column_runs_into_the_next():
    muscles = [
        {"name": "Gastrocnemius medialis, left", "volume_ml": 1234.5, "estimate": None, "method": "mean"},
        {"name": "GL", "volume_ml": 1.0, "estimate": 0.9, "method": "network, free in size"},
    ]
    summary = {"muscles": [m | {"drawn_slices": [3]} for m in muscles], "axis": 0, "output": "out"}
    summary |= {"seconds": {"total": 1}}
    rows = describe(summary).splitlines()
    assert "left " in rows[1] and "free in size  3" in rows[2]
    assert {row.index("3", 60) for row in rows[1:3]} == {rows[0].index("slices drawn")}
