"""Pictures of a propagation and of a training, whatever the muscles are called."""

from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from MusclePropLib.core import pictures
from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.cohort.curves import write_curves
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.pictures import montage

SHAPE = (12, 24, 60)
PNG = b"\x89PNG"


def picture(path, names, title="leg.nrrd", other=0):
    """The montage of muscles beside each other, each drawn on slices 1 and 9, with the label `other` above them."""
    labels = np.zeros(SHAPE, np.uint8)
    width = SHAPE[2] // len(names)
    for index in range(len(names)):
        labels[1:10, 4:20, index * width : (index + 1) * width - 1] = index + 1
    drawn = [{t: labels[t] == index + 1 for t in (1, 9)} for index in range(len(names))]
    labels[:, :2] = other
    annotations = Annotations(SHAPE, [MuscleAnnotation(n, d) for n, d in zip(names, drawn, strict=True)])
    image = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    montage(path, image, labels, annotations, Geometry.from_spacing(SHAPE, (5.0, 1.0, 1.0)), title=title)
    assert path.read_bytes().startswith(PNG)
    return path.read_bytes()


def test_labels_of_no_muscle_are_not_shown(tmp_path):
    path = tmp_path / "montage.png"
    assert picture(path, ["GM", "GL"], other=3) == picture(path, ["GM", "GL"])


def test_names_are_no_formulae(tmp_path):
    picture(tmp_path / "montage.png", ["GM $1^$", "\\frac $"], "leg $1^$.nrrd")
    losses = {"segmentation": 0.5, "reconstruction": ""}
    write_curves(tmp_path, [{"step": n, "dice": 0.1 * n, "dice GM $1^$": 0.1 * n, **losses} for n in (1, 2)])
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)


LONG = "Gastrocnemius medialis, left leg, second examiner"


@pytest.mark.parametrize(
    "names",
    [
        ["_hidden", "GM"],
        [f"Gastrocnemius medialis {n}" for n in range(8)],
        [f"Muscle {n}" for n in range(20)],
        [LONG, LONG.replace(" ", "_"), LONG * 4],
    ],
)
def test_all_names_stand_in_the_picture_beside_each_other(tmp_path, monkeypatch, names):
    figures = []
    monkeypatch.setattr(pictures, "Figure", lambda **options: figures.append(Figure(**options)) or figures[-1])
    picture(tmp_path / "montage.png", names, title=LONG * 4)
    (figure,) = figures
    *panels, curves = figure.axes
    legend = curves.get_legend()
    assert len(legend.get_texts()) == len(names) + 1 and legend.get_texts()[0].get_text()[:20] == names[0][:20]
    titles = [axes.title.get_window_extent() for axes in panels]
    for box in (*titles, legend.get_window_extent(), figure._suptitle.get_window_extent()):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    assert not any(a.overlaps(b) for a, b in combinations([t for t in titles if t.width], 2))
    assert curves.get_window_extent().width > 0.9 * figure.bbox.width
