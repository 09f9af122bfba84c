"""What takes longer than a moment on a large volume is done bit by bit, and everything may happen in between."""

import numpy as np
import pytest

from MusclePropLib.core.measurements.tables import millilitres

pytest.importorskip("slicer_core", reason="the slicer-core wheel is not installed")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed")


@pytest.fixture
def slow(drawn, monkeypatch):
    """A panel that looks at one slice at each turn; GM was just drawn on slice 9, too, which is not yet known."""
    from MusclePropLib.core import planes
    from MusclePropLib.gui import work

    monkeypatch.setattr(planes, "BLOCK_BYTES", 1)
    monkeypatch.setattr(work, "STEP_SECONDS", 0.0)
    stroke(drawn, "GM", 9)
    drawn.until(lambda: drawn.work.looking, "it begins to look")
    return drawn


def stroke(driver, name, index, radius=8, erase=False):
    from slicer_scene import disc

    driver.editor().stroke(driver.id_of(name), index, disc((60, 80), (20, 22), radius), erase)


def step(driver, times=5):
    for _ in range(times):
        driver.work.step()


def sent(driver):
    """What the worker was given: muscle -> slice -> mask."""
    from MusclePropLib.core.annotations import load_annotations

    annotations = load_annotations(driver.session.job.job.folder / "annotations.npz")
    return {m.name: m.drawn for m in annotations.muscles}


def assert_sent_is_what_is_drawn(driver, drawn):
    given = sent(driver)
    assert {name: sorted(masks) for name, masks in given.items()} == drawn
    for name, masks in given.items():
        for t, mask in masks.items():
            np.testing.assert_array_equal(mask, driver.array(name)[t])


def test_states_become_known_while_the_window_lives(slow):
    assert slow.drawn("GM") == [4, 15]
    assert slow.ui.propagateButton.enabled and slow.ui.propagateButton.text == "Propagate"
    slow.settle()
    assert slow.drawn("GM") == [4, 9, 15]


def test_a_stroke_and_an_undo_meanwhile(slow):
    step(slow)
    stroke(slow, "GM", 12)
    step(slow)
    slow.ui.segmentEditor.undo()
    slow.settle()
    assert slow.drawn("GM") == [4, 9, 15]


def test_propagate_answers_at_once_and_sends_all_that_is_drawn(slow):
    slow.click("propagateButton")
    assert slow.ui.propagateButton.text == "Cancel" and slow.ui.propagateButton.enabled
    assert slow.ui.progressLabel.text == "Starting..."
    assert slow.work.starting and not slow.session.busy
    slow.until(lambda: slow.session.preview_node_id, "the preview")
    assert_sent_is_what_is_drawn(slow, {"GM": [4, 9, 15], "GL": [9], "SOL": [4, 15]})
    slow.until_done()
    assert slow.session.summary is not None, slow.session.failure
    assert not slow.work.drawn_since()


@pytest.mark.parametrize("after", [1, 20, 40, 45, 47])
def test_drawing_on_after_the_click_gives_no_mixture(slow, after):
    slow.click("propagateButton")
    step(slow, after)  # of some fifty
    assert slow.work.starting
    stroke(slow, "GM", 4, radius=20, erase=True)
    stroke(slow, "SOL", 7, radius=3)
    slow.until(lambda: slow.session.busy, "the job")
    assert slow.drawn("SOL") == [4, 7, 15]
    slow.until(lambda: slow.session.preview_node_id, "the preview")
    assert_sent_is_what_is_drawn(slow, {"GM": [9, 15], "GL": [9], "SOL": [4, 7, 15]})
    slow.until_done()
    slow.settle()
    assert not slow.work.drawn_since()


def test_absent_mark_after_the_click_is_sent(slow):
    slow.click("propagateButton")
    step(slow, 30)
    slow.ui.segmentEditor.setCurrentSegmentID(slow.id_of("GM"))
    slow.work.go_to(17)
    slow.click("absentToEndButton")
    slow.until(lambda: slow.session.preview_node_id, "the preview")
    from MusclePropLib.core.annotations import load_annotations

    annotations = load_annotations(slow.session.job.job.folder / "annotations.npz")
    assert annotations.muscles[0].absent == {17, 18, 19}
    slow.until_done()


def test_absent_marks_wait_for_the_strokes(slow, said):
    slow.ui.segmentEditor.setCurrentSegmentID(slow.id_of("GM"))
    slow.work.go_to(17)
    slow.click("absentToEndButton")
    slow.work.go_to(9)
    slow.click("absentHereButton")
    assert slow.work.looking and said == []
    slow.settle()
    assert sorted(slow.work.tracker.states[slow.id_of("GM")].absent) == [17, 18, 19]
    assert said == ["GM is drawn on this slice; erase it first"]


def test_absent_mark_of_a_segment_that_goes(slow):
    slow.ui.segmentEditor.setCurrentSegmentID(slow.id_of("GM"))
    slow.work.go_to(17)
    slow.click("absentHereButton")
    slow.segmentation.GetSegmentation().RemoveSegment(slow.id_of("GM"))
    slow.settle()
    assert slow.work.tracker.states[slow.id_of("SOL")].absent == frozenset()


def test_cancel_before_there_is_a_job(slow):
    slow.click("propagateButton")
    step(slow)
    slow.click("propagateButton")
    assert not slow.work.starting and slow.ui.propagateButton.text == "Propagate"
    slow.settle()
    assert slow.drawn("GM") == [4, 9, 15], "what was drawn becomes known all the same"
    assert slow.session.job is None and not slow.session.busy
    slow.click("propagateButton")
    slow.until_done()
    assert slow.session.summary is not None, slow.session.failure


def test_result_that_was_not_accepted_is_kept_if_nothing_starts(slow, said):
    slow.click("propagateButton")
    slow.until_done()
    slow.click("propagateButton")
    step(slow)
    slow.click("propagateButton")
    assert slow.ui.acceptButton.enabled and slow.session.preview_node_id


def test_all_erased_after_the_click_is_told(slow, said):
    slow.click("propagateButton")
    step(slow)
    for name in ("GM", "GL", "SOL"):
        for index in (4, 9, 15):
            stroke(slow, name, index, radius=99, erase=True)
    slow.until_done()
    assert said == ["Outline a muscle on at least one slice; two or more make it much better"]
    assert not slow.ui.propagateButton.enabled and slow.ui.propagateButton.text == "Propagate"
    assert slow.session.job is None


@pytest.mark.parametrize("what", ["scene", "volume", "segmentation", "choice"])
def test_whatever_goes_after_the_click_ends_it(slow, said, what):
    import slicer

    slow.click("propagateButton")
    step(slow)
    if what == "scene":
        slow.panel.scene_closes()
        slicer.mrmlScene.Clear(0)
    elif what == "choice":
        slow.parameters.segmentation = None
    else:
        slicer.mrmlScene.RemoveNode(getattr(slow, what))
    slow.until_done()
    slow.settle()
    assert said == (["Choose a volume and a segmentation"] if what == "choice" else [])
    assert slow.session.job is None and not slow.work.looking
    slow.until(lambda: not slow.panel._poll.active, "rest")
    assert slow.work.tracker.states == {}


def test_closing_the_panel_ends_it(slow):
    slow.click("propagateButton")
    step(slow)
    slow.panel.close()
    assert not slow.work.looking and not slow.session.busy and not slow.panel._poll.active


def test_looking_and_handing_over_take_turns(slow, monkeypatch):
    from MusclePropLib.core import steps
    from MusclePropLib.gui import session

    slow.settle()
    slow.click("propagateButton")
    slow.until(lambda: slow.session.busy, "the job")
    monkeypatch.setattr(steps, "CHUNK_BYTES", 1)
    monkeypatch.setattr(session, "WRITE_SECONDS", 0.0)
    stroke(slow, "GM", 12)
    slow.until(lambda: slow.work.looking, "it looks")
    turns = []
    monkeypatch.setattr(slow.session, "poll", lambda: turns.append("session"))
    monkeypatch.setattr(slow.panel, "_look", lambda: turns.append("look"))
    for _ in range(6):
        slow.panel._take_turns()
    assert turns in (["session", "look"] * 3, ["look", "session"] * 3)
    monkeypatch.undo()
    slow.until_done()


@pytest.fixture
def measuring(drawn, monkeypatch):
    """A panel that measures a slice at each turn, and has begun."""
    from MusclePropLib.gui import step_by_step

    monkeypatch.setattr(step_by_step, "STEP_MS", 0)
    drawn.click("measureButton")
    assert drawn.ui.measureLabel.text == "Measuring..." and not drawn.ui.measureButton.enabled
    return drawn


def test_strokes_while_measuring_are_measured(measuring):
    measuring.draw({"GM": (7,)}, radius=11)
    measuring.until(lambda: not measuring.panel.measure.busy, "the figures")
    for name in ("GM", "GL", "SOL"):
        volume_ml = measuring.array(name).sum() * 0.5 * 0.5 * 1.4 / 1000
        assert f"{name}: {millilitres(volume_ml)} ml" in measuring.ui.measureLabel.text
    assert measuring.ui.measureButton.enabled


def test_segmentation_deleted_while_measuring(measuring, said):
    import slicer

    slicer.mrmlScene.RemoveNode(measuring.segmentation)
    measuring.until(lambda: not measuring.panel.measure.busy, "the end")
    assert said == ["the volume or the segmentation has been deleted"]
    assert not slicer.util.getNodesByClass("vtkMRMLTableNode")
    measuring.settle()
    assert measuring.ui.measureLabel.text == "" and not measuring.ui.measureButton.enabled


def test_panel_closed_while_measuring(measuring):
    measuring.panel.close()
    assert not measuring.panel.measure.busy


def test_csv_is_made_bit_by_bit(drawn, monkeypatch, tmp_path):
    from MusclePropLib.gui import csv_export, step_by_step

    monkeypatch.setattr(step_by_step, "STEP_MS", 0)
    monkeypatch.setattr(csv_export, "ask_where", lambda *_: tmp_path / "leg.csv")
    drawn.click("exportButton")
    assert not drawn.ui.exportButton.enabled and not (tmp_path / "leg.csv").exists()
    drawn.until(lambda: not drawn.panel.csv.busy, "the table")
    assert (tmp_path / "leg.csv").read_text(encoding="utf-8").count("calf muscles") == 3
    assert drawn.ui.exportButton.enabled
