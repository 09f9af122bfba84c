"""What a propagation has left in a segment's tags and in the JSON beside the file: drawn slices and confidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from MusclePropLib.core.annotations import SLICES_TAG, Annotations, parse_slices_tag
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.muscle import Known
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segments import Segment

ENDINGS = (".seg.nrrd", ".nii.gz", ".nrrd", ".nii", ".mha")


def stem(path: str | Path) -> str:
    """The file's name without its ending, of which some have two parts."""
    name = Path(path).name
    return next((name[: -len(e)] for e in ENDINGS if name.lower().endswith(e)), Path(name).stem)


def read_record(path: str | Path) -> dict[str, Any]:
    """The summary that `muscleprop batch` writes beside a result, NAME.json; empty if there is none."""
    record = Path(path).with_name(f"{stem(path)}.json")
    if not record.is_file():
        return {}
    try:
        summary = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise InputError(f"{record}: the record of this result cannot be read ({fault})") from fault
    return summary if isinstance(summary, dict) and isinstance(summary.get("muscles"), list) else {}


def tagged_slices(segment: Segment, source: str) -> tuple[int, set[int], set[int]] | None:
    """(axis, drawn, absent) by the segment's tag, None without one; InputError if it is damaged."""
    value = segment.tags.get(SLICES_TAG)
    return parse_slices_tag(value, f"{source}, segment '{segment.name}'") if value else None


def known_of(
    segment: Segment,
    slices: int,
    source: str,
    drawn: Annotations | None = None,
    record: Mapping[str, Any] | None = None,
) -> Known:
    """What is known of the segment, which has `slices` slices: from `drawn` if given, else from its tag; confidence and
    estimate from its tag, else from `record`, a propagation's summary."""
    provenance = provenance_of(segment, source)
    if provenance is None and record:
        provenance = _from_record(segment, record)
    confidence = _confidence((provenance or {}).pop("confidence", None), slices)
    known = Known(confidence=confidence, provenance=provenance)
    if drawn is not None:
        muscle = next((m for m in drawn.muscles if m.name == segment.name), None)
        return known if muscle is None else replace(known, drawn=_sorted(muscle.drawn), absent=_sorted(muscle.absent))
    tag = tagged_slices(segment, source)
    return known if tag is None else replace(known, drawn=_sorted(tag[1]), absent=_sorted(tag[2]))


def provenance_of(segment: Segment, source: str) -> dict[str, Any] | None:
    """How the segment came about, by its tag; None if it has none; InputError if it is damaged."""
    value = segment.tags.get(PROVENANCE_TAG)
    if not value:
        return None
    try:
        return dict(json.loads(value))
    except (ValueError, TypeError) as fault:
        raise InputError(f"{source}, segment '{segment.name}': the tag {PROVENANCE_TAG} is damaged") from fault


def _from_record(segment: Segment, record: Mapping[str, Any]) -> dict[str, Any] | None:
    for index, muscle in enumerate(record["muscles"]):
        if muscle.get("name") == segment.name:
            rows = record.get("confidence") or []
            confidence = rows[index] if index < len(rows) else None
            return {**record.get("provenance", {}), "muscle": muscle, "confidence": confidence}
    return None


def _confidence(values: Any, slices: int) -> np.ndarray | None:
    """Expected Dice (slices,), NaN where unknown; None if it is not one value per slice: the grid is another one."""
    if not isinstance(values, list) or len(values) != slices:
        return None
    return np.array([np.nan if v is None else float(v) for v in values])


def _sorted(slices: Any) -> tuple[int, ...]:
    return tuple(sorted(int(t) for t in slices))
