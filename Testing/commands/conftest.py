"""The stand-in for the engine behind the real worker, and a temporary folder in which nothing may be left."""

from pathlib import Path

import pytest

from MusclePropLib.jobs import channel


@pytest.fixture(autouse=True)
def stand_in_worker(monkeypatch):
    monkeypatch.setattr(channel, "WORKER_SCRIPT", Path(__file__).parents[1] / "jobs" / "stand_in_worker.py")


@pytest.fixture(autouse=True)
def temporary_folder(monkeypatch, tmp_path_factory):
    """A temporary folder of its own, in which nothing may be left."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


@pytest.fixture
def no_graphics(monkeypatch):
    """As on a machine without OpenGL."""
    view3d = pytest.importorskip("MusclePropLib.report.view3d")
    monkeypatch.setattr(view3d, "_can_render", lambda: False)
