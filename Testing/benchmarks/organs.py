r"""MuscleProp and its rivals on organs and muscles in public CT and MR, far from ultrasound and from calves.

    git clone https://github.com/wasserth/TotalSegmentator
    python Testing/benchmarks/public_organs.py TotalSegmentator -o organs
    python Testing/benchmarks/organs.py organs [--parts equal,random]

keeps each figure in organs/PART.json beside itself as it is measured, goes on where it was interrupted, measures anew
what MuscleProp's method has changed since, and writes organs.md and organs.png from all figures that are there. Two
processes can share the work, each with parts of its own: about an hour and a half then.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from MusclePropLib.core.benchmark.calibration import calibration, draw_calibration
from MusclePropLib.core.benchmark.plan import Plan
from MusclePropLib.core.benchmark.plot import draw
from MusclePropLib.core.benchmark.provenance import is_outdated, measured_at
from MusclePropLib.core.benchmark.report import INTRODUCTION, tables
from MusclePropLib.core.benchmark.run import environment, run_benchmark
from MusclePropLib.core.benchmark.store import Store, read_rows
from MusclePropLib.core.cohort.cases import find_cases
from MusclePropLib.core.files import replacing

HERE = Path(__file__).parent
ROWS, PAGE, PICTURE = HERE / "organs", HERE / "organs.md", HERE / "organs.png"
CALIBRATION = ROWS / "calibration.png"
FOLLOWING = ("grow", "flow", "flow-distances", "walker", "muscleprop-priors", "muscleprop")
ANYWHERE = ("interpolation", *FOLLOWING)
TITLES = {"ct": "CT", "mr": "MR", "chest": "CT of the chest"}


class Part(NamedTuple):
    """What is measured together: `whole` volumes, or volumes cut to the organ's slices; `title` says of what."""

    slices: tuple[int, ...]
    methods: tuple[str, ...]
    layout: str
    whole: bool = False
    source: str = "ct"

    @property
    def title(self):
        return TITLES[self.source] + (", whole volume" if self.whole else "")


PARTS = {
    "equal": Part((1, 2, 3, 5), ("interpolation", "fill", *FOLLOWING), "equal"),
    "random": Part((2, 5), FOLLOWING, "random"),
    "partial": Part((5,), FOLLOWING, "partial"),
    "whole-middle": Part((3,), ANYWHERE, "middle", whole=True),
    "whole-random": Part((5,), ANYWHERE, "random", whole=True),
    "mr-equal": Part((1, 2, 3, 5), ("interpolation", "fill", *FOLLOWING), "equal", source="mr"),
    "mr-random": Part((2, 5), FOLLOWING, "random", source="mr"),
    "chest-equal": Part((2, 3, 5), ("interpolation", "fill", *FOLLOWING), "equal", source="chest"),
    "chest-random": Part((2, 3, 5), FOLLOWING, "random", source="chest"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path, nargs="?", help="as public_organs.py makes them; none: the page only")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of %(default)s")
    args = parser.parse_args()
    ROWS.mkdir(exist_ok=True)
    if args.cases:
        for part in args.parts.split(","):
            measure(part, PARTS[part], find_cases(args.cases / PARTS[part].source))
    write_page()


def measure(name, part, cases):
    """Case by case, so that an interrupted run leaves few of them half done."""
    store = Store(ROWS / f"{name}.json", environment(), keep=lambda row: not is_outdated(row))
    plan = Plan(part.methods, part.slices, part.layout, crop=not part.whole)
    with tqdm(total=len(cases) * len(part.slices) * len(part.methods), desc=name, unit="run", disable=None) as bar:
        run_benchmark(cases, plan, store, lambda row: bar.update())


def write_page():
    """organs.md and its picture, from all rows that are kept."""
    rows = {name: in_order(part, read_rows(file)) for name, part in PARTS.items() if (file := file_of(name)).exists()}
    parts = [introduction([row for kept in rows.values() for row in kept]), INTRODUCTION]
    for name, kept in rows.items():
        parts += tables(kept, f", {PARTS[name].title}")
    if "equal" in rows:
        draw(rows["equal"], PICTURE)
        parts.append(f"![Accuracy against the number of drawn slices in CT, both ends drawn]({PICTURE.name})")
    told = [row | {"kind": PARTS[name].title} for name, kept in rows.items() for row in kept]
    drawn = draw_calibration(told, CALIBRATION)
    parts.append(calibration(told, CALIBRATION.relative_to(HERE).as_posix() if drawn else None))
    with replacing(PAGE) as whole:
        whole.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def file_of(name):
    return ROWS / f"{name}.json"


def in_order(part, rows):
    """As if all had been measured at once, whatever was measured anew."""
    return sorted(rows, key=lambda row: (row["case"], row["slices"], part.methods.index(row["method"])))


def introduction(rows):
    return f"""# Organs and muscles in CT and MR

Written by `organs.py` from the figures in `organs/`. {measured_at(rows)}

The subjects of the tables are structures of one person in CT, of another in MR (20 thick slices) and of two more in CT
of the chest: the intervals tell of structures, not of people. The volumes are cut to the organ, so that no method can
follow it beyond its ends, but for those called whole, where it may be followed through the whole trunk. The scale of
the flow, the exponents of the self-estimate, the sizes of the candidates and the rules of the choice among them were
found on the organs in CT, among others; those in MR, some of them in several pieces, were looked at now and then, and
one led to a rule (notes.md). Those of the chest were first looked at when the method was as good as finished; two
faults that they showed are mended, one more rule was found on them and on a hip bone, and the wider windows on their
vessels. What is special about two drawn slices was found on all of them. The network's weights have seen none of
them."""


if __name__ == "__main__":
    main()
