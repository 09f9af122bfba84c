"""Accuracy against every rival: real volumes where they are, and simulated calves that no training has seen.

    python Testing/benchmarks/accuracy.py [--kind real|calves] [--methods A,B] [--layouts ...] [--slices 3,5] ...

keeps each figure in accuracy/KIND-METHOD.json beside itself as it is measured, goes on where it was interrupted, and
writes accuracy.md and its picture from all figures that are there. Portions that differ in kind or in methods can run
side by side. Without options it measures whatever is missing of the whole plan (see METHODS), which takes many hours.
"""

import argparse
import os
import sys
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from MusclePropLib.core.benchmark.calibration import calibration, draw_calibration
from MusclePropLib.core.benchmark.layouts import LAYOUTS, shown
from MusclePropLib.core.benchmark.overview import costs, means
from MusclePropLib.core.benchmark.plan import Plan
from MusclePropLib.core.benchmark.plot import draw
from MusclePropLib.core.benchmark.problems import SimulatedCase, load_problem
from MusclePropLib.core.benchmark.provenance import is_outdated, measured_at
from MusclePropLib.core.benchmark.report import every_case, what_did_not_run
from MusclePropLib.core.benchmark.results import Results
from MusclePropLib.core.benchmark.run import environment, run_benchmark
from MusclePropLib.core.benchmark.store import Store, read_rows
from MusclePropLib.core.benchmark.targets import SECTIONS
from MusclePropLib.core.cohort.cases import find_cases
from MusclePropLib.core.files import replacing
from MusclePropLib.core.rivals import RIVALS

HERE = Path(__file__).parent
REAL = Path(os.environ.get("MUSCLEPROP_REAL", HERE.parents[2] / "shared" / "real"))
ROWS, PAGE, PICTURE = "accuracy", "accuracy.md", "calibration.png"
KINDS = ("real", "calves")
FIRST_CALF = 2000
"""Seed of the first simulated calf; no training uses any from here on."""
CALF_SHAPE = (70, 150, 200)


class Portion(NamedTuple):
    """Where a method is measured unless the command line says otherwise: `slices` with the equal layout.

    `on_calves` are options that differ there.
    """

    slices: tuple[int, ...]
    layouts: tuple[str, ...] = ("equal",)
    options: tuple[tuple[str, object], ...] = ()
    kinds: tuple[str, ...] = KINDS
    on_calves: tuple[tuple[str, object], ...] = ()

    def options_on(self, kind):
        return dict(self.options) | dict(self.on_calves if kind == "calves" else ())

    def slices_of(self, layout):
        return self.slices if layout == "equal" else ELSEWHERE.get(layout, FEW)


EVERY, FEW = (1, 3, 5, 7, 9, 14), (3, 5, 9)
TWICE = (6, 10, 18)
"""Twice the numbers that MuscleProp is asked to do with, for rivals that take seconds."""
ELSEWHERE = {"half": (5, 9, 14)}
OF_SEVERAL = ("half", "incomplete")
"""Layouts that cases of one muscle cannot have."""
PATIENT = (("time_limit", 1000.0),)
"""A busy machine must not cut fine-tuning short; on a free one it ends long before the usual limit."""
QUICK = Portion(tuple(sorted((*EVERY, *TWICE))), tuple(LAYOUTS))
METHODS = {
    "copy": QUICK,
    "interpolation": QUICK,
    "fill": QUICK,
    "flow": QUICK,
    "flow-distances": QUICK,
    "walker": QUICK,
    "area-spline": QUICK,
    "muscleprop-priors": Portion(EVERY, tuple(LAYOUTS), PATIENT),
    "muscleprop": Portion(EVERY, tuple(LAYOUTS), PATIENT),
    "muscleprop-no-negatives": Portion((5, 9, 14), ("equal", "half"), PATIENT, ("calves",)),
    "muscleprop-scratch": Portion(FEW, options=PATIENT),
    "grow": Portion(FEW, tuple(LAYOUTS)),
    "labelprop": Portion((3, 5), options=(("epochs", 15), ("size", 128))),
    # In equal time eight maps learn three muscles far better; one bone sixteen learn as well, and sooner.
    "paper-scratch": Portion(
        (3, 5), options=(("steps", 300), ("base_maps", 16)), on_calves=(("steps", 600), ("base_maps", 8))
    ),
}
REPEATED, REPEATED_SLICES, OWN_SEEDS = ("muscleprop", "paper-scratch"), (3, 5), (1, 2)
"""Networks that learn from the one volume, and where they are trained with other seeds besides: a few real cases have
wide gaps between few slices, where a single training of the nearest rival is worth little."""


def main():
    args = arguments()
    (args.output / ROWS).mkdir(parents=True, exist_ok=True)
    if not args.report:
        measure(args)
    write_page(args.output)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, help="one kind of cases only")
    parser.add_argument("--methods", type=split, default=list(METHODS), help=f"some of {', '.join(RIVALS)}")
    parser.add_argument("--slices", type=numbers, help="instead of the plan's")
    parser.add_argument("--layouts", type=split, help=f"instead of the plan's; some of {', '.join(LAYOUTS)}")
    parser.add_argument(
        "--seeds", type=lambda text: tuple(map(int, split(text))), default=(0, 1), help="of layouts with chance"
    )
    parser.add_argument("--real", type=Path, default=REAL, help="folder of real cases (default: %(default)s)")
    parser.add_argument("--calves", type=int, default=10, help="how many (default: %(default)s)")
    parser.add_argument("--calf-shape", type=int, nargs=3, default=CALF_SHAPE, metavar=("SLICES", "ROWS", "COLUMNS"))
    parser.add_argument("-o", "--output", type=Path, default=HERE, metavar="DIR", help="instead of beside this script")
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    parser.add_argument(
        "--renew", action="store_true", help="measure MuscleProp's rows anew where its method has changed since"
    )
    parser.add_argument("--report", action="store_true", help="measure nothing, only write the page")
    return parser.parse_args()


def split(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text):
    return tuple(map(int, split(text)))


def measure(args):
    """Case by case, so that each is read or simulated once."""
    load = lru_cache(maxsize=1)(load_problem)
    for kind in [args.kind] if args.kind else KINDS:
        files = {method: args.output / ROWS / f"{kind}-{method}.json" for method in args.methods}
        stores = {method: Store(file, environment(), keep=keeper(args)) for method, file in files.items()}
        plans = list(plans_of(kind, args))
        cases = cases_of(kind, args)
        total = len(cases) * sum(len(list(plan.draws())) for plan in plans)
        with tqdm(total=total, desc=kind, unit="run", disable=None) as bar:

            def tell(row, bar=bar):
                bar.update()
                bar.set_postfix_str(f"{row['case']}, {row['layout']}, n {row['slices']}, {row['method']}")
                if row["status"] == "failed":
                    bar.write(f"{row['case']}, n {row['slices']}, {row['method']}: {row['message']}", file=sys.stderr)

            for case in cases:
                for plan in plans:
                    run_benchmark([case], plan, stores[plan.methods[0]], tell, load)


def keeper(args):
    """Which rows count as measured."""
    if args.again:
        return False
    return lambda row: not (args.renew and is_outdated(row))


def cases_of(kind, args):
    if kind == "real":
        return find_cases(args.real) if args.real.is_dir() else []
    return [SimulatedCase(FIRST_CALF + number, tuple(args.calf_shape)) for number in range(args.calves)]


def plans_of(kind, args):
    """A plan for each method and layout; quick methods first."""
    for method in args.methods:
        portion = METHODS.get(method, Portion(FEW))
        if kind not in portion.kinds:
            continue
        common = {"methods": (method,), "label_any": kind == "real", "options": {method: portion.options_on(kind)}}
        layouts = args.layouts or portion.layouts
        for layout in layouts:
            yield Plan(slices=args.slices or portion.slices_of(layout), layout=layout, seeds=args.seeds, **common)
        again = tuple(n for n in REPEATED_SLICES if n in (args.slices or REPEATED_SLICES))
        if kind == "real" and method in REPEATED and "equal" in layouts and again:
            yield Plan(slices=again, seeds=OWN_SEEDS, training=True, **common)


def write_page(folder):
    """accuracy.md and its pictures, from all rows that are kept."""
    results = Results(kept_rows(folder / ROWS))
    parts = [introduction(results), *(write(results) for write in SECTIONS)]
    drawn = draw_calibration(results.rows, folder / ROWS / PICTURE)
    parts.append(calibration(results.rows, f"{ROWS}/{PICTURE}" if drawn else None))
    parts += [costs(results), means(results)]
    for kind in KINDS:
        rows = [row for row in results.rows if row["kind"] == kind and row["status"] == "done"]
        equal = [row for row in rows if row["layout"] == "equal"]
        if equal:
            draw(equal, folder / ROWS / f"{kind}.png")
            parts.append(f"![Accuracy against the number of drawn slices, {kind}]({ROWS}/{kind}.png)")
        parts += case_tables(kind, rows)
    failed = [row for row in results.rows if row["status"] == "failed"]
    if failed:
        parts.append(f"## What failed\n\n{what_did_not_run(failed)}")
    with replacing(folder / PAGE) as part:
        part.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def kept_rows(folder):
    for kind in KINDS:
        for path in sorted(folder.glob(f"{kind}-*.json")):
            for row in read_rows(path):
                yield row | {"kind": kind}


def case_tables(kind, rows):
    for layout in LAYOUTS:
        here = [row for row in rows if row["layout"] == layout]
        if here:
            title = f"## Every case: {kind}, {shown(layout)}: Dice / HD95 mm / volume error %"
            yield f"{title}\n\n{every_case(here)}"


def introduction(results):
    counts = {kind: len({row["case"] for row in results.rows if row["kind"] == kind}) for kind in KINDS}
    told = "\n".join(f"- {shown(name)}: {words}" for name, words in LAYOUTS.items())
    return f"""# Accuracy

Written by `make bench-accuracy` from the figures in `{ROWS}/`, all of them by one scorer. Cases: {counts["real"]} real
volumes, two of them of the same leg (all labels together are one muscle), and {counts["calves"]} simulated calves
(seeds {FIRST_CALF} and up, which no training uses). Only slices that were not drawn count, but for the muscle volume
error, which is of the whole muscle. Distances are means over the cases that have them: where a method finds nothing
there are none. n is the number of drawn slices of each muscle.

{repeated(results.rows)}

The real volumes were among those by which ideas were kept or dropped (notes.md), the calves were looked at after each
of them: figures of volumes that nobody has looked at may be lower.

Layouts:

{told}

Where chance plays (random, incomplete), a seed stands for other places in every case. LabelProp is trained for 15
epochs on images of 128 pixels, not for its usual 100 on 256.

{unmeasured(results.rows)}

{measured_at(results.rows)}"""


def repeated(rows):
    """Which methods were trained with other seeds of their own, and where."""
    again = [row for row in rows if "seed" in row["options"] and row["status"] == "done"]
    if not again:
        return "Every method was trained once."
    titles = "; ".join(dict.fromkeys(RIVALS[row["method"]].title for row in again))
    counts = " and ".join(map(str, sorted({row["slices"] for row in again})))
    seeds = len({row["seed"] for row in again}) + 1
    return f"""Trained {seeds} times, with a seed each, on real volumes with {counts} equally spaced slices: {titles}.
Everywhere else each method was trained once."""


def unmeasured(rows):
    """What the plan has and the page has not: a mean over fewer cases must not pass for one over all."""
    facts = ("kind", "method", "layout", "slices", "case", "seed")
    measured = {tuple(row[fact] for fact in facts) for row in rows}
    cases = {kind: {row["case"] for row in rows if row["kind"] == kind} for kind in KINDS}
    seeds = {(row["kind"], row["layout"], row["seed"]) for row in rows if "seed" not in row["options"]}
    lacking = []
    for method, portion in METHODS.items():
        for kind, layout in product(portion.kinds, portion.layouts):
            planned = [n for n in portion.slices_of(layout) if kind == "calves" or layout not in OF_SEVERAL]
            draws = [(case, seed) for case, (*at, seed) in product(cases[kind], seeds) if at == [kind, layout]]
            missing = [n for n in planned if any((kind, method, layout, n, *draw) not in measured for draw in draws)]
            if missing:
                numbers = ", ".join(map(str, missing))
                lacking.append(f"- {RIVALS[method].title}: {kind}, {shown(layout)}, n = {numbers}")
    if not lacking:
        return "Every method was measured wherever the plan in `accuracy.py` has it."
    listed = "\n".join(lacking)
    return (
        f"Of the plan in `accuracy.py` these were not measured on every case, and compete where they were:\n\n{listed}"
    )


if __name__ == "__main__":
    main()
