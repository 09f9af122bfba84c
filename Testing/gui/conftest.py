"""GUI tests click real Qt widgets over the real scene; they are skipped without slicer-core or PySide6."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in (REPOSITORY / "Testing", REPOSITORY / "Testing" / "gui", REPOSITORY / "MuscleProp"):
    sys.path.insert(0, str(folder))


@pytest.fixture
def app(monkeypatch):
    """A fresh scene with Slicer's application around it; fails if a slot raised.

    Its small volumes are looked at within a click, however busy the machine is.
    """
    pytest.importorskip("slicer_core", reason="the slicer-core wheel is not installed")
    pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed")
    import slicer_scene
    from harness import application, wrapping

    slicer_scene.new_scene()
    slicer_scene.add_slice_views()
    import slicer

    installed = application.install(slicer.app.applicationLogic)
    from MusclePropLib.gui import step_by_step, work

    monkeypatch.setattr(work, "STEP_SECONDS", 10.0)
    monkeypatch.setattr(step_by_step, "STEP_MS", 10_000)
    wrapping.slot_errors.clear()
    yield installed
    assert not wrapping.slot_errors, wrapping.slot_errors


@pytest.fixture
def requirements(tmp_path):
    """Nothing is missing: what the worker needs is installed where the tests run."""
    path = tmp_path / "requirements.txt"
    path.write_text("numpy\n", encoding="utf-8")
    return path


@pytest.fixture
def drive(app, requirements):
    """Makes panels with a quick stand-in for the computing behind the real worker process; closes them."""
    from driver import STAND_IN, Driver

    made = []

    def make(**options):
        made.append(Driver(requirements, [sys.executable, str(STAND_IN)], **options))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


@pytest.fixture
def drawn(drive):
    """A panel with GM and SOL on two slices and GL on one."""
    driver = drive()
    driver.click("createSegmentsButton")
    driver.draw({"GM": (4, 15), "SOL": (4, 15), "GL": (9,)})
    return driver


@pytest.fixture
def said(monkeypatch):
    """The sentences that the expert is shown about unusable input."""
    import slicer

    sentences = []
    monkeypatch.setattr(slicer.util, "warningDisplay", lambda text, **_: sentences.append(text))
    return sentences
