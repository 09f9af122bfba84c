"""The benchmark as a page of markdown: a summary per number of slices, every case, and what did not run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from MusclePropLib.core.benchmark.layouts import shown
from MusclePropLib.core.benchmark.statistics import Interval, mean_over_subjects
from MusclePropLib.core.rivals import RIVALS

Row = dict[str, Any]

INTRODUCTION = """Means over subjects; in brackets the bootstrap 95 % interval. Only slices that were not drawn count,
but for the muscle volume error, which is of the whole muscle. Distances are means over the subjects that have them:
where a method finds nothing there are none. Processor time is the method's own, all threads together."""

_SUMMARY: tuple[tuple[str, str, bool, str], ...] = (
    ("Dice", "dice", False, ".3f"),
    ("HD95 mm", "hd95_mm", False, ".1f"),
    ("surface Dice 2 mm", "surface_dice_2mm", False, ".3f"),
    ("muscle volume error %", "muscle_error_percent", False, "+.1f"),
    ("its size %", "muscle_error_percent", True, ".1f"),
)


def markdown(rows: Sequence[Row]) -> str:
    """The whole page."""
    return "\n\n".join(["# Benchmark", INTRODUCTION, *tables(rows)]) + "\n"


def tables(rows: Sequence[Row], where: str = "") -> list[str]:
    """For each layout a summary per number of slices and every case; at last what did not run. `where` ends titles."""
    parts = []
    for layout in distinct(rows, "layout"):
        of_layout = [row for row in rows if row["layout"] == layout]
        for count in sorted(distinct(of_layout, "slices")):
            drawn = [row for row in of_layout if row["slices"] == count]
            parts += [f"## {slices(count)}, layout {shown(layout)}{where}", _summary(drawn)]
        parts += [
            f"## Every case, layout {shown(layout)}{where}: Dice / HD95 mm / volume error %",
            every_case(of_layout),
        ]
    problems = [row for row in rows if row["status"] != "done"]
    if problems:
        parts += ["## What did not run", what_did_not_run(problems)]
    return parts


def _summary(rows: Sequence[Row]) -> str:
    header = ["method", "subjects", *(title for title, *_ in _SUMMARY), "processor s"]
    lines = []
    for method in distinct(rows, "method"):
        done = [row for row in rows if row["method"] == method and row["status"] == "done"]
        figures = [with_bounds(mean_over_subjects(done, key, size=size), form) for _, key, size, form in _SUMMARY]
        seconds = sum(row["processor_seconds"] for row in done) / len(done) if done else math.nan
        subjects = len(distinct(done, "subject"))
        lines.append([titled(method, done), str(subjects), *figures, number(seconds, ".1f")])
    return table(header, lines)


def every_case(rows: Sequence[Row]) -> str:
    """A line for each case, muscle and number of slices; Dice / HD95 mm / volume error % of every method."""
    methods = [method for method in distinct(rows, "method") if not RIVALS[method].volumes_only]
    places = {(row["case"], row["slices"]): None for row in rows}
    lines = []
    for case, count in places:
        here = [row for row in rows if (row["case"], row["slices"]) == (case, count)]
        for muscle in dict.fromkeys(name for row in here for name in row.get("scores", {})):
            cells = [_cell([row for row in here if row["method"] == method], muscle) for method in methods]
            lines.append([case, muscle, str(count), *cells])
    return table(["case", "muscle", "slices", *(titled(method, rows) for method in methods)], lines)


def _cell(rows: Sequence[Row], muscle: str) -> str:
    """Dice / HD95 / volume error of one case, means over the seeds."""
    forms = (("dice", ".3f"), ("hd95_mm", ".1f"), ("volume_error_percent", "+.0f"))
    found = [(mean_over_subjects(rows, key, muscle).mean, form) for key, form in forms]
    return " / ".join(number(value, form) for value, form in found) if rows else ""


def what_did_not_run(rows: Iterable[Row]) -> str:
    """A line for each row that is not done."""
    header = ["case", "slices", "method", "status", "reason"]
    facts = ("case", "slices", "method", "status", "message")
    return table(header, [[str(row[fact]).replace("|", "/").replace("\n", " ") for fact in facts] for row in rows])


def titled(method: str, rows: Iterable[Row]) -> str:
    """The method's title in tables, with the options that it was given."""
    given = next((row["options"] for row in rows if row["method"] == method and row["options"]), {})
    options = ", ".join(f"{name} {value}" for name, value in given.items())
    return RIVALS[method].title + (f" ({options})" if options else "")


def with_bounds(found: Interval, form: str) -> str:
    """A mean and its interval."""
    mean = number(found.mean, form)
    return mean if math.isnan(found.low) else f"{mean} [{found.low:{form}}, {found.high:{form}}]"


def slices(count: int) -> str:
    """A number of drawn slices in words."""
    return f"{count} drawn slice{'s' if count > 1 else ''}"


def number(value: float, form: str) -> str:
    """A dash for NaN."""
    return "-" if math.isnan(value) else format(value, form)


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of markdown."""
    rule = ["---"] * len(header)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *lines))


def section(title: str, words: str, header: list[str], lines: list[list[str]]) -> str:
    """A heading, what the table shows, and the table."""
    return f"## {title}\n\n{words}\n\n{table(header, lines) if lines else 'Not measured yet.'}"


def distinct(rows: Iterable[Row], fact: str) -> list[Any]:
    """The values of a fact, in the order of the rows."""
    return list(dict.fromkeys(row[fact] for row in rows))
