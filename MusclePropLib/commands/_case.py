"""One volume to propagate in, and what is drawn in it, as files have it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from MusclePropLib.core.errors import InputError

if TYPE_CHECKING:
    from MusclePropLib.core.annotations import Annotations
    from MusclePropLib.core.completed import Kept
    from MusclePropLib.core.geometry import Geometry
    from MusclePropLib.core.segments import Segmentation
    from MusclePropLib.core.volumes import Volume


@dataclass(frozen=True)
class Case:
    """One volume, what is drawn in it, and where the result goes."""

    image: Path
    annotations: Path
    output: Path


class Drawn(NamedTuple):
    """What is drawn, what stays as it is, the stored grid, and the label values in the file of the muscles of both."""

    annotations: Annotations
    kept: Kept
    geometry: Geometry
    values: list[int]


def read_drawn(case: Case, axis: str, volume: Volume | None = None) -> Drawn:
    """What is drawn, on the volume's grid or on the file's own.

    The axis asked for counts on the volume's; the file's may have its axes in another order, in which its tags do.
    """
    from MusclePropLib.core.annotations import SLICES_TAG
    from MusclePropLib.core.completed import kept_segments, without_completed
    from MusclePropLib.core.measurements.placed import on_grid
    from MusclePropLib.core.segmentation import annotations_from_segmentation, read_segmentation
    from MusclePropLib.core.segments import values_of

    drawn = read_segmentation(case.annotations)
    _check_states(drawn, case.annotations)
    if volume is not None:
        drawn = on_grid(drawn, volume)
    under_work = without_completed(drawn)
    tagged = any(SLICES_TAG in segment.tags for segment in under_work.segments)
    along = "auto" if tagged and volume is None else axis
    annotations = annotations_from_segmentation(under_work, along, str(case.annotations))
    kept = kept_segments(drawn, annotations.axis)
    values = values_of(drawn, (muscle.name for muscle in [*annotations.muscles, *kept.muscles]))
    return Drawn(annotations, kept, drawn.geometry, values)


def _check_states(drawn: Segmentation, path: Path) -> None:
    """InputError for a result in a format without tags: all that was filled would count as drawn."""
    from MusclePropLib.core.annotations import SLICES_TAG
    from MusclePropLib.core.measurements.records import read_record, record_path, stem
    from MusclePropLib.core.segmentation import SEG_NRRD

    tagged = any(SLICES_TAG in segment.tags for segment in drawn.segments)
    told = read_record(path).get("output")
    alike = told and Path(told).name.removeprefix(stem(told)) == path.name.removeprefix(stem(path))
    if alike and not tagged:  # one of another ending is gone, and this is a drawing of the same name
        said = "which does not tell drawn slices from filled ones"
        raise InputError(f"{path}: by {record_path(path).name} a result, {said}; go on from one as {SEG_NRRD}")
