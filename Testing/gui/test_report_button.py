"""The button *Report*: asks where, writes in the background, shows the page, leaves no file of the patient behind."""

import re
import tempfile

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the slicer-core wheel is not installed")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed")
pytest.importorskip("matplotlib", reason="draws the page's pictures")


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Pages that were shown; temporary folders are made in `tmp_path/temp`."""
    from MusclePropLib.gui import report

    pages = []
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setattr(report, "show_page", pages.append)
    return pages


def choose(monkeypatch, path):
    from PySide6.QtWidgets import QFileDialog

    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), "") if path else ("", ""))


def leftovers(tmp_path):
    return list((tmp_path / "temp").glob("muscleprop-*"))


def test_page_is_written_and_shown(drawn, shown, monkeypatch, tmp_path):
    choose(monkeypatch, tmp_path / "leg")
    drawn.click("reportButton")
    assert not drawn.ui.reportButton.enabled
    drawn.until(lambda: not drawn.panel.report.busy, "the report")
    page = tmp_path / "leg.html"
    assert shown == [page]
    text = page.read_text(encoding="utf-8")
    measured = {name: drawn.array(name).sum() * 0.5 * 0.5 * 1.4 / 1000 for name in ("GM", "SOL", "GL")}
    for name, volume in measured.items():
        assert re.search(rf"{name}.*?{volume:.1f}", text, re.S)
    assert "leg.html" in drawn.ui.reportLabel.text
    assert drawn.ui.reportButton.enabled
    assert leftovers(tmp_path) == []


def test_no_file_name_no_report(drawn, shown, monkeypatch, tmp_path):
    choose(monkeypatch, None)
    drawn.click("reportButton")
    assert not drawn.panel.report.busy and shown == [] and leftovers(tmp_path) == []


def test_failure_is_told(drawn, shown, monkeypatch, tmp_path):
    import slicer

    said = []
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **more: said.append((text, more["detailedText"])))
    choose(monkeypatch, tmp_path / "no such folder" / "leg.html")
    drawn.click("reportButton")
    drawn.until(lambda: not drawn.panel.report.busy, "the end")
    assert "could not be written" in said[0][0] and "no such folder" in said[0][1]
    assert shown == [] and leftovers(tmp_path) == []


def test_closing_the_panel_gives_it_up(drawn, shown, monkeypatch, tmp_path):
    choose(monkeypatch, tmp_path / "leg.html")
    drawn.click("reportButton")
    drawn.panel.report.close()
    assert leftovers(tmp_path) == [] and not (tmp_path / "leg.html").exists()


@pytest.fixture
def slow(drawn, shown, monkeypatch, tmp_path):
    """A slice is handed over at each turn, and some have been."""
    from MusclePropLib.core import planes, steps
    from MusclePropLib.gui import step_by_step

    monkeypatch.setattr(planes, "BLOCK_BYTES", 1)
    monkeypatch.setattr(steps, "CHUNK_BYTES", 1)
    monkeypatch.setattr(step_by_step, "STEP_MS", 0)
    choose(monkeypatch, tmp_path / "leg.html")
    drawn.click("reportButton")
    drawn.until(lambda: list((tmp_path / "temp").glob("*/piece-1.npy")), "the second segment")
    return drawn


def test_drawing_on_meanwhile_gives_no_mixture(slow, monkeypatch, tmp_path):
    from pathlib import Path

    from MusclePropLib.report.handover import take_over

    def start(commands):
        _, segmentation = take_over(Path(commands[0][-2]))
        taken.update({s.name: segmentation.mask(i) for i, s in enumerate(segmentation.segments)})
        slow.panel.report._programs.ended.emit("")

    taken = {}
    monkeypatch.setattr(slow.panel.report._programs, "start", start)
    slow.draw({"GM": (7,)}, radius=11)
    slow.until(lambda: not slow.panel.report.busy, "the report")
    assert taken["GM"][7].any()
    for name, mask in taken.items():
        np.testing.assert_array_equal(mask, slow.array(name))
    assert leftovers(tmp_path) == []


def test_segmentation_deleted_meanwhile(slow, monkeypatch, tmp_path):
    import slicer

    said = []
    monkeypatch.setattr(slicer.util, "warningDisplay", lambda text, **_: said.append(text))
    slicer.mrmlScene.RemoveNode(slow.segmentation)
    slow.until(lambda: not slow.panel.report.busy, "the end")
    assert said == ["the volume or the segmentation has been deleted"]
    assert leftovers(tmp_path) == [] and not slow.ui.reportLabel.visible


def test_nothing_to_report_on(drive):
    driver = drive()
    assert not driver.ui.reportButton.enabled
    assert "nothing to measure" in driver.ui.reportButton.toolTip


def test_states_and_confidence_go_with_the_segments(drawn):
    """Counted as the volume's slices; a label map may count them the other way round."""
    from MusclePropLib.core.annotations import parse_slices_tag
    from MusclePropLib.scene.snapshot import segments_now

    found = {s.name: (s, v) for s, v in segments_now(drawn.volume, drawn.segmentation, 0)}
    assert parse_slices_tag(found["GM"][0].tags["MuscleProp.Slices"], "") == (0, {4, 15}, set())
    voxels = found["GM"][1]
    whole = np.zeros(drawn.array("GM").shape, bool)
    box = tuple(slice(o, o + n) for o, n in zip(voxels.offset, voxels.labels.shape, strict=True))
    whole[box] = voxels.labels == voxels.value
    np.testing.assert_array_equal(whole, drawn.array("GM"))


def test_handed_over_is_taken_over(tmp_path):
    from MusclePropLib.core.geometry import Geometry
    from MusclePropLib.core.segments import Segment
    from MusclePropLib.core.steps import finished
    from MusclePropLib.core.volumes import Volume
    from MusclePropLib.report.handover import Piece, segments_written, take_over, volume_written

    rng = np.random.default_rng(0)
    volume = Volume(rng.integers(0, 9, (6, 7, 8)), Geometry.from_spacing((6, 7, 8), (2, 1, 1)), source="Müller")
    pieces = [
        Piece(Segment("GM", (1.0, 0.0, 0.0), {"a": "b"}), rng.integers(0, 3, (2, 3, 4)), 2, (1, 2, 3)),
        Piece(Segment("SOL"), rng.integers(0, 3, (6, 7, 8)), 1, (0, 0, 0)),
    ]
    finished(segments_written(tmp_path, pieces))
    finished(volume_written(tmp_path, volume))
    seen, segmentation = take_over(tmp_path)
    np.testing.assert_array_equal(seen.array, volume.array)
    assert seen.source == "Müller" and seen.geometry.matches(volume.geometry)
    assert [(s.name, s.color, s.tags) for s in segmentation.segments] == [
        (p.segment.name, p.segment.color, p.segment.tags) for p in pieces
    ]
    np.testing.assert_array_equal(segmentation.mask(0)[1:3, 2:5, 3:7], pieces[0].labels == 2)
    assert segmentation.mask(0).sum() == (pieces[0].labels == 2).sum()
    np.testing.assert_array_equal(segmentation.mask(1), pieces[1].labels == 1)


def test_what_happens_behind_the_dialog_counts(drawn, shown, monkeypatch, tmp_path):
    """It has an event loop of its own: a job may end, the expert may draw, nodes may go."""
    import slicer
    from PySide6.QtWidgets import QFileDialog

    said = []
    monkeypatch.setattr(slicer.util, "warningDisplay", lambda text, **_: said.append(text))

    def dialog(*_):
        slicer.mrmlScene.RemoveNode(drawn.segmentation)
        return str(tmp_path / "leg.html"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    drawn.click("reportButton")
    assert said == ["Choose a volume and a segmentation"]
    assert not drawn.panel.report.busy and leftovers(tmp_path) == []


def test_damaged_record_is_left_out(drawn, shown, monkeypatch, tmp_path):
    segment = drawn.segmentation.GetSegmentation().GetSegment(drawn.id_of("GM"))
    segment.SetTag("MuscleProp.Provenance", '{"version": "1", "muscle')
    drawn.settle()
    choose(monkeypatch, tmp_path / "leg.html")
    drawn.click("reportButton")
    drawn.until(lambda: not drawn.panel.report.busy, "the report")
    assert shown == [tmp_path / "leg.html"] and leftovers(tmp_path) == []


def test_unforeseen_fault_leaves_nothing_behind(drawn, shown, monkeypatch, tmp_path):
    from harness import wrapping

    from MusclePropLib.gui import report

    def fail(*_):
        raise ZeroDivisionError

    choose(monkeypatch, tmp_path / "leg.html")
    with monkeypatch.context() as patch:
        patch.setattr(report, "segments_now", fail)
        drawn.click("reportButton")
        drawn.qt_events()
    wrapping.slot_errors.clear()
    assert not drawn.panel.report.busy and drawn.ui.reportButton.enabled and leftovers(tmp_path) == []
    assert not drawn.ui.reportLabel._real.isVisible()
