"""`muscleprop evaluate`: a segmentation scored against a reference, on the slices that were not drawn."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from MusclePropLib.commands.common import print_json

if TYPE_CHECKING:
    import numpy as np

    from MusclePropLib.core.comparison import Comparison
    from MusclePropLib.core.geometry import Geometry
    from MusclePropLib.core.metrics import Scores
    from MusclePropLib.core.segmentation import Segmentation

HELP = "score a segmentation against a reference, leaving out the drawn slices"
EXAMPLE = "muscleprop evaluate leg-muscles.seg.nrrd leg-reference.seg.nrrd"

COLUMNS = (
    ("Dice", "dice", ".3f"),
    ("IoU", "iou", ".3f"),
    ("HD95 mm", "hd95_mm", ".2f"),
    ("ASSD mm", "assd_mm", ".2f"),
    ("sDice 1mm", "surface_dice_1mm", ".3f"),
    ("sDice 2mm", "surface_dice_2mm", ".3f"),
    ("volume ml", "volume_error_ml", "+.2f"),
    ("volume %", "volume_error_percent", "+.1f"),
    ("muscle %", "muscle_error_percent", "+.1f"),
    ("area mm2", "area_error_mm2", ".1f"),
    ("area %", "area_error_percent", ".1f"),
)
LEGEND = """volume: error on the scored slices; muscle: the same error in per cent of the whole muscle's volume;
area: mean absolute error of the cross-sectional area, and in per cent of the largest; sDice: surface Dice."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("prediction", type=Path, help="segmentation to score: .seg.nrrd or a label map")
    parser.add_argument(
        "reference",
        type=Path,
        help="the truth, on the same grid or one aligned with it; what is predicted beyond a cropped one is wrong",
    )
    parser.add_argument(
        "--drawn",
        type=Path,
        metavar="ANNOTATIONS",
        help="what was drawn: these slices do not count, each muscle's own (default: as the prediction's tags, or "
        "NAME.json beside it, say)",
    )
    parser.add_argument(
        "--image", type=Path, help="the volume, for the true distances of tracked frames (default: as recorded)"
    )
    parser.add_argument(
        "--axis",
        choices=("auto", "0", "1", "2"),
        default="auto",
        help="array axis across which slices count, 0 the slowest in the file (default: that of the drawing, else 0)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Match the segments by name or label value, score them, print. The records beside results are read, too."""
    from MusclePropLib.core.comparison import common_grid, compare
    from MusclePropLib.core.errors import InputError
    from MusclePropLib.core.measurements.files import read_result
    from MusclePropLib.core.measurements.placed import on_grid
    from MusclePropLib.core.volumes import read_volume

    prediction, reference = read_result(args.prediction), read_result(args.reference)
    drawn = read_result(args.drawn) if args.drawn else None
    axis = None if args.axis == "auto" else int(args.axis)
    if not any(layer.any() for layer in reference.layers):
        raise InputError(f"{reference.source}: every segment is empty; there is nothing to score against")
    if args.image is None:
        positions = _recorded_positions(prediction, common_grid(reference, prediction, drawn), args.axis)
    else:
        volume = read_volume(args.image)
        prediction, reference, drawn = (given and on_grid(given, volume) for given in (prediction, reference, drawn))
        positions = volume.positions
    found = compare(prediction, reference, drawn, axis, positions)
    if args.json:
        print_json(_record(found))
    else:
        print(describe(found))
    return 0


def describe(found: Comparison) -> str:
    """The comparison as a table."""
    width = max(len("muscle"), *(len(name) for name in found.scores))
    lines = ["muscle".ljust(width) + " slices" + "".join(f"{title:>11}" for title, *_ in COLUMNS)]
    lines += [name.ljust(width) + f"{s.slices:>7}" + "".join(_cells(s)) for name, s in found.scores.items()]
    notes = (
        (found.missing, "not in the prediction, scored as empty"),
        (found.extra, "only in the prediction, not scored"),
        (found.all_slices, "nothing tells drawn slices from others, so that all count"),
    )
    return "\n".join([*lines, LEGEND, *(f"{', '.join(names)}: {text}" for names, text in notes if names)])


def _cells(scores: Scores) -> list[str]:
    values = scores.to_json()
    return [f"{'-' if values[key] is None else format(values[key], form):>11}" for _, key, form in COLUMNS]


def _record(found: Comparison) -> dict[str, object]:
    return {
        "muscles": {name: scores.to_json() for name, scores in found.scores.items()},
        "missing": list(found.missing),
        "extra": list(found.extra),
        "all_slices": list(found.all_slices),
    }


def _recorded_positions(prediction: Segmentation, whole: Geometry, axis: str) -> np.ndarray | None:
    """Positions in mm that the propagation recorded for the frames, array axis 0 of the grid `whole`; None without."""
    from MusclePropLib.core.measurements.placed import place

    if not prediction.geometry.matches(whole):
        return None
    placed = place(prediction, axis=axis)
    return placed.stack.positions if placed.tracked and placed.axis == 0 else None
