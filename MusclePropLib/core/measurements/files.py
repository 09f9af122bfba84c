"""Measurements straight from files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.measurements.placed import recalibrated
from MusclePropLib.core.measurements.recording import Recording, measure
from MusclePropLib.core.measurements.records import read_record, with_tags
from MusclePropLib.core.segmentation import Segmentation, annotations_from_segmentation, read_segmentation
from MusclePropLib.core.volumes import FRAMES_CSV, Volume, read_volume


@dataclass(frozen=True, eq=False)
class Inputs:
    """A segmentation, with the tags that a propagation's record beside it adds, and what it is measured with."""

    segmentation: Segmentation
    volume: Volume | None
    drawn: Annotations | None

    def measure(self, axis: str = "auto") -> Recording:
        """See `recording.measure`."""
        recording = measure(self.segmentation, self.volume, self.drawn, axis)
        beside = Path(self.segmentation.source).with_name(FRAMES_CSV)
        if recording.tracked or self.volume is not None or not beside.is_file():
            return recording
        said = f"{recording.source}: {beside.name} beside it tells of tracked frames, but without the image their"
        return replace(recording, warnings=[*recording.warnings, f"{said} positions are not used: give --image"])


def measure_file(
    segmentation: Path, image: Path | None = None, drawn: Path | None = None, axis: str = "auto"
) -> Recording:
    """Measure a segmentation file; see `recording.measure`. A propagation's record beside it, NAME.json, is used."""
    return read_inputs(segmentation, image, drawn, axis).measure(axis)


def read_result(path: Path) -> Segmentation:
    """Read a segmentation with the names and tags that its format cannot hold, if a propagation's record has them."""
    record = read_record(path)
    muscles = [*record.get("muscles", []), *record.get("completed", [])]
    names = {muscle.get("value", n): muscle["name"] for n, muscle in enumerate(muscles, 1)}
    return with_tags(read_segmentation(path, names), record)


def read_inputs(segmentation: Path, image: Path | None, drawn: Path | None, axis: str) -> Inputs:
    """Read the files; `drawn` is brought onto the grid that will be measured on."""
    segments = read_result(segmentation)
    volume = None if image is None else read_volume(image)
    return Inputs(segments, volume, None if drawn is None else _annotations(drawn, segments, volume, axis))


def _annotations(path: Path, measured: Segmentation, volume: Volume | None, axis: str) -> Annotations:
    drawn = read_result(path)
    if volume is None:
        drawn = drawn.resampled_to(measured.geometry)
    else:
        drawn = recalibrated(drawn, volume).resampled_to(volume.along(0).geometry)
    return annotations_from_segmentation(drawn, axis, str(path))
