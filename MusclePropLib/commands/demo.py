"""`muscleprop demo`: all of it once, on a simulated calf whose true muscles are known."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from MusclePropLib.commands._case import Case
from MusclePropLib.commands._session import Session
from MusclePropLib.commands.common import Progress, check_folder, check_seed, check_time_limit, print_json, write_json

if TYPE_CHECKING:
    import numpy as np

    from MusclePropLib.core.annotations import Annotations
    from MusclePropLib.core.segments import Segmentation
    from MusclePropLib.core.volumes import Volume

HELP = "simulate a calf, draw a few slices, propagate, and compare with the truth and with other methods"
EXAMPLE = "muscleprop demo -o demo"

SHAPE = (100, 210, 280)  # slices, rows, columns
LEFT_OUT = 0.2  # of the drawn slices, so that not every muscle is drawn on every slice
RIVALS = ("flow", "fill", "interpolation", "area-spline")


@dataclass
class Row:
    """One method's figures, muscle by muscle: Dice on the slices that were not drawn, volume and its error."""

    title: str
    seconds: float | None = None
    dice: list[float] = field(default_factory=list)
    volume_ml: list[float] = field(default_factory=list)
    error_percent: list[float] = field(default_factory=list)
    fault: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--slices", type=int, default=5, help="drawn slices of each muscle (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="which simulated leg (default: %(default)s)")
    parser.add_argument(
        "--time-limit", type=float, default=90.0, metavar="S", help="seconds for propagating (default: %(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Simulate, draw, propagate, compare, show."""
    check_seed(args.seed)
    check_time_limit(args.time_limit)
    check_folder(args.output)
    args.output.mkdir(parents=True, exist_ok=True)
    say: Callable[..., None] = (lambda text: None) if args.json else (lambda text: print(text, flush=True))

    say("1/4  Simulating an ultrasound sweep of a calf: gastrocnemius medialis (GM) and lateralis (GL), soleus (SOL)")
    volume, truth = _simulate(args.seed, args.output)
    less = ", and leaving out a fifth of that" if _left_out(args.slices) else ""
    say(f"2/4  Drawing each muscle on {args.slices} slices at most{less}")
    annotations = _draw(truth, args.slices, args.seed, args.output)
    for muscle in annotations.muscles:
        say(f"       {muscle.name:<4} on slices {', '.join(map(str, muscle.drawn_slices))} of {len(volume.array)}")
    say(f"3/4  Propagating, for at most {args.time_limit:g} s")
    own, summary = _propagate(args, annotations, truth)
    say("4/4  The same with what is used today")
    rows = [own, *(_rival(name, volume, annotations, truth) for name in RIVALS)]

    _picture(args.output, volume, annotations, truth, own)
    write_json(args.output / "demo.json", {"methods": [vars(row) for row in rows], "propagation": summary})
    if args.json:
        print_json({"methods": [vars(row) for row in rows], "propagation": summary})
    say("\n" + table(rows, [m.name for m in annotations.muscles], _volumes(truth)))
    say(f"\nLook at {args.output / 'montage.png'}; open {args.output / 'calf.nrrd'} and {args.output / 'out.seg.nrrd'}")
    say("in 3D Slicer (drag both into its window). A page to keep or hand on:")
    say(f"  {Path(sys.executable).with_name('muscleprop')} report {args.output / 'out.seg.nrrd'} -o report.html")
    return 0


def table(rows: Sequence[Row], muscles: Sequence[str], truth_ml: Sequence[float]) -> str:
    """The comparison as text."""
    dice_wide, volume_wide = 7 * len(muscles), 17 * len(muscles)
    lines = [
        f"{'':<30}{'Dice where not drawn':>{dice_wide}}{'volume in ml (error)':>{volume_wide}}",
        f"{'':<30}" + "".join(f"{name:>7}" for name in muscles) + "".join(f"{name:>17}" for name in muscles),
        f"{'Truth':<30}{'':{dice_wide}}" + "".join(f"{ml:>8.1f}{'':9}" for ml in truth_ml),
    ]
    for row in rows:
        if row.fault:
            lines.append(f"{row.title:<30}{row.fault}")
            continue
        dice = "".join(f"{d:>7.2f}" for d in row.dice).ljust(dice_wide)
        pairs = zip(row.volume_ml, row.error_percent, strict=True)
        volumes = "".join(f"{ml:>8.1f} ({error:+.1f} %)".ljust(17) for ml, error in pairs)
        lines.append(f"{row.title:<30}{dice}{volumes}{row.seconds:>6.0f} s")
    return "\n".join(lines)


def _simulate(seed: int, folder: Path) -> tuple[Volume, Segmentation]:
    from MusclePropLib.core.defaults import default_for_name
    from MusclePropLib.core.phantom.calf import simulate_calf
    from MusclePropLib.core.segmentation import Segment, segmentation_from_labels, write_segmentation
    from MusclePropLib.core.volumes import write_volume

    calf = simulate_calf(seed, SHAPE)
    muscles = [default_for_name(name) for name in calf.names]
    segments = [Segment(m.name, m.color, {"TerminologyEntry": m.terminology}) for m in muscles]
    truth = segmentation_from_labels(calf.labels, calf.volume.geometry, segments)
    write_volume(folder / "calf.nrrd", calf.volume)
    write_segmentation(folder / "calf-truth.seg.nrrd", truth)
    return calf.volume, truth


def _draw(truth: Segmentation, slices: int, seed: int, folder: Path) -> Annotations:
    import numpy as np

    from MusclePropLib.core import sparsify
    from MusclePropLib.core.segmentation import (
        annotations_from_segmentation,
        segmentation_from_annotations,
        write_segmentation,
    )

    drawn = annotations_from_segmentation(truth, 0, pick=lambda filled: sparsify.equally_spaced(filled, slices))
    drawn = sparsify.incomplete(drawn, _left_out(slices), np.random.default_rng(seed))
    write_segmentation(folder / "calf-annotations.seg.nrrd", segmentation_from_annotations(drawn, truth.geometry))
    return drawn


def _left_out(slices: int) -> float:
    """The share of the drawn slices to leave out; nothing where every muscle has to keep what it has."""
    from MusclePropLib.core.sparsify import LEAST

    return LEFT_OUT if slices > LEAST else 0.0


def _propagate(args: argparse.Namespace, annotations: Annotations, truth: Segmentation) -> tuple[Row, dict]:
    from MusclePropLib.core.outcome import Settings
    from MusclePropLib.core.segmentation import read_segmentation

    folder = args.output
    case = Case(folder / "calf.nrrd", folder / "calf-annotations.seg.nrrd", folder / "out.seg.nrrd")
    with Session(vars(Settings(time_limit=args.time_limit))) as session, Progress("       ") as progress:
        summary = session.propagate(case, progress)
    written = read_segmentation(case.output)
    masks = [written.mask(index) for index in range(len(written.segments))]
    return _scored(Row("MuscleProp", summary["seconds"]["total"]), masks, annotations, truth), summary


def _rival(name: str, volume: Volume, annotations: Annotations, truth: Segmentation) -> Row:
    from MusclePropLib.core.rivals import RivalFailed, RivalUnavailable, masks_of, rival_named, volumes_of

    rival = rival_named(name)
    row, began = Row(rival.title), time.monotonic()
    try:
        if rival.volumes_only:
            row.volume_ml = volumes_of(rival, volume, annotations)
            row.error_percent = [_percent(a, b) for a, b in zip(row.volume_ml, _volumes(truth), strict=True)]
        else:
            masks = masks_of(rival, volume, annotations)
    except (RivalUnavailable, RivalFailed) as fault:
        row.fault = str(fault)
        return row
    row.seconds = time.monotonic() - began
    return row if rival.volumes_only else _scored(row, masks, annotations, truth)


def _scored(row: Row, masks: Sequence[np.ndarray], annotations: Annotations, truth: Segmentation) -> Row:
    from MusclePropLib.core.metrics import score

    for index, (mask, muscle) in enumerate(zip(masks, annotations.muscles, strict=True)):
        scores = score(mask, truth.mask(index), truth.geometry, exclude=muscle.drawn_slices)
        row.dice.append(scores.dice)
        row.volume_ml.append(float(mask.sum()) * truth.geometry.voxel_ml)
        row.error_percent.append(_percent(row.volume_ml[-1], _volumes(truth)[index]))
    return row


def _volumes(truth: Segmentation) -> list[float]:
    counts = (int((truth.layers[s.layer] == s.value).sum()) for s in truth.segments)
    return [count * truth.geometry.voxel_ml for count in counts]


def _percent(value: float, of: float) -> float:
    return 100.0 * (value - of) / of


def _picture(folder: Path, volume: Volume, annotations: Annotations, truth: Segmentation, own: Row) -> None:
    from MusclePropLib.core.pictures import montage
    from MusclePropLib.core.segmentation import read_segmentation

    labels = read_segmentation(folder / "out.seg.nrrd").layers[0]
    names = [f"{m.name} {dice:.2f}" for m, dice in zip(annotations.muscles, own.dice, strict=True)]
    title = f"Simulated calf, Dice on the slices that were not drawn: {', '.join(names)}"
    montage(folder / "montage.png", volume.array, labels, annotations, volume.geometry, truth.layers[0], title)
