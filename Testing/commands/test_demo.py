"""`muscleprop demo` with the stand-in engine."""

import json

import pytest

from MusclePropLib import cli
from MusclePropLib.commands import demo


@pytest.mark.parametrize("slices", [1, 2, 3])
def test_every_number_of_slices_can_be_tried(slices, monkeypatch, tmp_path, capsys):
    """With one or two there is none that could be left out."""
    monkeypatch.setattr(demo, "SHAPE", (16, 32, 40))
    assert cli.main(["demo", "-o", str(tmp_path), "--slices", str(slices)]) == 0
    assert ("leaving out" in capsys.readouterr().out) == (slices > 2)
    told = json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))
    counts = [len(muscle["drawn_slices"]) for muscle in told["propagation"]["muscles"]]
    assert sum(counts) == {1: 3, 2: 6, 3: 7}[slices]
