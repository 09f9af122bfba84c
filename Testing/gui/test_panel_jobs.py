"""The panel while a job runs: drawing, previews, Cancel, and workers that crash or have to be killed."""

import numpy as np


def slowly(drive):
    """GM drawn on two slices of a volume with which the worker takes its time."""
    driver = drive(name="slow")
    driver.click("createSegmentsButton")
    driver.draw({"GM": (4, 15)})
    return driver


def test_drawing_while_a_job_runs_is_kept_and_offered_for_another_round(drive):
    driver = slowly(drive)
    driver.click("propagateButton")
    driver.until(lambda: driver.session.preview_node_id, "the preview")
    driver.draw({"GM": (9,)}, radius=4)
    assert driver.work.drawn_since()
    mine = driver.array("GM")[9]
    driver.click("stopButton")
    assert not driver.ui.stopButton.enabled, "once is enough"
    driver.until_done()
    assert driver.shown("changedLabel")
    assert driver.ui.propagateButton.text == "Propagate again"
    driver.click("acceptButton")
    np.testing.assert_array_equal(driver.array("GM")[9], mine)
    assert driver.drawn("GM") == [4, 9, 15]
    assert driver.shown("changedLabel"), "the last propagation does not know slice 9, accepted or not"


def test_coarse_preview_lies_on_the_voxels_that_it_was_taken_from(drive):
    import slicer

    from MusclePropLib.jobs.protocol import Event

    driver = slowly(drive)
    driver.click("propagateButton")
    driver.until(lambda: driver.session.preview_node_id, "the first preview")
    job, coarse = driver.session.job.job, np.random.default_rng(0).integers(0, 2, (20, 30, 40)).astype(np.uint8)
    np.save(job.folder / "coarse.npy", coarse)
    driver.session._take_in(Event("preview", job.id, {"file": "coarse.npy", "strides": [1, 2, 2], "step": 1}))
    preview = slicer.mrmlScene.GetNodeByID(driver.session.preview_node_id)
    found = slicer.util.arrayFromSegmentBinaryLabelmap(preview, driver.id_of("GM"), driver.volume)
    np.testing.assert_array_equal(found[:, ::2, ::2], coarse)


def test_cancel_gives_everything_back(drive):
    driver = slowly(drive)
    before = driver.array("GM")
    driver.click("propagateButton")
    driver.until(lambda: driver.session.preview_node_id, "the preview")
    driver.click("propagateButton")
    assert driver.session.preview_node_id is None, "it goes at once"
    assert not driver.ui.propagateButton.enabled
    driver.until_done()
    assert driver.ui.propagateButton.text == "Propagate" and driver.ui.propagateButton.enabled
    np.testing.assert_array_equal(driver.array("GM"), before)


def test_double_click_propagates_and_does_not_cancel(drive):
    from PySide6 import QtCore
    from PySide6.QtTest import QTest

    driver = slowly(drive)
    driver.widget._real.show()
    button, left = driver.ui.propagateButton._real, QtCore.Qt.MouseButton.LeftButton
    for event in (QTest.mousePress, QTest.mouseRelease, QTest.mouseDClick, QTest.mouseRelease):  # as Qt sends them
        event(button, left)
    driver.until(lambda: driver.session.preview_node_id, "the preview")
    assert driver.ui.propagateButton.text == "Cancel"
    driver.click("propagateButton")
    driver.until_done()
    assert driver.ui.propagateButton.text == "Propagate"


def test_crash_of_the_worker_is_told_and_the_next_job_runs(drive):
    driver = drive(name="crash")
    driver.click("createSegmentsButton")
    driver.draw({"GM": (4, 15)})
    driver.click("propagateButton")
    driver.until_done()
    assert "ended unexpectedly" in driver.ui.progressLabel.text
    assert driver.session.preview_node_id is None
    driver.volume.SetName("calf")
    driver.click("propagateButton")
    driver.until_done()
    assert driver.session.summary is not None


def test_a_worker_that_had_to_be_killed_is_replaced(drive, monkeypatch):
    from driver import running

    from MusclePropLib.jobs import runner

    monkeypatch.setattr(runner, "CANCEL_GRACE", -1.0)
    driver = drive(name="busy")
    driver.click("createSegmentsButton")
    driver.draw({"GM": (4, 15)})
    driver.click("propagateButton")
    driver.until(lambda: driver.session.preview_node_id, "the preview")
    driver.click("propagateButton")
    driver.until_done()
    driver.until(lambda: driver.session.poll() or len(driver.pids) == 2, "a new worker")
    driver.until(lambda: not running(driver.pids[0]), "the end of the old one")
