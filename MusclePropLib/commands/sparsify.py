"""`muscleprop sparsify`: from a complete segmentation the few slices that an expert would have drawn."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from MusclePropLib.core.annotations import Annotations
    from MusclePropLib.core.segmentation import Segmentation

HELP = "leave only a few drawn slices of a complete segmentation, to try propagation where the truth is known"
EXAMPLE = "muscleprop sparsify labels.nrrd -o annotations.seg.nrrd --slices 5 --incomplete 0.3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("labels", type=Path, help="complete segmentation: .seg.nrrd or a label map")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="file for what stays drawn: .seg.nrrd, or a label map, which has the values of the input's (.nii.gz ...)",
    )
    parser.add_argument("--slices", type=int, default=5, help="drawn slices of each muscle (default: %(default)s)")
    parser.add_argument(
        "--incomplete",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="also leave out this share of the drawn slices, muscle by muscle at random (default: none)",
    )
    parser.add_argument("--seed", type=int, default=0, help="for --incomplete (default: %(default)s)")
    parser.add_argument(
        "--axis",
        choices=("auto", "0", "1", "2"),
        default="auto",
        help="array axis across which slices are drawn, 0 the slowest in the file (default: found)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the sparse annotations and print which slices stay drawn."""
    import numpy as np

    from MusclePropLib.commands.common import check_output, check_seed
    from MusclePropLib.core.completed import reopened
    from MusclePropLib.core.measurements.files import read_result
    from MusclePropLib.core.segmentation import annotations_from_segmentation, write_segmentation
    from MusclePropLib.core.sparsify import equally_spaced, incomplete

    check_seed(args.seed)
    check_output(args.output, [args.labels])
    labels = read_result(args.labels)
    sparse = annotations_from_segmentation(labels, args.axis, pick=lambda filled: equally_spaced(filled, args.slices))
    sparse = reopened(incomplete(sparse, args.incomplete, np.random.default_rng(args.seed)))
    write_segmentation(args.output, _as_output(sparse, labels, args.output))
    for muscle in sparse.muscles:
        print(f"{muscle.name}: slices {', '.join(map(str, muscle.drawn_slices))}")
    print(f"{args.output}: drawn across array axis {sparse.axis}")
    return 0


def _as_output(sparse: Annotations, labels: Segmentation, output: Path) -> Segmentation:
    """What stays drawn of `labels`; for a plain label map with their values, all that tells muscles apart there.

    InputError if such a map cannot hold it.
    """
    from MusclePropLib.commands.common import check_holds, holds_names
    from MusclePropLib.core.annotations import NOT_MUSCLE
    from MusclePropLib.core.errors import InputError
    from MusclePropLib.core.segmentation import SEG_NRRD, segmentation_from_annotations
    from MusclePropLib.core.segments import values_of, with_values

    kept = segmentation_from_annotations(sparse, labels.geometry)
    if holds_names(output):
        return kept
    check_holds(output, sparse, Path(labels.source))
    if sparse.not_muscle:
        raise InputError(f"{labels.source}: holds '{NOT_MUSCLE}', which only a {SEG_NRRD} can hold as output")
    return with_values(kept, values_of(labels, (muscle.name for muscle in sparse.muscles)))
