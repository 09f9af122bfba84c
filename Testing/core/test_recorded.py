"""From a propagation through its file to its measurements: nothing of what it knew is lost on the way."""

import datetime

import numpy as np
import pytest

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.files import measure_file
from MusclePropLib.core.outcome import Settings
from MusclePropLib.core.propagated import propagated_segmentation
from MusclePropLib.core.segmentation import write_segmentation
from MusclePropLib.core.volumes import Volume


def test_a_tracked_sweep_without_its_image(tmp_path):
    """Volume, drawn slices, confidence and date as the propagation stated them, frames being at uneven distances."""
    propagation = pytest.importorskip("MusclePropLib.core.propagation")
    positions = np.linspace(0, 4, 17) ** 2
    geometry = Geometry.from_spacing((17, 40, 48), (1.0, 0.5, 0.5))
    rows, columns = np.ogrid[-10:10:40j, -12:12:48j]
    truth = np.hypot(rows, columns)[None] < 4 + positions[:, None, None] / 8
    image = np.random.default_rng(0).integers(0, 90, truth.shape) + 100 * truth
    volume = Volume(image.astype(np.uint8), geometry, positions)
    muscle = MuscleAnnotation("GM", {t: truth[t] for t in (0, 8, 16)}, color=(1.0, 0.0, 0.0))
    annotations = Annotations(truth.shape, [muscle])
    found = propagation.propagate(volume, annotations, Settings(method="interpolation", time_limit=20.0))
    path = tmp_path / "leg.seg.nrrd"
    write_segmentation(path, propagated_segmentation(found.labels, annotations, geometry, found.summary()))

    recording = measure_file(path)
    (measured,) = recording.muscles
    assert recording.tracked and not recording.warnings
    assert measured.volume_ml == pytest.approx(found.muscles[0].volume_ml)
    assert measured.known.drawn == (0, 8, 16)
    np.testing.assert_allclose(measured.known.confidence, found.confidence[0], atol=1e-4)
    written = datetime.datetime.fromisoformat(measured.known.provenance["date"])
    assert abs(datetime.datetime.now(datetime.UTC) - written) < datetime.timedelta(minutes=10)
