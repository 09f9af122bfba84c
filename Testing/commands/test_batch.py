"""`muscleprop batch` with the stand-in engine: one worker, goes on after a bad case, goes on where it stopped."""

import csv
import json
import os
from dataclasses import replace

import pytest
import SimpleITK as sitk
from small_files import write_case

from MusclePropLib import cli
from MusclePropLib.commands.batch import find_cases
from MusclePropLib.core.guided.bundled import pretrained
from MusclePropLib.core.images import image_of
from MusclePropLib.core.segmentation import read_segmentation, write_segmentation
from MusclePropLib.core.volumes import read_volume, write_volume
from MusclePropLib.core.weights import save_weights


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    (folder / "control").mkdir(parents=True)
    write_case(folder / "control", "leg-01")
    write_case(folder, "fault")
    write_case(folder, "leg-02")
    image, _ = write_case(folder, "leg-03")
    image.write_text("damaged", encoding="utf-8")
    write_case(folder, "leg-04")
    (folder / "leg-05-annotations.seg.nrrd").write_bytes((folder / "leg-04-annotations.seg.nrrd").read_bytes())
    return folder


def batch(folder, capsys, *more):
    status = cli.main(["batch", str(folder), "-o", str(folder.parent / "out"), "--json", *more])
    return status, json.loads(capsys.readouterr().out)["cases"]


def test_one_bad_case_does_not_stop_the_rest(recordings, capsys):
    status, cases = batch(recordings, capsys)
    assert status == 1
    done = ["control/leg-01", "leg-02", "leg-04"]
    assert [name for name, case in cases.items() if case["status"] == "done"] == done
    assert len({cases[name]["pid"] for name in done}) == 1, "one warm worker for all"
    out = recordings.parent / "out"
    assert all((out / f"{name}-muscles.seg.nrrd").exists() for name in done)
    rows = list(csv.DictReader((out / "summary.csv").open(encoding="utf-8")))
    assert [(r["case"], r["muscle"]) for r in rows if r["status"] == "done"][:2] == [(done[0], "GM"), (done[0], "GL")]
    assert rows[0]["drawn_slices"] == "0 5"
    failed = {r["case"]: r["message"] for r in rows if r["status"] == "failed"}
    assert failed.keys() == {"fault", "leg-03", "leg-05"}
    assert "leg-05" in failed["leg-05"]
    assert not list(out.rglob("*.part-*"))


def test_nor_does_a_name_that_is_not_utf8(tmp_path, capsys):
    folder = tmp_path / "recordings"
    folder.mkdir()
    write_case(folder, "z")
    for path in write_case(folder, "a"):
        try:
            path.rename(path.with_name(path.name.replace("a", "m\udcfc", 1)))
        except OSError:
            pytest.skip("the disk has no room for such names")
    status, cases = batch(folder, capsys)
    assert status == 1 and cases["z"]["status"] == "done"
    assert "the name is not valid UTF-8" in cases["m\udcfc"]["message"]
    rows = list(csv.DictReader((tmp_path / "out" / "summary.csv").open(encoding="utf-8")))
    assert [row["status"] for row in rows if row["case"] != "z"] == ["failed"]


def test_no_case_depends_on_the_cases_before_it(tmp_path, capsys):
    """Two raters' drawings on copies of one image: the second one's result must not know of the first one's."""
    for rater in ("rater-A", "rater-B"):
        (tmp_path / "recordings" / rater).mkdir(parents=True)
        write_case(tmp_path / "recordings" / rater)
    _, cases = batch(tmp_path / "recordings", capsys)
    assert [cases[f"{rater}/leg"]["went_on"] for rater in ("rater-A", "rater-B")] == [False, False]
    assert cases["rater-A/leg"]["pid"] == cases["rater-B/leg"]["pid"]


def test_not_even_a_fault_that_nobody_foresaw(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("leg-01", "leg-02"):
        write_case(folder, name)

    def unforeseen(path):
        if "leg-01" in str(path):
            raise ValueError("unforeseen")
        return read_volume(path)

    monkeypatch.setattr("MusclePropLib.core.volumes.read_volume", unforeseen)
    status, cases = batch(folder, capsys)
    assert status == 1 and cases["leg-02"]["status"] == "done"
    assert cases["leg-01"] == {"status": "failed", "message": "leg-01: ValueError: unforeseen"}


def test_goes_on_where_it_stopped(recordings, capsys):
    _, first = batch(recordings, capsys)
    write_case(recordings, "leg-03")
    write_case(recordings, "leg-02")
    _, second = batch(recordings, capsys)
    assert second["leg-04"] == first["leg-04"]
    assert second["leg-03"]["status"] == "done"
    assert second["leg-02"]["pid"] != first["leg-02"]["pid"], "its files have changed"
    _, third = batch(recordings, capsys, "--seed", "1")
    assert third["leg-04"]["pid"] != first["leg-04"]["pid"], "the settings have changed"


def test_what_is_done_is_done_again_if_one_asks_for_it_or_a_file_of_it_is_gone(tmp_path, capsys):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("leg-01", "leg-02", "leg-03"):
        write_case(folder, name)
    runs = [batch(folder, capsys)[1]]
    gone = [tmp_path / "out" / name for name in ("leg-01-muscles.seg.nrrd", "leg-02-muscles.json")]
    for file in gone:
        file.unlink()
    runs += [batch(folder, capsys)[1], batch(folder, capsys, "--again")[1]]
    first, second, third = ([case["pid"] for case in cases.values()] for cases in runs)
    assert [a != b for a, b in zip(first, second, strict=True)] == [True, True, False]
    assert all(file.exists() for file in gone)
    assert not set(third) & {*first, *second}


def corrected(path):
    """The result with slice 3 of its first segment redrawn in place."""
    result = read_segmentation(path)
    redrawn = result.layers[0].copy()
    redrawn[3, :4, :4] = result.segments[0].value
    write_segmentation(path, replace(result, layers=[redrawn, *result.layers[1:]]))
    return path.read_bytes()


@pytest.mark.parametrize("more", [(), ("--again",), ("--seed", "1")])
def test_a_result_that_was_corrected_since_is_kept_and_its_old_volumes_are_not_told(tmp_path, capsys, more):
    folder, out = tmp_path / "recordings", tmp_path / "out"
    folder.mkdir()
    for name in ("leg-01", "leg-02"):
        write_case(folder, name)
    batch(folder, capsys)
    result = out / "leg-01-muscles.seg.nrrd"
    drawn = corrected(result)
    assert cli.main(["batch", str(folder), "-o", str(out), *more]) == 0
    told = capsys.readouterr().out.splitlines()
    said = f"{result}: corrected since it was computed, and left as it is; propagate it by itself or move it away"
    assert told[0] == f"1/2 leg-01: {said}"
    assert told[-1].startswith("1 of 2 cases done, 1 corrected since and left as they are; ")
    assert result.read_bytes() == drawn
    rows = list(csv.DictReader((out / "summary.csv").open(encoding="utf-8")))
    kept = [row for row in rows if row["case"] == "leg-01"]
    assert [(row["status"], row["volume_ml"], row["message"]) for row in kept] == [("corrected", "", said)]
    assert [row["status"] for row in rows if row["case"] == "leg-02"] == ["done", "done"]
    result.unlink()
    assert batch(folder, capsys, *more)[1]["leg-01"]["status"] == "done", "moved away, it is computed again"


def test_whether_results_of_older_versions_were_corrected_is_not_known(tmp_path, capsys):
    folder, record = tmp_path / "recordings", tmp_path / "out" / "leg-muscles.json"
    folder.mkdir()
    write_case(folder)
    batch(folder, capsys)
    told = json.loads(record.read_text(encoding="utf-8"))
    del told["checksum"]
    record.write_text(json.dumps(told), encoding="utf-8")
    drawn = corrected(record.with_name("leg-muscles.seg.nrrd"))
    assert batch(folder, capsys)[1]["leg"] == told
    assert batch(folder, capsys, "--again")[1]["leg"]["status"] == "done"
    assert record.with_name("leg-muscles.seg.nrrd").read_bytes() != drawn


@pytest.mark.parametrize("ending", [".nhdr", ".mhd", ""])
def test_a_change_of_a_file_beside_the_image_is_seen(tmp_path, capsys, ending):
    """Only a header, or a folder, has the case's name; the voxels lie in other files."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    image, _ = write_case(folder)
    volume = read_volume(image)
    image.unlink()
    if ending:
        write_volume(image.with_suffix(ending), volume)
        (beside,) = folder.glob("leg*raw*")
    else:
        (folder / "leg").mkdir()
        write_slices(folder / "leg", volume)
        beside = folder / "leg" / "3.dcm"
    (folder / ".DS_Store").write_bytes(b"")
    pids = [batch(folder, capsys)[1]["leg"]["pid"] for _ in range(2)]
    os.utime(beside, ns=(1, 1))
    pids.append(batch(folder, capsys)[1]["leg"]["pid"])
    assert pids[0] == pids[1] != pids[2]


def write_slices(folder, volume):
    """The volume as a DICOM series of its own, a file a slice."""
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    image = image_of(volume.array, volume.geometry)
    for number in range(len(volume.array)):
        part = image[:, :, number]
        position = "\\".join(map(str, image.TransformIndexToPhysicalPoint((0, 0, number))))
        tags = {"0008|0018": f"1.2.3.{number}", "0020|000e": "1.2.3", "0020|0013": str(number)}
        places = {"0020|0032": position, "0020|0037": "1\\0\\0\\0\\1\\0"}
        for key, value in (tags | places).items():
            part.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{number}.dcm"))
        writer.Execute(part)


def test_a_change_of_the_frames_poses_is_seen(tmp_path, capsys):
    folder = tmp_path / "recordings"
    folder.mkdir()
    write_case(folder)
    pids = []
    for step in (1.4, 1.4, 0.7):
        rows = [f"{n},{n},0.2,0,0,0,0,0.2,0,0,0,0,1,{n * step}" for n in range(6)]
        if not pids or step == 0.7:
            (folder / "frames.csv").write_text("\n".join(rows), encoding="utf-8")
        pids.append(batch(folder, capsys)[1]["leg"]["pid"])
    assert pids[0] == pids[1] != pids[2]


def test_a_change_of_the_weights_is_seen(tmp_path, capsys):
    folder, weights = tmp_path / "recordings", tmp_path / "own.safetensors"
    folder.mkdir()
    write_case(folder)
    pids = []
    for seed in (0, 0, 1):
        if seed or not pids:
            save_weights(weights, pretrained("none", seed)[0], {})
        pids.append(batch(folder, capsys, "--weights", str(weights))[1]["leg"]["pid"])
    assert pids[0] == pids[1] != pids[2]


def test_a_table_that_cannot_be_written_does_not_stop_the_rest(tmp_path, capsys):
    """Windows lets nobody replace a file that Excel has open."""
    out = tmp_path / "out"
    for name in ("leg-01", "leg-02"):
        write_case(tmp_path, name)
    (out / "summary.csv").mkdir(parents=True)
    assert cli.main(["batch", str(tmp_path), "-o", str(out)]) == 2
    assert "summary.csv: could not be written" in capsys.readouterr().err
    assert (out / "leg-02-muscles.json").exists()
    (out / "summary.csv").rmdir()
    assert cli.main(["batch", str(tmp_path), "-o", str(out)]) == 0
    assert capsys.readouterr().out.count("done before") == 2
    assert len((out / "summary.csv").read_text(encoding="utf-8").splitlines()) == 5


@pytest.mark.parametrize(
    ("names", "image"),
    [
        (("leg.dcm", "leg2.nrrd"), "leg.dcm"),
        (("leg.hdr", "leg.img"), "leg.hdr"),
        (("leg.NRRD",), "leg.NRRD"),
        (("leg.NII.GZ", "leg.dcm"), "leg.NII.GZ"),
        (("leg.NRRD", "leg.nrrd"), "leg.nrrd"),
        (("leg.dcm", "leg.nrrd"), "leg.nrrd"),
    ],
)
def test_volumes_of_all_kinds_that_can_be_read_are_found(tmp_path, names, image):
    for name in (*names, "leg-annotations.seg.nrrd"):
        (tmp_path / name).write_bytes(b"")
    (item,) = find_cases(tmp_path, tmp_path / "out")
    assert item.case.image.samefile(tmp_path / image)


def test_a_drawing_that_names_no_volume_is_no_case(tmp_path):
    """It ended the whole batch in a traceback."""
    for name in ("-annotations.nrrd", "leg-annotations.nrrd", "leg.nrrd"):
        (tmp_path / name).touch()
    assert [item.name for item in find_cases(tmp_path, tmp_path / "out")] == ["leg"]


def test_two_annotations_of_one_volume_are_refused(tmp_path, capsys):
    """Each run would do the one again and overwrite the other's result."""
    _, drawn = write_case(tmp_path)
    drawn.with_name("leg-annotations.nii.gz").write_bytes(b"")
    assert cli.main(["batch", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "leg-annotations.seg.nrrd" in told and "leg-annotations.nii.gz" in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_hidden_files_and_folders_hold_no_cases(tmp_path, capsys):
    """macOS lays a `._NAME` beside every file that it writes to a disk of another system."""
    folder = tmp_path / "recordings"
    (folder / ".Trashes").mkdir(parents=True)
    for given in (*write_case(folder), *write_case(folder / ".Trashes")):
        given.with_name(f"._{given.name}").write_bytes(b"\0\5\x16\7")
    assert list(batch(folder, capsys)[1]) == ["leg"]


def test_nothing_to_do_is_an_input_error(tmp_path, capsys):
    assert cli.main(["batch", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    assert "no annotated volume" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert cli.main(["batch", str(tmp_path / "no"), "-o", str(tmp_path / "out")]) == 2
