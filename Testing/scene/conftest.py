"""Scene tests run on the real MRML classes of the `slicer-core` wheel and are skipped without it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def scene():
    return pytest.importorskip("slicer_scene").new_scene()


@pytest.fixture
def volume(scene):
    return pytest.importorskip("slicer_scene").add_volume()


@pytest.fixture
def segmentation(volume):
    return pytest.importorskip("slicer_scene").add_segmentation(volume, ["GM", "SOL"])


@pytest.fixture
def followed(volume, segmentation):
    return pytest.importorskip("followed").Followed(volume, segmentation)
