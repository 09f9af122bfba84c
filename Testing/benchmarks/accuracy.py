"""Accuracy against every rival: real volumes where they are, and simulated calves that no training has seen.

    python Testing/benchmarks/accuracy.py [--real FOLDER] [--calves N] [--methods A,B] [--slices 3,5,9] [--layouts ...]

keeps each figure in accuracy/ beside itself as it is measured, goes on where it was interrupted, and writes accuracy.md
from all of them.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from MusclePropLib.cli import main as muscleprop
from MusclePropLib.core.benchmark.layouts import LAYOUTS
from MusclePropLib.core.benchmark.plan import Plan
from MusclePropLib.core.benchmark.report import markdown
from MusclePropLib.core.benchmark.run import environment, run_benchmark
from MusclePropLib.core.benchmark.store import Store
from MusclePropLib.core.cohort.cases import find_cases

HERE = Path(__file__).parent
REAL = Path(os.environ.get("MUSCLEPROP_REAL", HERE.parents[2] / "shared" / "real"))
RIVALS = "copy,interpolation,fill,flow,walker"
OWN = "muscleprop-priors,muscleprop-scratch,muscleprop"
FIRST_CALF = 2000
"""Seed of the first simulated calf; pretraining uses none from here on."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, default=REAL)
    parser.add_argument("--calves", type=int, default=3)
    parser.add_argument("--methods", default=f"{RIVALS},{OWN}")
    parser.add_argument("--slices", default="3,5,9")
    parser.add_argument("--layouts", default="equal,partial", help=f"some of {', '.join(LAYOUTS)}")
    args = parser.parse_args()
    methods, slices = tuple(args.methods.split(",")), tuple(map(int, args.slices.split(",")))
    folder = HERE / "accuracy"
    folder.mkdir(exist_ok=True)
    page = [f"# Accuracy\n\nWritten by `python Testing/benchmarks/{' '.join([Path(__file__).name, *sys.argv[1:]])}`.\n"]
    with tempfile.TemporaryDirectory() as calves:
        for title, cases, one in sources(args, Path(calves)):
            for layout in args.layouts.split(","):
                plan = Plan(methods=methods, slices=slices, layout=layout, label_any=one)
                store = Store(folder / f"{title.split()[0].lower()}-{layout}.json", environment(), keep=True)
                rows = measured(cases, plan, store, f"{title}, {layout}")
                page.append(f"# {title}, layout {layout}\n\n{markdown(rows)}")
    (HERE / "accuracy.md").write_text("\n".join(page), encoding="utf-8")


def sources(args, folder):
    """(title, cases, whether all labels are one muscle) of what there is to measure on."""
    if args.real.is_dir():
        yield "Real volumes", find_cases(args.real), True
    if args.calves:
        muscleprop(["phantom", "-o", str(folder), "--seed", str(FIRST_CALF), "--subjects", str(args.calves)])
        for file in folder.iterdir():  # the same calf is the same case in the next run
            os.utime(file, (0, 0))
        yield "Simulated calves", find_cases(folder), False


def measured(cases, plan, store, title):
    rows = []
    total = len(cases) * len(list(plan.draws())) * len(plan.methods)
    with tqdm(total=total, desc=title, unit="run", disable=None) as bar:

        def keep(row):
            rows.append(row)
            bar.update()

        run_benchmark(cases, plan, store, keep)
    return rows


if __name__ == "__main__":
    main()
