"""`muscleprop measure`: volumes and curves of a segmentation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MusclePropLib.commands.common import print_json

if TYPE_CHECKING:
    from MusclePropLib.core.measurements.recording import Recording

HELP = "measure the muscles of a segmentation: volumes, cross-sectional areas, lengths, echo intensity"
EXAMPLE = "muscleprop measure leg-muscles.seg.nrrd --image leg.nrrd --csv > leg.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("segmentation", type=Path, help="result of a propagation, or any .seg.nrrd or label map")
    add_sources(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object, curves included")
    form.add_argument("--csv", action="store_true", help="print one row per muscle, units in the columns' names")


def add_sources(parser: argparse.ArgumentParser) -> None:
    """What a segmentation may be measured with."""
    parser.add_argument(
        "--image", type=Path, help="for echo intensity, and for the true positions of a tracked sweep's frames"
    )
    parser.add_argument(
        "--drawn",
        type=Path,
        metavar="ANNOTATIONS",
        help="the drawn slices, if the segmentation does not say which they are",
    )
    parser.add_argument(
        "--axis",
        choices=("auto", "0", "1", "2"),
        default="auto",
        help="array axis that slices are counted along, 0 the slowest in the file (default: found)",
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print; what is missing goes to stderr."""
    from MusclePropLib.core.measurements.files import measure_file
    from MusclePropLib.core.measurements.tables import as_csv, muscle_rows

    recording = measure_file(args.segmentation, args.image, args.drawn, args.axis)
    for warning in recording.warnings:
        print(f"muscleprop: {warning}", file=sys.stderr)
    if args.json:
        print_json(as_json(recording))
    elif args.csv:
        print(as_csv(muscle_rows(recording)), end="")
    else:
        print(describe(muscle_rows(recording), recording.axis))
    return 0


def as_json(recording: Recording) -> dict[str, Any]:
    """Everything: the rows of `--csv` under "muscles", and one row per muscle and slice under "slices"."""
    from MusclePropLib.core.measurements.tables import muscle_rows, slice_rows

    return {
        "file": recording.source,
        "axis": recording.axis,
        "tracked_positions": recording.tracked,
        "muscles": muscle_rows(recording),
        "slices": list(slice_rows(recording)),
        "warnings": recording.warnings,
    }


def describe(rows: list[Mapping[str, Any]], axis: int = 0) -> str:
    """The figures as a short text; the volumes by spline and cones beside the segmented one of the same range.

    Areas and lengths hang on the `axis` that slices are counted along: it is named unless it is the usual one, 0.
    """
    from MusclePropLib.core.measurements.tables import millilitres

    lines = [
        f"{'muscle':<24}{'volume':>11}{'expected range':>20}{'largest ACSA':>21}{'length':>10}{'echo':>18}",
        *(_line(row) for row in rows),
    ]
    if axis:
        lines.append(f"slices counted along array axis {axis}")
    compared = [row for row in rows if row["spline_volume_ml"] is not None]
    if compared:
        lines += ["", f"{'first to last drawn slice':<24}{'volume':>10}{'spline':>12}{'cones':>12}   drawn slices"]
        lines += [
            f"{row['muscle']:<24}{millilitres(row['volume_between_drawn_ml']):>8} ml"
            f"{millilitres(row['spline_volume_ml']):>9} ml{millilitres(row['cone_volume_ml']):>9} ml"
            f"   {row['drawn_slices']}"
            for row in compared
        ]
    return "\n".join(lines)


def _line(row: Mapping[str, Any]) -> str:
    from MusclePropLib.core.measurements.tables import echo, millilitres, readable

    low, high = row["volume_low_ml"], row["volume_high_ml"]
    between = "-" if low is None else f"{millilitres(low)} to {millilitres(high)} ml"
    grey = echo(row["echo_intensity_mean"], row["echo_intensity_sd"], "SD ") or "-"
    area = f"{readable(row['max_acsa_cm2'], 2)} cm2 at {readable(row['max_acsa_position_mm'], 0)} mm"
    volume = f"{row['muscle']:<24}{millilitres(row['volume_ml']):>8} ml"
    return f"{volume}{between:>20}{area:>21}{readable(row['length_mm'], 0):>7} mm{grey:>18}"
