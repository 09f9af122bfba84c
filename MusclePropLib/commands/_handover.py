"""The result of a job of files: the segmentation, its record NAME.json, and a report of it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MusclePropLib.commands._case import Case, Drawn
from MusclePropLib.commands.common import holds_names, write_json
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import checksum

if TYPE_CHECKING:
    import numpy as np

    from MusclePropLib.core.annotations import MuscleAnnotation
    from MusclePropLib.core.segments import Segment, Segmentation
    from MusclePropLib.jobs.job import Job


def check_record(output: Path) -> None:
    """InputError if the result's record, NAME.json, would overwrite a file that is no such record, or another's."""
    from MusclePropLib.core.measurements.records import another_result, read_summary, record_path

    path = record_path(output)
    summary = read_summary(path)
    if path.exists() and not summary:
        raise InputError(f"{path}: the record of {output.name} would overwrite this file")
    if other := another_result(output, summary):
        raise InputError(f"{path}: the record of {output.name} would overwrite that of {other.name}")


def handed_over(job: Job, drawn: Drawn, case: Case, clock: list[float], report: Path | None) -> dict[str, Any]:
    """Write the job's result, its record and the report; returns the summary.

    All that maps the job's files is a local of this function or of those it calls, and gone when the folder is deleted.
    """
    from MusclePropLib.core.measurements.records import record_path
    from MusclePropLib.core.propagated import propagated_segmentation
    from MusclePropLib.core.segmentation import write_segmentation
    from MusclePropLib.core.segments import with_values
    from MusclePropLib.jobs.job import read_result

    result = read_result(job)
    found = propagated_segmentation(result.labels, drawn.annotations, drawn.geometry, result.summary)
    found = _with_kept(found, drawn.kept.muscles, drawn.annotations.axis)
    if holds_names(case.output):
        everything = _with_kept(found, drawn.kept.not_muscle, drawn.annotations.axis)
        pairs = sorted(zip(drawn.kept.places, everything.segments, strict=True), key=lambda pair: pair[0])
        write_segmentation(case.output, replace(everything, segments=[segment for _, segment in pairs]))
    else:
        found = with_values(found, drawn.values)
        write_segmentation(case.output, found)
    clock.append(time.monotonic())
    summary = _whole(result.summary, drawn, found.segments, case, clock)
    write_json(record_path(case.output), summary)
    if report is not None:
        _write_report(report, job, result.labels, summary)
    return summary


def _with_kept(found: Segmentation, kept: list[MuscleAnnotation], axis: int) -> Segmentation:
    from MusclePropLib.core.segments import Segment, with_segments

    segments = [Segment(its.name, its.color, its.tags) for its in kept]
    return with_segments(found, (its.drawn for its in kept), axis, segments)


def _whole(
    summary: dict[str, Any], drawn: Drawn, segments: list[Segment], case: Case, clock: list[float]
) -> dict[str, Any]:
    """The worker's summary with what a format without tags does not hold, the client's files, seconds and memory.

    `segments` are those of the muscles, then those of the muscles that stay as they are. By its `checksum` it is known
    later whether somebody has corrected the result.
    """
    from MusclePropLib.core.progress import peak_memory_mb

    annotations = drawn.annotations
    start, read, computed, written = clock
    seconds = {"read": read - start, **summary["seconds"], "write": written - computed, "total": written - start}
    memory = {"client": peak_memory_mb(), "worker": summary["peak_memory_mb"]}
    files = {name: str(getattr(case, name).resolve()) for name in ("image", "annotations", "output")}
    known = ({"absent_slices": sorted(muscle.absent)} for muscle in annotations.muscles)
    count = len(annotations.muscles)
    values = [{"value": segment.value} for segment in segments[:count]]
    muscles = [m | k | v for m, k, v in zip(summary["muscles"], known, values, strict=True)]
    told = [{} for _ in drawn.kept.completed] + [{"undrawn": True} for _ in drawn.kept.undrawn]
    source = str(case.annotations)
    kept = [_kept(segment, source) | t for segment, t in zip(segments[count:], told, strict=True)]
    own = {"axis": annotations.axis, "muscles": muscles, "completed": kept}
    own |= {"seconds": seconds, "peak_memory_mb": memory, "checksum": checksum(case.output)}
    return files | summary | own


def _kept(segment: Segment, source: str) -> dict[str, Any]:
    """What the record tells of a muscle that stays as it is: its slices, too, if its tag names them."""
    from MusclePropLib.core.measurements.records import tagged_slices

    own = {"name": segment.name, "value": segment.value}
    if tag := tagged_slices(segment, source):
        own |= {"axis": tag[0], "drawn_slices": sorted(tag[1]), "absent_slices": sorted(tag[2])}
    return own


def _write_report(folder: Path, job: Job, labels: np.ndarray, summary: dict[str, Any]) -> None:
    from MusclePropLib.core.pictures import montage
    from MusclePropLib.jobs.job import read_job

    folder.mkdir(parents=True, exist_ok=True)
    volume, annotations, _ = read_job(job.folder)
    title = Path(volume.source).name
    montage(folder / "montage.png", volume.array, labels, annotations, volume.geometry, None, title, volume.positions)
    write_json(folder / "summary.json", summary)
