"""Propagation of files behind one warm worker; what `propagate`, `batch` and `demo` share."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MusclePropLib.commands._case import Case, Drawn, read_drawn
from MusclePropLib.commands._handover import check_record, handed_over
from MusclePropLib.commands.common import (
    CommandFailed,
    check_folder,
    check_holds,
    check_output,
    check_seed,
    check_time_limit,
    holds_names,
)
from MusclePropLib.core.errors import InputError
from MusclePropLib.jobs.channel import PipeChannel
from MusclePropLib.jobs.protocol import Event, log
from MusclePropLib.jobs.runner import Runner, run_to_end

if TYPE_CHECKING:
    from MusclePropLib.core.volumes import Volume
    from MusclePropLib.jobs.job import Job

CLOSING_SECONDS = 5.0
DENSE = 20  # so many slices in a row are seldom drawn by hand, of every muscle


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
            return handed_over(job, drawn, case, clock, report)

    def _write_job(self, case: Case, on_event: Callable[[Event], None]) -> tuple[Job, Drawn]:
        """The job on disk and what it was made of, but for the volume, whose grid is the one stored.

        Never holds the volume and all labels at once.
        """
        from MusclePropLib.core.completed import closed_to_others
        from MusclePropLib.core.volumes import read_volume
        from MusclePropLib.jobs.job import write_job

        drawn = read_drawn(case, self._axis)
        volume = read_volume(case.image)
        if volume.header is not None:
            on_event(log(_two_grids(volume), "warning"))
        as_asked = self._axis in ("auto", str(drawn.annotations.axis))
        if not as_asked or not drawn.geometry.matches(volume.geometry):  # Slicer stores only the part with segments
            drawn = read_drawn(case, self._axis, volume)
        annotations = drawn.annotations
        everything = replace(annotations, muscles=[*annotations.muscles, *drawn.kept.muscles])
        check_holds(case.output, everything, case.annotations)
        for sentence in _remarks(case, drawn):
            on_event(log(sentence, "warning"))
        # Two raters' drawings of one volume are two cases: neither may learn from the other.
        known = closed_to_others(annotations, drawn.kept.muscles)
        job = write_job(volume.along(annotations.axis), known, self._settings, afresh=True)
        return job, drawn._replace(geometry=volume.geometry)


def _remarks(case: Case, drawn: Drawn) -> Iterator[str]:
    """Sentences about what is drawn that whoever drew it may not expect."""
    from MusclePropLib.core.annotations import NOT_MUSCLE
    from MusclePropLib.core.segmentation import SEG_NRRD

    if drawn.annotations.not_muscle and not holds_names(case.output):
        yield f"{case.output}: '{NOT_MUSCLE}' is not kept, which only a {SEG_NRRD} can hold"
    if drawn.kept.undrawn:
        names = ", ".join(muscle.name for muscle in drawn.kept.undrawn)
        yield f"{case.annotations}: not drawn on any slice, left as it is: {names}"
    slices = [muscle.drawn_slices for muscle in drawn.annotations.muscles]
    if all(len(own) > DENSE and len(own) == own[-1] - own[0] + 1 for own in slices):
        yield f"{case.annotations}: no muscle has a gap between its drawn slices; is this a whole segmentation?"


def _two_grids(volume: Volume) -> str:
    """The result is in true mm, so that it can be measured without its image; others know the header's grid only."""
    poses, header = (" x ".join(f"{mm:.3g}" for mm in grid.spacing[1:]) for grid in (volume.geometry, volume.header))
    said = f"{volume.source}: its poses give pixels of {poses} mm, its header {header} mm"
    return f"{said}; the result has the poses' grid, and programs that go by the header do not show it on the image"


def _judge(final: Event) -> None:
    """Raise unless the job's final event is a result."""
    if final.name == "cancelled":
        raise KeyboardInterrupt
    if final.name == "failed":
        message, details = final.data["message"], final.data["details"]
        if final.data.get("kind") == "input":
            raise InputError(message)
        raise CommandFailed(f"{message}\n{details}".strip())
