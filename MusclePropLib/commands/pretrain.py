"""`muscleprop pretrain`: the weights of guided propagation, from simulated structures."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from MusclePropLib.commands.common import check_seed, check_weights_name, print_json
from MusclePropLib.core.errors import InputError

HELP = "train the weights of guided propagation on simulated structures"
EXAMPLE = """muscleprop pretrain -o guided.safetensors
muscleprop propagate leg.nrrd drawn.seg.nrrd -o out.seg.nrrd --weights guided.safetensors"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("-o", "--output", type=Path, required=True, help="weights to write (.safetensors)")
    parser.add_argument("--steps", type=int, default=6000, help="optimisation steps of two clips each (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3, help="at its highest (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and of the simulation (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate (%(default)s)")
    parser.add_argument("--init", type=Path, metavar="FILE", help="weights to begin from")
    parser.add_argument(
        "--keep",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of the weights of --init in those written (%(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Train; a run that was broken off goes on from OUTPUT.ckpt, and its curve lies in OUTPUT.csv."""
    from dataclasses import asdict

    from tqdm import tqdm

    from MusclePropLib.core.guided.pretrain import Recipe, can_begin_with, pretrain
    from MusclePropLib.core.weights import load_weights, save_weights

    check_seed(args.seed)
    check_weights_name(args.output)
    if args.steps < 1 or args.workers < 0 or not 0 < args.learning_rate < math.inf:
        raise InputError("--steps and --learning-rate must be positive and --workers not negative")
    if not 0 <= args.keep < 1 or (args.keep and not args.init):
        raise InputError("--keep is a share from 0 to less than 1, of the weights that --init names")
    initial = load_weights(args.init) if args.init else None
    if initial and not can_begin_with(initial.network):
        raise InputError(f"{args.init}: weights of another kind of network than that of guided propagation")
    recipe = Recipe(steps=args.steps, learning_rate=args.learning_rate, seed=args.seed, kept=args.keep)
    checkpoint = args.output.with_suffix(".ckpt")
    with tqdm(total=args.steps, desc="Pretraining", unit="step") as bar:

        def report(step: int, means: dict[str, float]) -> None:
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{means['loss']:.3f}", draft_alone=f"{means['draft']:.3f}")

        network = pretrain(recipe, checkpoint, args.workers, report, initial.network if initial else None)
    begun = {"init": initial.checksum} if initial else {}
    save_weights(args.output, network, {"recipe": asdict(recipe), **begun})
    checkpoint.unlink(missing_ok=True)
    print_json({"weights": str(args.output), "steps": args.steps})
    return 0
