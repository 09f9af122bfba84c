"""Propagation of files behind one warm worker; what `propagate`, `batch` and `demo` share."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from MusclePropLib.commands.common import (
    CommandFailed,
    check_folder,
    check_holds,
    check_output,
    check_seed,
    check_time_limit,
    holds_names,
    write_json,
)
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import checksum
from MusclePropLib.jobs.channel import PipeChannel
from MusclePropLib.jobs.protocol import Event, log
from MusclePropLib.jobs.runner import Runner, run_to_end

if TYPE_CHECKING:
    import numpy as np

    from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
    from MusclePropLib.core.completed import Kept
    from MusclePropLib.core.geometry import Geometry
    from MusclePropLib.core.segments import Segment, Segmentation
    from MusclePropLib.core.volumes import Volume
    from MusclePropLib.jobs.job import Job

CLOSING_SECONDS = 5.0


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


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The options of a propagation."""
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto, the fastest that is there)"
    )
    parser.add_argument(
        "--weights", default="bundled", metavar="bundled|none|FILE", help="pretrained weights (default: bundled)"
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        default=100.0,
        metavar="S",
        help="seconds for computing; the best result so far is kept (default: %(default)g)",
    )
    parser.add_argument(
        "--method",
        choices=("auto", "network", "interpolation"),
        default="auto",
        help="auto takes for each muscle what it estimates to be best (default)",
    )
    parser.add_argument(
        "--axis",
        choices=("auto", "0", "1", "2"),
        default="auto",
        help="axis of the volume's array across which slices are drawn, 0 the slowest in the file (default: found)",
    )
    parser.add_argument("--seed", type=int, default=0, help="for the same result again on a CPU (default: %(default)s)")


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """The options that `add_settings` declared, checked; InputError if one is unusable.

    A device or a file of weights that only somebody's own machine or training can have is tried here, and not when
    half is computed.
    """
    from MusclePropLib.core.outcome import BUNDLED, NO_WEIGHTS, Settings

    check_seed(args.seed)
    check_time_limit(args.time_limit)
    if args.device not in ("auto", "cpu"):
        from MusclePropLib.core.device import check_device

        check_device(args.device)
    if args.weights not in (BUNDLED, NO_WEIGHTS):
        args.weights = str(Path(args.weights).resolve())
        if not Path(args.weights).is_file():
            raise InputError(f"{args.weights}: no such file of weights")
        from MusclePropLib.core.guided.bundled import pretrained

        pretrained(args.weights, args.seed)
    return asdict(Settings(**{field.name: getattr(args, field.name) for field in fields(Settings)}))


class Session:
    """One worker for one case after the other, started with the first and kept warm. Use in a `with` statement.

    Each case begins from the pretrained network: its result does not depend on the cases before it.
    """

    def __init__(self, settings: Mapping[str, Any], axis: str = "auto") -> None:
        self._settings = settings
        self._axis = axis
        self._channel = PipeChannel()
        self._runner = Runner(self._channel)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()
        self._channel.wait(CLOSING_SECONDS)

    def propagate(self, case: Case, on_event: Callable[[Event], None], report: Path | None = None) -> dict[str, Any]:
        """Read, compute, write `case.output`, its record NAME.json (and a report); returns the summary.

        Raises InputError for unusable input, CommandFailed if the computation fails, KeyboardInterrupt after Ctrl-C.
        """
        check_output(case.output, (case.image, case.annotations))
        check_record(case.output)
        if report is not None:
            check_folder(report)
        clock = [time.monotonic()]
        job, drawn = self._write_job(case, on_event)
        with job:
            clock.append(time.monotonic())
            _judge(run_to_end(self._runner, job, on_event))
            clock.append(time.monotonic())
            return _handed_over(job, drawn, case, clock, report)

    def _write_job(self, case: Case, on_event: Callable[[Event], None]) -> tuple[Job, Drawn]:
        """The job on disk and what it was made of, but for the volume, whose grid is the one stored.

        Never holds the volume and all labels at once.
        """
        from MusclePropLib.core.annotations import NOT_MUSCLE
        from MusclePropLib.core.completed import closed_to_others
        from MusclePropLib.core.segmentation import SEG_NRRD
        from MusclePropLib.core.volumes import read_volume
        from MusclePropLib.jobs.job import write_job

        drawn = self._read_drawn(case)
        volume = read_volume(case.image)
        if volume.header is not None:
            on_event(log(_two_grids(volume), "warning"))
        as_asked = self._axis in ("auto", str(drawn.annotations.axis))
        if not as_asked or not drawn.geometry.matches(volume.geometry):  # Slicer stores only the part with segments
            drawn = self._read_drawn(case, volume)
        annotations = drawn.annotations
        everything = replace(annotations, muscles=[*annotations.muscles, *drawn.kept.muscles])
        check_holds(case.output, everything, case.annotations)
        if annotations.not_muscle and not holds_names(case.output):
            on_event(log(f"{case.output}: '{NOT_MUSCLE}' is not kept, which only a {SEG_NRRD} can hold", "warning"))
        if drawn.kept.undrawn:
            names = ", ".join(muscle.name for muscle in drawn.kept.undrawn)
            on_event(log(f"{case.annotations}: not drawn on any slice, left as it is: {names}", "warning"))
        # Two raters' drawings of one volume are two cases: neither may learn from the other.
        known = closed_to_others(annotations, drawn.kept.muscles)
        job = write_job(volume.along(annotations.axis), known, self._settings, afresh=True)
        return job, drawn._replace(geometry=volume.geometry)

    def _read_drawn(self, case: Case, volume: Volume | None = None) -> Drawn:
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
        axis = "auto" if tagged and volume is None else self._axis
        annotations = annotations_from_segmentation(under_work, axis, str(case.annotations))
        kept = kept_segments(drawn, annotations.axis)
        values = values_of(drawn, (muscle.name for muscle in [*annotations.muscles, *kept.muscles]))
        return Drawn(annotations, kept, drawn.geometry, values)


def _check_states(drawn: Segmentation, path: Path) -> None:
    """InputError for a result in a format without tags: all that was filled would count as drawn."""
    from MusclePropLib.core.annotations import SLICES_TAG
    from MusclePropLib.core.measurements.records import read_record, record_path
    from MusclePropLib.core.segmentation import SEG_NRRD

    if read_record(path) and not any(SLICES_TAG in segment.tags for segment in drawn.segments):
        said = "which does not tell drawn slices from filled ones"
        raise InputError(f"{path}: by {record_path(path).name} a result, {said}; go on from one as {SEG_NRRD}")


def _two_grids(volume: Volume) -> str:
    """The result is in true mm, so that it can be measured without its image; others know the header's grid only."""
    poses, header = (" x ".join(f"{mm:.3g}" for mm in grid.spacing[1:]) for grid in (volume.geometry, volume.header))
    said = f"{volume.source}: its poses give pixels of {poses} mm, its header {header} mm"
    return f"{said}; the result has the poses' grid, and programs that go by the header do not show it on the image"


def _handed_over(job: Job, drawn: Drawn, case: Case, clock: list[float], report: Path | None) -> dict[str, Any]:
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


def _judge(final: Event) -> None:
    """Raise unless the job's final event is a result."""
    if final.name == "cancelled":
        raise KeyboardInterrupt
    if final.name == "failed":
        message, details = final.data["message"], final.data["details"]
        if final.data.get("kind") == "input":
            raise InputError(message)
        raise CommandFailed(f"{message}\n{details}".strip())


def check_record(output: Path) -> None:
    """InputError if the result's record, NAME.json, would overwrite a file that is no such record, or another's."""
    from MusclePropLib.core.measurements.records import another_result, read_summary, record_path

    path = record_path(output)
    summary = read_summary(path)
    if path.exists() and not summary:
        raise InputError(f"{path}: the record of {output.name} would overwrite this file")
    if other := another_result(output, summary):
        raise InputError(f"{path}: the record of {output.name} would overwrite that of {other.name}")


def _whole(
    summary: dict[str, Any], drawn: Drawn, segments: list[Segment], case: Case, clock: list[float]
) -> dict[str, Any]:
    """The worker's summary with what a format without tags does not hold, the client's files, seconds and memory.

    `segments` are those of the muscles, then those of the muscles that stay as they are. By its `checksum` it is known
    later whether somebody has corrected the result.
    """
    annotations = drawn.annotations
    start, read, computed, written = clock
    seconds = {"read": read - start, **summary["seconds"], "write": written - computed, "total": written - start}
    from MusclePropLib.core.progress import peak_memory_mb

    memory = {"client": peak_memory_mb(), "worker": summary["peak_memory_mb"]}
    files = {name: str(getattr(case, name).resolve()) for name in ("image", "annotations", "output")}
    known = ({"absent_slices": sorted(muscle.absent)} for muscle in annotations.muscles)
    count = len(annotations.muscles)
    values = [{"value": segment.value} for segment in segments[:count]]
    muscles = [m | k | v for m, k, v in zip(summary["muscles"], known, values, strict=True)]
    told = [{} for _ in drawn.kept.completed] + [{"undrawn": True} for _ in drawn.kept.undrawn]
    source = str(case.annotations)
    kept = [_completed(segment, source) | t for segment, t in zip(segments[count:], told, strict=True)]
    own = {"axis": annotations.axis, "muscles": muscles, "completed": kept}
    own |= {"seconds": seconds, "peak_memory_mb": memory, "checksum": checksum(case.output)}
    return files | summary | own


def _completed(segment: Segment, source: str) -> dict[str, Any]:
    """What the record tells of a completed muscle: its slices, too, if its tag names them."""
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
