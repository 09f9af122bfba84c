"""Pictures of a propagation and of a training, whatever the muscles are called."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.cohort.curves import write_curves
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.pictures import montage

SHAPE = (12, 24, 60)
PNG = b"\x89PNG"


def picture(path, names, title="leg.nrrd"):
    """The montage of muscles beside each other, each drawn on slices 1 and 9."""
    labels = np.zeros(SHAPE, np.uint8)
    width = SHAPE[2] // len(names)
    for index in range(len(names)):
        labels[1:10, 4:20, index * width : (index + 1) * width - 1] = index + 1
    drawn = [{t: labels[t] == index + 1 for t in (1, 9)} for index in range(len(names))]
    annotations = Annotations(SHAPE, [MuscleAnnotation(n, d) for n, d in zip(names, drawn, strict=True)])
    image = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    montage(path, image, labels, annotations, Geometry.from_spacing(SHAPE, (5.0, 1.0, 1.0)), title=title)
    assert path.read_bytes().startswith(PNG)


def test_names_are_no_formulae(tmp_path):
    picture(tmp_path / "montage.png", ["GM $1^$", "\\frac $"], "leg $1^$.nrrd")
    losses = {"segmentation": 0.5, "reconstruction": ""}
    write_curves(tmp_path, [{"step": n, "dice": 0.1 * n, "dice GM $1^$": 0.1 * n, **losses} for n in (1, 2)])
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)
