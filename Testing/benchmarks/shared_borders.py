"""Where the errors of a propagation lie: at borders that muscles share, or elsewhere.

    python Testing/benchmarks/shared_borders.py [--calves 10]

What is drawn of other muscles can tell where a muscle is not, so at most it can take away the errors beside them.
Simulated calves as in accuracy.md; the page is written beside this script.
"""

import argparse
from pathlib import Path

import numpy as np
from accuracy import CALF_SHAPE, FIRST_CALF, PATIENT
from scipy import ndimage

from MusclePropLib.core.benchmark.layouts import annotate, shown
from MusclePropLib.core.benchmark.problems import SimulatedCase, load_problem
from MusclePropLib.core.benchmark.provenance import commit
from MusclePropLib.core.benchmark.report import number, table
from MusclePropLib.core.rivals import answer_of, rival_named

NEAR_MM = 3.0
LAYOUTS = (("equal", 5), ("half", 9), ("equal", 9))
PAGE = Path(__file__).with_suffix(".md")
HEADER = ["layout", "slices", "muscle", "error (1 - Dice)", "beside other muscles", "elsewhere"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calves", type=int, default=10)
    args = parser.parse_args()
    problems = [load_problem(SimulatedCase(FIRST_CALF + i, CALF_SHAPE)) for i in range(args.calves)]
    lines = [line for layout, count in LAYOUTS for line in lines_of(layout, count, problems)]
    PAGE.write_text(page(lines, args.calves), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


def lines_of(layout, count, problems):
    """Table lines, one for each muscle: means over the problems."""
    found = np.mean([errors(problem, layout, count) for problem in problems], axis=0)
    names = list(problems[0].truth)
    return [
        [shown(layout), str(count), name, *(number(v, ".3f") for v in (beside + other, beside, other))]
        for name, (beside, other) in zip(names, found, strict=True)
    ]


def errors(problem, layout, count):
    """Error (muscles, 2) as shares of 1 - Dice: beside other muscles, and elsewhere."""
    annotations = annotate(problem, layout, count)
    masks = answer_of(rival_named("muscleprop"), problem.volume, annotations, **dict(PATIENT)).masks
    truths = list(problem.truth.values())
    rows = []
    for index, (muscle, mask, truth) in enumerate(zip(annotations.muscles, masks, truths, strict=True)):
        unknown = [t for t in range(len(truth)) if t not in muscle.drawn and t not in muscle.absent]
        others = np.any(truths[:index] + truths[index + 1 :], axis=0)
        wrong, size = mask[unknown] != truth[unknown], mask[unknown].sum() + truth[unknown].sum()
        near = [beside(plane, problem.volume.geometry.spacing[1:]) for plane in others[unknown]]
        rows.append([np.count_nonzero(wrong & near) / size, np.count_nonzero(wrong & np.logical_not(near)) / size])
    return rows


def beside(others, spacing):
    """Pixels within NEAR_MM of another muscle, or in it."""
    if not others.any():
        return np.zeros_like(others)
    return ndimage.distance_transform_edt(~others, sampling=spacing) <= NEAR_MM


def page(lines, calves):
    return f"""# Errors at shared borders

Written by `python Testing/benchmarks/shared_borders.py --calves {calves}` at commit {commit()}: {calves} simulated
calves, errors on slices where the muscle was not drawn, within {NEAR_MM:g} mm of another muscle and elsewhere, both as
shares of 1 - Dice. With half of the slices each muscle is drawn on every other place, and its neighbours on those in
between; they can take away no more than what lies beside them.

{table(HEADER, lines)}
"""


if __name__ == "__main__":
    main()
