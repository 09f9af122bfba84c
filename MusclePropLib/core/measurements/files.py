"""Measurements straight from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.recording import Recording, measure
from MusclePropLib.core.measurements.records import read_record
from MusclePropLib.core.segmentation import Segmentation, annotations_from_segmentation, read_segmentation
from MusclePropLib.core.volumes import Volume, read_volume


@dataclass(frozen=True, eq=False)
class Inputs:
    """What `recording.measure` takes, by the names it takes it."""

    segmentation: Segmentation
    volume: Volume | None
    drawn: Annotations | None
    record: dict[str, Any]


def measure_file(
    segmentation: Path, image: Path | None = None, drawn: Path | None = None, axis: str = "auto"
) -> Recording:
    """Measure a segmentation file; see `recording.measure`. A propagation's record beside it, NAME.json, is used."""
    return measure(**vars(read_inputs(segmentation, image, drawn, axis)), axis=axis)


def read_inputs(segmentation: Path, image: Path | None, drawn: Path | None, axis: str) -> Inputs:
    """Read the files; `drawn` is brought onto the grid that will be measured on."""
    segments = read_segmentation(segmentation)
    volume = None if image is None else read_volume(image)
    grid = segments.geometry if volume is None else volume.along(0).geometry
    annotations = None if drawn is None else _annotations(drawn, grid, axis)
    return Inputs(segments, volume, annotations, read_record(segmentation))


def _annotations(path: Path, grid: Geometry, axis: str) -> Annotations:
    return annotations_from_segmentation(read_segmentation(path).resampled_to(grid), axis, str(path))
