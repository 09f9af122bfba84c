"""What a propagation leaves beside its label map: drawn slices, confidence, true positions, how it came about.

A `.seg.nrrd` holds all of it in its segments' tags. Beside every result lies the same as NAME.json, for the formats
that hold nothing but labels, and for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from MusclePropLib.core.annotations import SLICES_TAG, Annotations, MuscleAnnotation, parse_slices_tag, slices_tag
from MusclePropLib.core.completed import COMPLETED, STATUS_TAG
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.muscle import Known
from MusclePropLib.core.propagated import PROVENANCE_TAG, provenance
from MusclePropLib.core.regrid import grid_shift
from MusclePropLib.core.segments import Segment, Segmentation

ENDINGS = (".seg.nrrd", ".nii.gz", ".nrrd", ".nii", ".mha")
PER_SLICE = ("confidence", "positions_mm")


@dataclass(frozen=True, eq=False)
class Places:
    """Where each slice of the measured grid stands among the `count` slices that a record counts; outside, off them."""

    count: int
    index: np.ndarray

    @classmethod
    def between(cls, recorded: Geometry, measured: Geometry, axis: int) -> Places:
        """For slices along `axis` of the measured grid, whose voxels coincide with those of the recorded one."""
        shift = grid_shift(recorded, measured)
        slices = np.arange(measured.shape[axis])
        if shift is None:  # the same grid, but for the digits of a header
            return cls(len(slices), slices)
        before = shift.axes[axis]
        return cls(recorded.shape[before], shift.signs[axis] * slices + shift.offset[before])

    def take(self, values: Any) -> np.ndarray | None:
        """A record's values, a list with one a slice, here; NaN where it has none. None if it is another list."""
        if not isinstance(values, list) or len(values) != self.count:
            return None
        known = np.array([np.nan if v is None else float(v) for v in values])
        inside = (self.index >= 0) & (self.index < self.count)
        return np.where(inside, known[np.clip(self.index, 0, self.count - 1)], np.nan)


def stem(path: str | Path) -> str:
    """The file's name without its ending, of which some have two parts."""
    name = Path(path).name
    return next((name[: -len(e)] for e in ENDINGS if name.lower().endswith(e)), Path(name).stem)


def record_path(result: str | Path) -> Path:
    """NAME.json beside the result, whatever its ending."""
    return Path(result).with_name(f"{stem(result)}.json")


def read_record(result: str | Path) -> dict[str, Any]:
    """The summary that a propagation has written beside its result; empty if there is none, or only another result's.

    Results that differ in nothing but the ending share the file.
    """
    summary = read_summary(record_path(result))
    return {} if another_result(result, summary) else summary


def read_summary(path: Path) -> dict[str, Any]:
    """The summary in NAME.json; empty if there is no such file or it holds something else."""
    if not path.is_file():
        return {}
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise InputError(f"{path}: the record of this result cannot be read ({fault})") from fault
    return summary if is_record(summary) else {}


def another_result(result: str | Path, summary: Mapping[str, Any]) -> Path | None:
    """The result that the summary in NAME.json tells of, if that is another one, which is still there."""
    told = Path(result).with_name(Path(str(summary.get("output", ""))).name or Path(result).name)
    shared = told.name != Path(result).name and record_path(told) == record_path(result)
    return told if shared and told.exists() else None


def is_record(summary: Any) -> bool:
    """Whether JSON is a propagation's summary, and not something else of that name."""
    if not isinstance(summary, dict) or not isinstance(summary.get("muscles"), list):
        return False
    parts = {"provenance": dict, "confidence": list, "axis": int, "completed": list}
    if not all(isinstance(summary.get(key, kind()), kind) for key, kind in parts.items()):
        return False
    muscles = [*summary["muscles"], *summary.get("completed", [])]
    return all(isinstance(m, dict) and isinstance(m.get("name"), str) for m in muscles)


def with_tags(segmentation: Segmentation, record: Mapping[str, Any]) -> Segmentation:
    """The segmentation with the tags that its format could not hold, from the record's muscles of the same name.

    Of several of one name, it is the one of the same label value.
    """
    muscles = [*record.get("muscles", []), *record.get("completed", [])]
    segments = [
        s if (index := _muscle_of(s, muscles)) is None else replace(s, tags=_tags(record, index) | s.tags)
        for s in segmentation.segments
    ]
    return replace(segmentation, segments=segments)


def _muscle_of(segment: Segment, muscles: Sequence[Mapping[str, Any]]) -> int | None:
    namesakes = [n for n, muscle in enumerate(muscles) if muscle["name"] == segment.name]
    fitting = (n for n in namesakes if muscles[n].get("value", n + 1) == segment.value)
    return next(fitting, namesakes[0] if namesakes else None)


def tagged_slices(segment: Segment, source: str) -> tuple[int, set[int], set[int]] | None:
    """(axis, drawn, absent) by the segment's tag, None without one; InputError if it is damaged."""
    value = segment.tags.get(SLICES_TAG)
    return parse_slices_tag(value, f"{source}, segment '{segment.name}'") if value else None


def named_axes(segments: Iterable[Segment], source: str) -> set[int]:
    """The axes of the segments' tags that name slices, be it only of those that are not completed.

    Completed ones may have been drawn across other slices, in an earlier round; theirs count if there are no others.
    """
    pairs = ((s.tags.get(STATUS_TAG) == COMPLETED, tagged_slices(s, source)) for s in segments)
    found = [(completed, tag[0]) for completed, tag in pairs if tag and (tag[1] or tag[2])]
    return {axis for completed, axis in found if not completed} or {axis for _, axis in found}


def known_of(
    segment: Segment, places: Places, source: str, drawn: Annotations | None = None, axis: int | None = None
) -> Known:
    """What is known of the segment: its slices from `drawn` if given, else from its tag; the rest from its tag.

    Slices count along `axis`, if given: a tag of another one says nothing of them.
    """
    record, tag = _provenance_of(segment, source), tagged_slices(segment, source)
    along = _is_along(axis, tag)
    confidence = places.take((record or {}).get("confidence")) if along else None
    if record is not None:
        record = {key: value for key, value in record.items() if key not in PER_SLICE}
    known = Known(confidence=confidence, provenance=record)
    if drawn is not None:
        muscle = next((m for m in drawn.muscles if m.name == segment.name), None)
        return known if muscle is None else replace(known, drawn=_sorted(muscle.drawn), absent=_sorted(muscle.absent))
    if tag is None or not along:
        return known
    known = replace(known, drawn=_sorted(tag[1]), absent=_sorted(tag[2]))
    if outside := [t for t in (*known.drawn, *known.absent) if not 0 <= t < len(places.index)]:
        said = f"names slice {outside[0]}, but there are {len(places.index)}"
        raise InputError(f"{source}, segment '{segment.name}': the tag {SLICES_TAG} {said}")
    return known


def recorded_positions(segmentation: Segmentation, places: Places, axis: int) -> tuple[np.ndarray | None, bool]:
    """Positions (slices,) mm of tracked frames, None if none were recorded or do not fit; and whether they do not."""
    source = segmentation.source or "the segmentation"
    along = (s for s in segmentation.segments if _is_along(axis, tagged_slices(s, source)))
    records = (_provenance_of(segment, source) or {} for segment in along)
    values = next((r["positions_mm"] for r in records if r.get("positions_mm")), None)
    positions = places.take(values)
    if positions is None or not np.isfinite(positions).all():
        return None, values is not None
    return positions, False


def _is_along(axis: int | None, tag: tuple[int, set[int], set[int]] | None) -> bool:
    return axis is None or tag is None or tag[0] == axis


def _provenance_of(segment: Segment, source: str) -> dict[str, Any] | None:
    """How the segment came about, by its tag; None if it has none; InputError if it is damaged."""
    value = segment.tags.get(PROVENANCE_TAG)
    if not value:
        return None
    try:
        record = json.loads(value)
    except ValueError:
        record = None
    if not _is_sound(record):
        raise InputError(f"{source}, segment '{segment.name}': the tag {PROVENANCE_TAG} is damaged")
    return record


def _is_sound(record: Any) -> bool:
    """Whether all that is looked at is of the right kind; what else there is, is only shown."""
    outcome = record.get("muscle", {}) if isinstance(record, dict) else None
    if not isinstance(outcome, dict):
        return False
    figures = [outcome.get(key) for key in ("estimate", "fill_estimate", "interpolation_estimate")]
    for key in PER_SLICE:
        values = record.get(key)
        if values is not None and not isinstance(values, list):
            return False
        figures += values or []
    return all(value is None or isinstance(value, int | float) for value in figures)


def _tags(record: Mapping[str, Any], index: int) -> dict[str, str]:
    """The tags of a muscle of the record or, after them, of a completed one, as a `.seg.nrrd` would have them."""
    muscle = [*record["muscles"], *record.get("completed", [])][index]
    propagated = index < len(record["muscles"])
    completed = {} if muscle.get("undrawn") else {STATUS_TAG: COMPLETED}
    tags = {PROVENANCE_TAG: provenance(record, index)} if propagated else completed
    axis = (record if propagated else muscle).get("axis")
    if axis is not None:
        drawn = dict.fromkeys(muscle.get("drawn_slices", ()))
        known = MuscleAnnotation(muscle["name"], drawn, frozenset(muscle.get("absent_slices", ())))
        tags[SLICES_TAG] = slices_tag(known, axis)
    return tags


def _sorted(slices: Any) -> tuple[int, ...]:
    return tuple(sorted(int(t) for t in slices))
