"""All muscles of one recording, measured from its segmentation and, if there is one, its image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from MusclePropLib.core.annotations import Annotations, axis_of_gaps, extents, is_not_muscle
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.muscle import Known, MuscleMeasures, measure_muscle
from MusclePropLib.core.measurements.profile import profile
from MusclePropLib.core.measurements.records import known_of, tagged_slices
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.segments import Segmentation
from MusclePropLib.core.volumes import Volume


@dataclass(frozen=True, eq=False)
class Recording:
    """Measurements of a file `source`; slices are counted along the stored array's `axis`.

    `tracked` tells that true positions of frames were used. `warnings` are sentences about what is missing.
    """

    source: str
    axis: int
    tracked: bool
    muscles: list[MuscleMeasures]
    warnings: list[str] = field(default_factory=list)


def measure(
    segmentation: Segmentation,
    volume: Volume | None = None,
    drawn: Annotations | None = None,
    axis: str | int = "auto",
    record: Mapping[str, Any] | None = None,
) -> Recording:
    """Measure every segment but those that say where no muscle is.

    `volume` gives echo intensity and, for a tracked sweep, the true positions of the slices; the segmentation must lie
    within its grid, voxel on voxel. `drawn` says which slices were drawn where the segments' tags do not, and has to be
    on the segmentation's grid. `record` is a propagation's summary. Empty segments are left out with a warning, never
    measured as 0 ml. Raises InputError if no segment holds a voxel, if grids differ, or if `drawn` has none of the
    segments.
    """
    source = segmentation.source or "the segmentation"
    segmentation = segmentation if volume is None else _on_grid(segmentation, volume, source)
    axis = slice_axis(segmentation, drawn, axis)
    view = None if volume is None else volume.along(axis)
    stack = Stack.of(segmentation.geometry.moved(axis), None if view is None else view.positions)
    _check_drawn(segmentation, drawn, source)
    muscles, warnings = [], []
    for segment in segmentation.segments:
        if is_not_muscle(segment.name, segment.tags):
            continue
        labels = np.moveaxis(segmentation.layers[segment.layer], axis, 0)
        found = profile(labels, segment.value, None if view is None else view.array)
        if not len(found.filled):
            warnings.append(f"{source}: segment '{segment.name}' is empty; it is left out")
            continue
        known = known_of(segment, len(labels), source, drawn, record)
        muscles.append(measure_muscle(segment.name, segment.color, found, stack, known))
        warnings += [f"{source}: segment '{segment.name}': {gap}" for gap in _gaps(known)]
    if not muscles:
        raise InputError(f"{source}: every segment is empty; there is nothing to measure")
    return Recording(source, axis, view is not None and view.positions is not None, muscles, warnings)


def slice_axis(segmentation: Segmentation, drawn: Annotations | None = None, axis: str | int = "auto") -> int:
    """The array axis that slices are counted along: `axis`, else that of `drawn`, of the tags, of gaps, else 0.

    InputError if the tags, or `drawn`, speak of another axis than the one asked for.
    """
    source = segmentation.source or "the segmentation"
    named = {tag[0] for s in segmentation.segments if (tag := tagged_slices(s, source))}
    if drawn is not None:
        named = {drawn.axis}
    if axis != "auto":
        named.add(int(axis))
    if len(named) > 1:
        raise InputError(f"{source}: its slices were drawn along another axis ({sorted(named)} are named)")
    if named:
        return named.pop()
    return axis_of_gaps([extents(segmentation.layers[s.layer], s.value) for s in segmentation.segments])


def _on_grid(segmentation: Segmentation, volume: Volume, source: str) -> Segmentation:
    """The segmentation on the image's grid; InputError if any of it would be lost, for a volume cut off is wrong."""
    stored = volume.along(0)
    moved = segmentation.resampled_to(stored.geometry)
    if moved is segmentation:
        return segmentation
    for segment in segmentation.segments:
        before, after = (_voxels(s.layers[segment.layer], segment.value) for s in (segmentation, moved))
        if after < before:
            part = "lies wholly outside" if after == 0 else "reaches beyond"
            raise InputError(f"{source}: segment '{segment.name}' {part} the image {volume.source}".rstrip())
    return moved


def _voxels(layer: np.ndarray, value: int) -> int:
    return sum(int(np.count_nonzero(plane == value)) for plane in layer)


def _check_drawn(segmentation: Segmentation, drawn: Annotations | None, source: str) -> None:
    names = {s.name for s in segmentation.segments}
    if drawn is not None and names.isdisjoint(m.name for m in drawn.muscles):
        theirs = ", ".join(m.name for m in drawn.muscles)
        raise InputError(f"{source}: has none of the segments that the annotations name ({theirs})")


def _gaps(known: Known) -> list[str]:
    """What cannot be told, and why."""
    gaps = []
    if not known.drawn:
        gaps.append("no record of which slices were drawn, so no volume by spline or cones")
    elif len(known.drawn) == 1:
        gaps.append("drawn on one slice only, so no volume by spline or cones")
    if known.confidence is None:
        gaps.append("no record of a propagation's confidence, so no range to expect the truth in")
    return gaps
