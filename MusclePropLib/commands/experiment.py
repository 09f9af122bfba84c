"""`muscleprop experiment`: the paper's tables, on any cohort or on simulated calves."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from MusclePropLib.commands._training import add_training_arguments, settings_of, shown_by
from MusclePropLib.commands.common import Progress, check_folder
from MusclePropLib.core.errors import InputError

HELP = "repeat the experiments of Gonzalez Duque et al. 2020 and report whether their order holds"
EXAMPLE = "muscleprop experiment table1 cohort/ -o experiments/ --simulate 15 --seeds 3"
NAMES = ("table1", "table2a", "table2b", "transfer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments. By default a step takes .2 s, all four tables some three hours of one core."""
    parser.add_argument("name", choices=NAMES, help="ablation, shares of slices, negative evidence, or transfer")
    parser.add_argument("cases", type=Path, help="folder of image and label pairs, as for train")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for table, JSON, picture and runs")
    parser.add_argument("--label", help="muscle to learn (default: that of the paper, SOL in table1, else GM)")
    parser.add_argument("--seeds", type=int, default=3, help="repetitions, each with another split (%(default)s)")
    parser.add_argument("--simulate", type=int, metavar="N", help="first fill the folder up to N simulated calves")
    parser.add_argument(
        "--simulated-shape", default="60x80x112", metavar="SxRxC", help="their slices, rows and columns (%(default)s)"
    )
    add_training_arguments(
        parser,
        size="64x80",
        spacing=2.1,
        slices=8,
        slice_spacing=5.0,
        base_maps=8,
        steps=1000,
        validate_every=100,
    )


def run(args: argparse.Namespace) -> int:
    """Run what is not there yet, write and print the table."""
    from MusclePropLib.core.cohort.cases import find_cases, left_out
    from MusclePropLib.core.cohort.experiments import experiment, run_experiment
    from MusclePropLib.core.cohort.report import write_report

    for name in ("seeds", "simulate"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise InputError(f"--{name} must be at least 1")
    settings, plan = settings_of(args), experiment(args.name, args.label)
    check_folder(args.output)
    with Progress() as progress:
        show = shown_by(progress)
        simulated = _simulate(args, show) if args.simulate else []
        cases = find_cases(args.cases, args.subject)
        if said := left_out(args.cases, cases):
            show({"event": "log", "level": "info", "text": said})
        results = run_experiment(plan, cases, args.output, settings, range(args.seeds), show)
    kind = "simulated" if {case.name for case in cases} <= set(simulated) else args.cases.name
    about = {
        "cohort": f"{kind}, {len(cases)} volumes of {len({case.subject for case in cases})} subjects",
        "frames": f"{args.size} pixels of {args.spacing} mm",
        "clips": f"{args.slices} slices, {args.slice_spacing} mm apart",
        "network": f"{args.base_maps} to {args.base_maps << args.levels - 1} maps",
        "training": f"at most {args.steps} steps" if args.steps else f"at most {args.epochs} epochs",
        "seeds": args.seeds,
    }
    print(write_report(args.output, args.name, plan, results, about))
    return 0


def _simulate(args: argparse.Namespace, show: Callable[[dict], None]) -> list[str]:
    """Names of the simulated cases."""
    from MusclePropLib.core.cohort.simulated import simulate_cohort

    parts = args.simulated_shape.split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) >= 8 for part in parts):
        raise InputError(f"--simulated-shape {args.simulated_shape}: SxRxC such as 60x80x112 is needed, none below 8")
    show({"event": "stage", "name": "simulate", "text": f"simulating {args.simulate} calves"})
    return simulate_cohort(args.cases, args.simulate, tuple(int(part) for part in parts), on_event=show)
