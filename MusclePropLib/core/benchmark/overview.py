"""Every method side by side: its means, what it costs and what it was given."""

from __future__ import annotations

from MusclePropLib.core.benchmark.layouts import LAYOUTS, shown
from MusclePropLib.core.benchmark.report import number, section, table, with_bounds
from MusclePropLib.core.benchmark.results import ALL, Results
from MusclePropLib.core.benchmark.statistics import over_cases
from MusclePropLib.core.rivals import RIVALS


def means(results: Results) -> str:
    """Every method: a table for each kind of case, layout and figure."""
    parts = ["## Means of all methods", "Empty where a method was not measured or cannot do it."]
    for kind in (kind for kind in results.kinds() if kind != ALL):
        for layout in LAYOUTS:
            counts = sorted({n for m in results.methods(kind, layout) for n in results.counts(kind, layout, m)})
            for title, figure, size, form in _MEANS if counts else ():
                lines = [
                    [RIVALS[m].title, *(_mean(results, kind, layout, n, m, figure, size, form) for n in counts)]
                    for m in results.methods(kind, layout)
                ]
                parts.append(f"### {title}: {kind}, {shown(layout)}")
                parts.append(table(["method", *(f"n = {n}" for n in counts)], lines))
    return "\n\n".join(parts)


_MEANS = (
    ("Dice", "dice", False, ".3f"),
    ("HD95 mm", "hd95_mm", False, ".1f"),
    ("Size of the muscle volume's error %", "muscle_error_percent", True, ".1f"),
)


def _mean(results: Results, kind: str, layout: str, count: int, method: str, *how: object) -> str:
    figure, size, form = how
    values = results.values(kind, layout, count, method, figure, size=size)
    return with_bounds(over_cases(values), form) if values else ""


def costs(results: Results) -> str:
    """Processor seconds of one propagation."""
    kinds = [kind for kind in results.kinds() if kind != ALL]
    lines = []
    for method in RIVALS:
        rows = [row for row in results.rows if row["method"] == method and row["status"] == "done"]
        of_kind = [[row["processor_seconds"] for row in rows if row["kind"] == kind] for kind in kinds]
        if rows:
            lines.append([method, RIVALS[method].title, _given(rows), *(_mean_seconds(found) for found in of_kind)])
    words = "Mean processor seconds of one volume, all threads together, and the options that were given."
    return section("Methods", words, ["name", "method", "options", *kinds], lines)


def _given(rows: list[dict]) -> str:
    """The options but the seed, and where they were given if they differ between the kinds of cases."""
    kinds: dict[str, list[str]] = {}
    for row in rows:
        text = ", ".join(f"{name} {value}" for name, value in row["options"].items() if name != "seed")
        if row["kind"] not in kinds.setdefault(text, []):
            kinds[text].append(row["kind"])
    if len(kinds) == 1:
        return next(iter(kinds))
    return "; ".join(f"{' and '.join(where)}: {text or 'none'}" for text, where in kinds.items())


def _mean_seconds(found: list[float]) -> str:
    return number(sum(found) / len(found), ".1f") if found else ""
