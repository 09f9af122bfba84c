"""`muscleprop train`: a network from a folder of partially annotated volumes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from MusclePropLib.commands._training import add_training_arguments, settings_of, shown_by
from MusclePropLib.commands.common import Progress, check_seed, check_weights_name, print_json, write_json
from MusclePropLib.core.errors import InputError

if TYPE_CHECKING:
    from MusclePropLib.core.cohort.cases import Split

HELP = "train a network on a folder of partially annotated volumes"
EXAMPLE = """muscleprop train cohort/ -o calf.safetensors --labels SOL,GM,GL
torchrun --nproc-per-node 2 -m MusclePropLib train cohort/ -o calf.safetensors --clips 2"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("cases", type=Path, help="folder of image and label pairs in any layout, or with a cases.csv")
    parser.add_argument("-o", "--output", type=Path, required=True, help="weights to write (.safetensors)")
    parser.add_argument(
        "--labels", metavar="A,B", help="segments to learn, NAME or NAME=VALUE; all others are negatives (default: all)"
    )
    parser.add_argument(
        "--variant", default="unet-s-r-clstm", help="unet, unet-s, unet-s-r or unet-s-r-clstm (%(default)s)"
    )
    parser.add_argument("--share", type=float, default=1.0, help="share of the annotated slices to use (%(default)s)")
    parser.add_argument(
        "--negatives",
        default="on",
        help="on, off, or paper (eq. 3 of the paper): what is drawn of others counts against a muscle (%(default)s)",
    )
    parser.add_argument("--init", type=Path, metavar="FILE", help="weights to begin from")
    parser.add_argument("--resume", action="store_true", help="go on with a training that was broken off")
    parser.add_argument("--seed", type=int, default=0, help="of split, weights, slices and clips (%(default)s)")
    add_training_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train, then report on the subjects set aside for it."""
    from MusclePropLib.core.cohort.cases import find_cases, left_out, split_subjects
    from MusclePropLib.core.cohort.fit import evaluate, fit, run_folder
    from MusclePropLib.core.cohort.processes import leads

    check_seed(args.seed)
    check_weights_name(args.output)
    labels, names = _labels(args.labels)
    own = {name: getattr(args, name) for name in ("variant", "share", "negatives", "seed")}
    settings = settings_of(args, labels=labels, names=names, **own)
    cases = find_cases(args.cases, args.subject)
    split = split_subjects(cases, args.seed)
    with Progress() as progress:
        show = shown_by(progress)
        if leads():
            for text in filter(None, (left_out(args.cases, cases), _described(split))):
                show({"event": "log", "level": "info", "text": text})
        result = fit(split, settings, args.output, args.init, args.resume, show)
    if leads():
        scores = evaluate(args.output, split.test, settings)
        plain = {case: {label: found.to_json() for label, found in by.items()} for case, by in scores.items()}
        write_json(run_folder(args.output) / "test.json", plain)
        dice = {case: {label: found.dice for label, found in by.items()} for case, by in scores.items()}
        print_json(
            {"weights": str(args.output), "steps": result.steps, "validation_dice": result.dice, "test_dice": dice}
        )
    return 0


def _described(split: Split) -> str:
    """Who is learned from and who is not: two volumes of one person must not be subjects of their own."""
    learn, stop, report = (f"{len(part)} of {len({case.subject.casefold() for case in part})}" for part in split)
    return (
        f"Volumes of subjects: {learn} to learn from, {stop} to stop by, {report} to report on; "
        "if volumes of one person count as several subjects, give --subject"
    )


def _labels(text: str | None) -> tuple[tuple[str, ...], tuple[tuple[int, str], ...]]:
    """Names, and pairs of value and name for plain label maps."""
    names, values = [], []
    for part in (text or "").split(","):
        name, _, value = part.strip().partition("=")
        if name:
            names.append(name)
        if value:
            if not value.isdigit():
                raise InputError(f"--labels {text}: '{value}' is not a label value")
            values.append((int(value), name))
    return tuple(names), tuple(values)
