"""`muscleprop benchmark`: MuscleProp and its rivals on the same cases, the same drawn slices, the same scorer."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MusclePropLib.commands.common import CommandFailed, check_folder, write_text
from MusclePropLib.core.errors import InputError

if TYPE_CHECKING:
    from MusclePropLib.core.benchmark.plan import Plan
    from MusclePropLib.core.benchmark.store import Store
    from MusclePropLib.core.cohort.cases import Case

HELP = "compare methods on cases with full segmentations; goes on where it was interrupted"
EXAMPLE = """muscleprop benchmark cases -o results --slices 3,5,9 --methods interpolation,fill,flow,muscleprop
with
cases/leg-01/image.nrrd and cases/leg-01/label.nrrd, or cases/leg-01.nrrd and cases/leg-01.seg.nrrd, or x1.mha and
masksX1.mha
gives
results/results.json, results/results.md and results/results.png"""

USUAL = "copy,interpolation,fill,flow,area-spline,muscleprop-priors,muscleprop"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from MusclePropLib.core.benchmark.layouts import LAYOUTS
    from MusclePropLib.core.rivals import RIVALS

    parser.add_argument("cases", type=Path, help="folder with pairs of image and full label map")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--slices", default="3,5,9", help="numbers of drawn slices to try (default: %(default)s)")
    parser.add_argument(
        "--methods", default=USUAL, help=f"some of {', '.join(RIVALS)}, or all (default: {USUAL.replace(',', ', ')})"
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="equal",
        help="where slices are drawn (default: %(default)s). "
        + "; ".join(f"{name}: {words}" for name, words in LAYOUTS.items()).replace("%", "%%"),
    )
    parser.add_argument(
        "--seeds", default="0", help="seeds of the layouts in which chance plays (default: %(default)s)"
    )
    parser.add_argument(
        "--axis", type=int, choices=(0, 1, 2), default=0, help="array axis across which slices are drawn"
    )
    parser.add_argument("--label-any", action="store_true", help="all labels together are one muscle")
    parser.add_argument(
        "--no-crop", action="store_true", help="keep the slices before the first and after the last label"
    )
    parser.add_argument("--subject", metavar="PATTERN", help="regular expression for the subject in a case's name")
    parser.add_argument("--again", action="store_true", help="measure anew what is in results.json already")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="METHOD.OPTION=VALUE",
        help="an option of a method, such as muscleprop.time_limit=60 or labelprop.epochs=20 (may be repeated)",
    )


def run(args: argparse.Namespace) -> int:
    """Measure what is missing, then write the table and the plot; status 1 if a method failed."""
    from MusclePropLib.core.benchmark.plan import Plan
    from MusclePropLib.core.benchmark.run import environment
    from MusclePropLib.core.benchmark.store import Store
    from MusclePropLib.core.cohort.cases import find_cases, left_out
    from MusclePropLib.core.rivals import RIVALS

    plan = Plan(
        methods=tuple(RIVALS) if args.methods == "all" else tuple(_split(args.methods)),
        slices=_numbers(args.slices, "--slices"),
        layout=args.layout,
        seeds=_numbers(args.seeds, "--seeds"),
        axis=args.axis,
        label_any=args.label_any,
        crop=not args.no_crop,
        options=_options(args.set),
    )
    check_folder(args.output)
    cases = find_cases(args.cases, args.subject)
    if said := left_out(args.cases, cases):
        print(f"muscleprop: {said}", file=sys.stderr)
    args.output.mkdir(parents=True, exist_ok=True)
    store = Store(args.output / "results.json", environment(), keep=not args.again)
    rows = _measure(cases, plan, store)
    _report(rows, args.output)
    failed = sum(row["status"] == "failed" for row in rows)
    if failed:
        raise CommandFailed(f"{failed} of {len(rows)} runs failed; the reasons stand in {args.output / 'results.md'}")
    return 0


def _measure(cases: list[Case], plan: Plan, store: Store) -> list[dict[str, Any]]:
    from tqdm import tqdm

    from MusclePropLib.core.benchmark.run import run_benchmark

    rows: list[dict[str, Any]] = []
    total = len(cases) * len(list(plan.draws())) * len(plan.methods)
    with tqdm(total=total, file=sys.stderr, unit="run", disable=None) as bar:

        def show(row: dict[str, Any]) -> None:
            rows.append(row)
            bar.update()
            bar.set_postfix_str(f"{row['case']}, {row['slices']} slices, {row['method']}")
            if row["status"] != "done":
                bar.write(f"{row['case']}, {row['slices']} slices, {row['method']}: {row['message']}", file=sys.stderr)

        run_benchmark(cases, plan, store, show)
    return rows


def _report(rows: list[dict[str, Any]], folder: Path) -> None:
    """Table and plot of this run's rows; those of earlier runs with other settings stay in results.json."""
    from MusclePropLib.core.benchmark.plot import draw
    from MusclePropLib.core.benchmark.report import markdown

    page = markdown(rows)
    if any(row["status"] == "done" for row in rows):
        draw(rows, folder / "results.png")
        page += "\n![Accuracy against the number of drawn slices](results.png)\n"
    write_text(folder / "results.md", page)
    print(page)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str, name: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _split(text))
    except ValueError as fault:
        raise InputError(f"{name} {text}: whole numbers with commas between them are needed") from fault


def _options(settings: list[str]) -> dict[str, dict[str, object]]:
    """`METHOD.OPTION=VALUE` texts; values that are JSON (numbers, true, null) are taken as such, others as texts."""
    options: dict[str, dict[str, object]] = {}
    for setting in settings:
        place, equals, text = setting.partition("=")
        method, dot, option = place.partition(".")
        if not (equals and dot):
            raise InputError(f"--set {setting}: METHOD.OPTION=VALUE is needed")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        options.setdefault(method, {})[option] = value
    return options
