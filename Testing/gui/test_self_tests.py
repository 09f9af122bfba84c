"""Slicer's self-tests (MuscleProp/Testing/Python), run as far as they go on the harness, so that they do not rot.

Their verdict counts in a real Slicer only; here what needs its window, its readers or its other modules is left out.
"""

import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "MuscleProp" / "Testing" / "Python"
NEEDS_SLICER = {
    "test_reload": "Slicer's module manager",
    "test_sample_data": "the Sample Data module",
    "test_states_survive_files": "Slicer's readers and writers",
    "test_choices_survive_saving_and_loading": "Slicer's readers and writers",
    "test_terminology_is_understood": "Slicer's terminologies",
    "test_stands_beside_the_volume_in_the_subject_hierarchy": "Slicer's subject hierarchy plugins",
    "test_folder": "minutes; the command's own tests run it",
    "test_propagate_with_the_real_worker": "half a minute; test_end_to_end runs it",
    "test_preview_is_not_listed_and_leaves_no_node": "Slicer's subject hierarchy plugins",
}


def names():
    for path in sorted(FOLDER.glob("*Test.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip().startswith("def test_"):
                yield path.stem, line.split("def ")[1].split("(")[0]


@pytest.fixture
def slicer_module(app, tmp_path, monkeypatch):
    """The module as Slicer holds it."""
    import slicer
    from harness.wrapping import wrap
    from PySide6 import QtWidgets

    import MuscleProp

    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    app.temporaryPath = str(tmp_path)
    slicer.modules.muscleprop = SimpleNamespace(path=MuscleProp.__file__)
    host = QtWidgets.QWidget()
    QtWidgets.QVBoxLayout(host)
    parent = SimpleNamespace(isEntered=True, layout=lambda: wrap(host.layout()), host=host)
    widget = MuscleProp.MusclePropWidget(parent)
    slicer.modules.muscleprop.widgetRepresentation = lambda: SimpleNamespace(self=lambda: widget)
    widget.setup()
    yield widget
    widget.cleanup()
    widget.panel.session._runner._channel.wait(10)


@pytest.mark.parametrize(("file", "name"), [pytest.param(*n, id=n[1]) for n in names()])
def test_in_the_harness(slicer_module, file, name):
    if name in NEEDS_SLICER:
        pytest.skip(f"needs {NEEDS_SLICER[name]}")
    module = __import__(file)
    result = unittest.TestResult()
    getattr(module, file)(name).run(result)
    for _test, trace in result.errors + result.failures:
        pytest.fail(trace, pytrace=False)
    for _test, reason in result.skipped:
        pytest.skip(reason)
