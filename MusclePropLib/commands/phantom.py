"""`muscleprop phantom`: simulated calves with their true segmentation, to try everything without a patient."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "simulate ultrasound sweeps of calves, with the true segmentation of GM, GL and SOL"
EXAMPLE = "muscleprop phantom -o demo --subjects 3"
_SMALLEST = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder, made if missing")
    parser.add_argument("--subjects", type=int, default=1, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first subject (default: %(default)s)")
    parser.add_argument(
        "--shape",
        type=int,
        nargs=3,
        default=(140, 300, 400),
        metavar=("SLICES", "ROWS", "COLUMNS"),
        help="size of the volumes; they cover the calf whatever their size (default: 140 300 400)",
    )


def run(args: argparse.Namespace) -> int:
    """Write `subject_NNN.nrrd` and `subject_NNN.seg.nrrd` and print each muscle's volume."""
    from MusclePropLib.core.errors import InputError

    if args.subjects < 1 or args.seed < 0:
        raise InputError("phantom: --subjects must be at least 1 and --seed not negative")
    if min(args.shape) < _SMALLEST:
        raise InputError(f"phantom: --shape needs at least {_SMALLEST} slices, rows and columns")
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise InputError(f"{args.output}: the folder cannot be made ({fault.strerror})") from fault
    for number in range(args.subjects):
        print(_write_subject(args.output / f"subject_{number:03d}.nrrd", args.seed + number, tuple(args.shape)))
    return 0


def _write_subject(path: Path, seed: int, shape: tuple[int, int, int]) -> str:
    """Write one subject's two files; returns the line to print."""
    from MusclePropLib.core.defaults import DEFAULT_MUSCLES
    from MusclePropLib.core.phantom import simulate_calf
    from MusclePropLib.core.segmentation import Segment, segmentation_from_labels, write_segmentation
    from MusclePropLib.core.volumes import write_volume

    calf = simulate_calf(seed, shape)
    geometry = calf.volume.geometry
    segments = [Segment(m.name, m.color, {"TerminologyEntry": m.terminology}) for m in DEFAULT_MUSCLES]
    write_volume(path, calf.volume)
    write_segmentation(path.with_suffix(".seg.nrrd"), segmentation_from_labels(calf.labels, geometry, segments))
    sizes = ((calf.labels == value).sum() * geometry.voxel_ml for value in range(1, len(calf.names) + 1))
    volumes = ", ".join(f"{name} {size:.1f} ml" for name, size in zip(calf.names, sizes, strict=True))
    return f"{path}: {volumes}"
