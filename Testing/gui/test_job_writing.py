"""A job is written, and its files deleted, bit by bit, and everything may happen meanwhile."""

import pytest

pytest.importorskip("slicer_core", reason="the slicer-core wheel is not installed")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed")


@pytest.fixture
def slow_writing(monkeypatch):
    """A job is written a slice at a time, one at each poll."""
    from MusclePropLib.core import steps
    from MusclePropLib.gui import session

    monkeypatch.setattr(steps, "CHUNK_BYTES", 1)
    monkeypatch.setattr(session, "WRITE_SECONDS", 0.0)


def test_job_is_written_bit_by_bit(drawn, slow_writing):
    driver = drawn
    driver.click("propagateButton")
    assert driver.session.busy and driver.ui.propagateButton.text == "Cancel"
    folder = driver.session.job.job.folder
    driver.until(lambda: (folder / "image.npy").exists(), "the first slice")
    assert not (folder / "job.json").exists()
    driver.until_done()
    assert driver.session.summary is not None, driver.session.failure


def test_cancel_while_the_job_is_written(drawn, slow_writing):
    driver = drawn
    driver.click("propagateButton")
    folder = driver.session.job.job.folder
    driver.click("propagateButton")
    assert not driver.session.busy and not folder.exists()
    assert driver.ui.propagateButton.text == "Propagate"
    driver.click("propagateButton")
    driver.until_done()
    assert driver.session.summary is not None, driver.session.failure


def test_long_files_are_deleted_bit_by_bit(drawn, slow_writing, monkeypatch):
    from MusclePropLib.core import files

    driver = drawn
    monkeypatch.setattr(files, "REMOVE_BYTES", 1000)
    driver.click("propagateButton")
    folder = driver.session.job.job.folder
    driver.until(lambda: (folder / "annotations.npz").exists(), "the volume is written")
    before = (folder / "image.npy").stat().st_size
    driver.click("propagateButton")
    assert driver.ui.propagateButton.text == "Propagate" and not driver.session.busy
    assert 0 < (folder / "image.npy").stat().st_size < before
    driver.click("propagateButton")
    other = driver.session.job.job.folder
    driver.until_done()
    assert driver.session.summary is not None, driver.session.failure
    driver.until(lambda: not folder.exists() and not driver.panel._poll.active, "the end of the old one")
    driver.click("discardButton")
    assert other.exists()
    driver.panel.close()
    assert not other.exists()


def test_stop_while_the_job_is_written_still_gives_a_result(drive, slow_writing):
    driver = drive(name="slow")
    driver.click("createSegmentsButton")
    driver.draw({"GM": (4, 15)})
    driver.click("propagateButton")
    driver.click("stopButton")
    driver.until_done()
    assert driver.session.summary["how"] == "stopped"


def test_volume_deleted_while_the_job_is_written(drawn, slow_writing):
    import slicer

    driver = drawn
    driver.click("propagateButton")
    folder = driver.session.job.job.folder
    slicer.mrmlScene.RemoveNode(driver.volume)
    driver.until_done()
    assert not folder.exists() and driver.session.preview_node_id is None
    driver.settle()


def test_a_full_disk_is_told(drawn, monkeypatch):
    from MusclePropLib.gui import session

    def full(self, seconds):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session.JobWriter, "step", full)
    drawn.click("propagateButton")
    drawn.until_done()
    drawn.qt_events()
    assert "No space left" in drawn.ui.progressLabel.text
    assert drawn.ui.propagateButton.enabled
