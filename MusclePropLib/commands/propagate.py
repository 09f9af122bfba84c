"""`muscleprop propagate`: one volume and a few drawn slices in, the propagated segmentation out."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MusclePropLib.commands._case import Case
from MusclePropLib.commands._session import Session, add_settings, settings_of
from MusclePropLib.commands.common import Progress, check_output, print_json

HELP = "propagate the drawn slices of one volume through all of it"
EXAMPLE = "muscleprop propagate leg.nrrd leg-annotations.seg.nrrd -o leg-muscles.seg.nrrd --report report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("image", type=Path, help="volume: .nrrd, .nii.gz, .mha, a DICOM folder, a tracked sequence")
    parser.add_argument(
        "annotations",
        type=Path,
        help=".seg.nrrd or a plain label map on the same grid, empty but for the drawn slices; segments that have the "
        "status Completed in Slicer, or are drawn on no slice, stay as they are, and nothing grows into them",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="result: .seg.nrrd, .nii.gz, .nrrd or .mha; beside it NAME.json, the record of how it came about",
    )
    add_settings(parser)
    parser.add_argument("--report", type=Path, metavar="DIR", help="also write montage.png and summary.json there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Propagate, write the result, print what came of it."""
    settings = settings_of(args)
    check_output(args.output, (args.image, args.annotations))
    case = Case(args.image, args.annotations, args.output)
    with Session(settings, args.axis) as session, Progress() as progress:
        summary = session.propagate(case, progress, args.report)
    if args.json:
        print_json(summary)
    else:
        print(describe(summary))
    return 0


def describe(summary: Mapping[str, Any]) -> str:
    """The summary of a propagation as a short text."""
    from MusclePropLib.core.measurements.tables import millilitres, spans

    names, methods = (
        max(usual, 2 + max(len(m[key]) for m in summary["muscles"])) for key, usual in (("name", 24), ("method", 16))
    )
    drawn = f"slices drawn across axis {summary['axis']}"
    lines = [f"{'muscle':<{names}}{'volume':>10}{'expected Dice':>15}  {'method':<{methods}}{drawn}"]
    for muscle in summary["muscles"]:
        estimate = muscle["estimate"]
        expected = "-" if estimate is None else f"{estimate:.2f}"
        lines.append(
            f"{muscle['name']:<{names}}{millilitres(muscle['volume_ml']):>7} ml{expected:>15}  "
            f"{muscle['method']:<{methods}}{spans(muscle['drawn_slices'])}"
        )
    if completed := [muscle["name"] for muscle in summary.get("completed", ()) if not muscle.get("undrawn")]:
        lines.append(f"Completed, and left as it was: {', '.join(completed)}.")
    if summary.get("next_slice") is not None:
        lines.append(f"Draw slice {summary['next_slice']} next: there the result is most uncertain.")
    lines.append(f"{summary['output']} written after {summary['seconds']['total']:.0f} s.")
    return "\n".join(lines)
