"""Measurements straight from files."""

from __future__ import annotations

from pathlib import Path

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.recording import Recording, measure
from MusclePropLib.core.measurements.records import read_record
from MusclePropLib.core.segmentation import annotations_from_segmentation, read_segmentation
from MusclePropLib.core.volumes import read_volume


def measure_file(
    segmentation: Path, image: Path | None = None, drawn: Path | None = None, axis: str = "auto"
) -> Recording:
    """Measure a segmentation file; see `recording.measure`. A propagation's record beside it, NAME.json, is used."""
    segments = read_segmentation(segmentation)
    volume = None if image is None else read_volume(image)
    grid = segments.geometry if volume is None else volume.along(0).geometry
    annotations = None if drawn is None else _annotations(drawn, grid, axis)
    return measure(segments, volume, annotations, axis, read_record(segmentation))


def _annotations(path: Path, grid: Geometry, axis: str) -> Annotations:
    return annotations_from_segmentation(read_segmentation(path).resampled_to(grid), axis, str(path))
