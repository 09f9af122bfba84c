"""The button *Export CSV*: the same table as `muscleprop measure --csv`, whole or not at all."""

import csv
import io
from pathlib import Path

import pytest

pytest.importorskip("slicer_core", reason="the slicer-core wheel is not installed")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed")


@pytest.fixture
def choose(monkeypatch):
    """What the expert answers to the file dialog."""
    from PySide6.QtWidgets import QFileDialog

    def answer(path, meanwhile=lambda: None):
        def dialog(*_):
            meanwhile()
            return (str(path), "") if path else ("", "")

        monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)

    return answer


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_same_figures_as_in_a_shell(drawn, choose, tmp_path, capsys):
    import SimpleITK as sitk
    import slicer

    from MusclePropLib.cli import main

    choose(tmp_path / "leg")
    drawn.click("exportButton")
    found = rows((tmp_path / "leg.csv").read_text(encoding="utf-8"))

    layers = [drawn.array(name) for name in ("GM", "GL", "SOL")]
    labels = sitk.GetImageFromArray(sum(layer.astype("uint8") * (i + 1) for i, layer in enumerate(layers)))
    image = sitk.GetImageFromArray(slicer.util.arrayFromVolume(drawn.volume))
    for file, name in ((labels, "labels.nrrd"), (image, "image.nrrd")):
        file.SetSpacing((0.5, 0.5, 1.4))
        sitk.WriteImage(file, str(tmp_path / name))
    arguments = [
        "measure",
        str(tmp_path / "labels.nrrd"),
        "--image",
        str(tmp_path / "image.nrrd"),
        "--csv",
        "--axis",
        "0",
    ]
    assert main(arguments) == 0
    expected = rows(capsys.readouterr().out)

    assert list(found[0]) == list(expected[0])
    assert [row["muscle"] for row in found] == ["GM", "GL", "SOL"]
    assert {row["file"] for row in found} == {"calf muscles"}
    for ours, theirs in zip(found, expected, strict=True):
        for column in ("volume_ml", "max_acsa_cm2", "max_acsa_slice", "length_mm", "echo_intensity_mean"):
            assert float(ours[column]) == pytest.approx(float(theirs[column]), rel=1e-5), column


def test_no_file_name_no_table(drawn, choose, tmp_path):
    choose(None)
    drawn.click("exportButton")
    assert list(tmp_path.glob("*.csv")) == []


@pytest.mark.parametrize(("replace", "kept"), [(False, True), (True, False)])
def test_a_file_that_the_dialog_could_not_ask_about_is_asked_about(drawn, choose, tmp_path, monkeypatch, replace, kept):
    import slicer

    asked = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, **_: asked.append(text) or replace)
    old = tmp_path / "leg.csv"
    old.write_text("old", encoding="utf-8")
    choose(tmp_path / "leg")
    drawn.click("exportButton")
    assert len(asked) == 1 and str(old) in asked[0]
    assert (old.read_text(encoding="utf-8") == "old") is kept
    choose(old)  # the dialog itself has asked
    drawn.click("exportButton")
    assert len(asked) == 1 and old.read_text(encoding="utf-8") != "old"


def test_the_proposed_name_is_one_that_any_system_takes(drawn, monkeypatch):
    from PySide6.QtWidgets import QFileDialog

    proposed = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (proposed.append(a[2]), ("", ""))[1])
    drawn.segmentation.SetName("4: left/right")
    drawn.click("exportButton")
    assert Path(proposed[0]).name == "4_ left_right.csv"


def test_failure_is_one_sentence_and_leaves_the_old_table(drawn, choose, said, tmp_path, monkeypatch):
    choose(tmp_path / "no such folder" / "leg.csv")
    drawn.click("exportButton")
    assert len(said) == 1
    assert "leg.csv could not be written (No such file or directory)" in said[0]

    from MusclePropLib.gui import csv_export

    old = tmp_path / "leg.csv"
    old.write_text("old", encoding="utf-8")
    choose(old)

    def full(path, text, **_):
        path.write_bytes(text.encode()[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(csv_export.Path, "write_text", full)
    drawn.click("exportButton")
    monkeypatch.undo()
    assert "No space left on device" in said[1]
    assert old.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".csv"] == ["leg.csv"]


def test_segmentation_deleted_behind_the_dialog(drawn, choose, said, tmp_path):
    import slicer

    choose(tmp_path / "leg.csv", meanwhile=lambda: slicer.mrmlScene.RemoveNode(drawn.segmentation))
    drawn.click("exportButton")
    assert said == ["Choose a volume and a segmentation"]
    assert not (tmp_path / "leg.csv").exists()


def test_nothing_to_export(drive):
    driver = drive()
    assert not driver.ui.exportButton.enabled
    assert "nothing to measure" in driver.ui.exportButton.toolTip
