"""`muscleprop export`: a result for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from MusclePropLib.commands.measure import add_sources
from MusclePropLib.core.errors import InputError

HELP = "write a result as surfaces, DICOM SEG, label maps (also for Dafne) or a table of its curves"
EXAMPLE = """muscleprop export leg-muscles.seg.nrrd -o leg.stl leg.nii.gz leg-curves.csv
muscleprop export leg-muscles.seg.nrrd --image dicom-folder -o leg-seg.dcm"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("segmentation", type=Path, help="result of a propagation, or any .seg.nrrd or label map")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        nargs="+",
        metavar="FILE",
        help=".stl, .obj: a surface per muscle (mm, LPS); .dcm: DICOM SEG of the series given with --image; .nii.gz, "
        ".nrrd, .mha: label map and legend, which Dafne reads; .seg.nrrd; .csv: curves, a row per muscle and slice",
    )
    add_sources(parser)


def run(args: argparse.Namespace) -> int:
    """Write every file that is asked for, after all names have been checked."""
    from MusclePropLib.core.measurements.files import read_inputs
    from MusclePropLib.exchange.export import ending, export

    inputs = {p.resolve() for p in (args.segmentation, args.image, args.drawn) if p is not None}
    for path in args.output:
        ending(path)
        if path.resolve() in inputs:
            raise InputError(f"{path}: the output would overwrite an input")
    given = read_inputs(args.segmentation, args.image, args.drawn, args.axis)
    for path in args.output:
        for written in export(path, given.segmentation, lambda: given.measure(args.axis), given.volume):
            print(written)
    return 0
