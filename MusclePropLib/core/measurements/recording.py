"""All muscles of one recording, measured from its segmentation and, if there is one, its image."""

from __future__ import annotations

from dataclasses import dataclass, field

from MusclePropLib.core.annotations import Annotations, is_not_muscle
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.muscle import Known, MuscleMeasures, measure_muscle
from MusclePropLib.core.measurements.placed import place
from MusclePropLib.core.measurements.profile import profile
from MusclePropLib.core.measurements.records import known_of
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
) -> Recording:
    """Measure every segment but those that say where no muscle is.

    `volume` gives echo intensity and, for a tracked sweep, the true positions of the slices, which otherwise are those
    that the propagation recorded; the segmentation must lie within its grid, voxel on voxel. `drawn` says which slices
    were drawn where the segments' tags do not, and has to be on the segmentation's grid. Empty segments are left out
    with a warning, never measured as 0 ml. Raises InputError if no segment holds a voxel, if grids differ, or if
    `drawn` has none of the segments.
    """
    source = segmentation.source or "the segmentation"
    placed = place(segmentation, volume, drawn, axis)
    _check_drawn(segmentation, drawn, source)
    muscles, warnings = [], []
    for segment in placed.segmentation.segments:
        if is_not_muscle(segment.name, segment.tags):
            continue
        found = profile(placed.labels(segment), segment.value, placed.image)
        if not len(found.filled):
            warnings.append(f"{source}: segment '{segment.name}' is empty; it is left out")
            continue
        known = known_of(segment, placed.places, source, drawn, placed.axis)
        muscles.append(measure_muscle(segment.name, segment.color, found, placed.stack, known))
        warnings += [f"{source}: segment '{segment.name}': {gap}" for gap in _gaps(muscles[-1])]
    if not muscles:
        raise InputError(f"{source}: every segment is empty; there is nothing to measure")
    if placed.lost:
        warnings.append(f"{source}: its frames were tracked, but their positions do not fit its grid; taken as even")
    return Recording(source, placed.axis, placed.tracked, muscles, warnings)


def _check_drawn(segmentation: Segmentation, drawn: Annotations | None, source: str) -> None:
    names = {s.name for s in segmentation.segments}
    if drawn is not None and names.isdisjoint(m.name for m in drawn.muscles):
        theirs = ", ".join(m.name for m in drawn.muscles)
        raise InputError(f"{source}: has none of the segments that the annotations name ({theirs})")


def _gaps(muscle: MuscleMeasures) -> list[str]:
    """What cannot be told, and why."""
    known: Known = muscle.known
    gaps = []
    if muscle.empty_between:
        gaps.append(f"empty on {muscle.empty_between} slices between its first and last, which its volume leaves out")
    if not known.drawn:
        gaps.append("no record of which slices were drawn, so no volume by spline or cones")
    elif muscle.spline_ml is None:
        gaps.append("drawn on one slice only, so no volume by spline or cones")
    if known.confidence is None:
        gaps.append("no record of a propagation's confidence, so no range to expect the truth in")
    elif muscle.expected is None:
        gaps.append("its confidence is not known on every slice, so no range to expect the truth in")
    return gaps
