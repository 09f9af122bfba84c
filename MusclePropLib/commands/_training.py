"""What the commands that train have in common: their arguments and the events that they show."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from MusclePropLib.commands.common import Progress
from MusclePropLib.core.errors import InputError
from MusclePropLib.jobs.protocol import Event

if TYPE_CHECKING:
    from MusclePropLib.core.cohort.settings import FitSettings


def add_training_arguments(parser: argparse.ArgumentParser, **usual: object) -> None:
    """Declare the arguments that `settings_of` reads; `usual` are other defaults than those of a full training."""
    frames = parser.add_argument_group("frames and clips")
    frames.add_argument("--size", default="128x160", metavar="RxC", help="rows x columns of a frame (%(default)s)")
    frames.add_argument("--spacing", type=float, default=0.8, metavar="MM", help="its pixel size in mm (%(default)s)")
    frames.add_argument("--slices", type=int, default=12, help="slices of a clip (%(default)s)")
    frames.add_argument(
        "--slice-spacing", type=float, default=1.0, metavar="MM", help="about how far apart they are (%(default)s)"
    )
    frames.add_argument("--axis", choices=("auto", "0", "1", "2"), default="auto", help="slice axis in the file")
    frames.add_argument(
        "--complete", action="store_true", help="the label maps are finished: an empty slice means absent, not unknown"
    )
    frames.add_argument("--subject", metavar="REGEX", help="where the subject stands in a case's name")
    training = parser.add_argument_group("training")
    training.add_argument("--base-maps", type=int, default=16, help="feature maps of the first level (%(default)s)")
    training.add_argument("--levels", type=int, default=5, help="levels of the network (%(default)s)")
    training.add_argument("--clips", type=int, default=1, help="clips per step, over all processes (%(default)s)")
    training.add_argument("--epochs", type=int, default=60, help="most passes over the training slices (%(default)s)")
    training.add_argument("--steps", type=int, default=0, help="most steps, instead of --epochs")
    training.add_argument("--validate-every", type=int, default=0, metavar="STEPS", help="(default: each pass)")
    training.add_argument(
        "--patience", type=int, default=12, help="stop after so many validations without a better one (%(default)s)"
    )
    training.add_argument("--learning-rate", type=float, default=1e-3, help="of the segmentation (%(default)s)")
    training.add_argument(
        "--reconstruction", type=float, default=0.3, help="share of it for the reconstruction (%(default)s)"
    )
    training.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (%(default)s)")
    parser.set_defaults(**usual)


def settings_of(args: argparse.Namespace, **own: object) -> FitSettings:
    """The settings that the arguments stand for, with those that only one command has in `own`."""
    from MusclePropLib.core.cohort.frames import FrameGrid
    from MusclePropLib.core.cohort.prepared import Reading
    from MusclePropLib.core.cohort.settings import FitSettings

    rows, columns = _size(args.size)
    if not (0 < args.spacing < math.inf and 0 < args.slice_spacing < math.inf):
        raise InputError("--spacing and --slice-spacing must be numbers above 0 mm")
    names = own.pop("names", ())
    axis = None if args.axis == "auto" else int(args.axis)
    same = ("base_maps", "levels", "slices", "clips", "epochs", "steps", "validate_every", "patience")
    same += ("learning_rate", "reconstruction", "device")
    return FitSettings(
        reading=Reading(FrameGrid(args.spacing, rows, columns), axis, args.complete, names),
        spacing=args.slice_spacing,
        **{name: getattr(args, name) for name in same},
        **own,
    )


def shown_by(progress: Progress) -> Callable[[dict], None]:
    """A callback for events as dicts."""
    return lambda event: progress(Event(event["event"], data=event))


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found or min(int(n) for n in found.groups()) < 8:
        raise InputError(f"--size {text}: rows x columns such as 128x160 are needed, at least 8x8")
    return int(found[1]), int(found[2])
