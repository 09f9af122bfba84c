"""All rows of several benchmark runs, and which rival is the best one where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from MusclePropLib.core.benchmark.layouts import CHANCE
from MusclePropLib.core.benchmark.statistics import Draw, differences, over_cases, per_draw
from MusclePropLib.core.rivals import RIVALS

Row = dict[str, Any]
OURS = "muscleprop"
ALL = "all"
"""Stands for all kinds of cases together."""


class Best(NamedTuple):
    """A rival and its figure for each case and seed."""

    method: str
    values: dict[Draw, float]


class Results:
    """Rows by kind of case (a fact `kind` of each row), layout, number of drawn slices and method.

    Of rows that differ only in when or with what options they were measured, the last one counts.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        latest = {
            tuple(row[fact] for fact in ("kind", "case", "layout", "slices", "seed", "method")): row for row in rows
        }
        self.rows = list(latest.values())
        self._places: dict[tuple, list[Row]] = defaultdict(list)
        for row in self.rows:
            if row["status"] == "done":
                for kind in (row["kind"], ALL):
                    self._places[kind, row["layout"], row["slices"], row["method"]].append(row)

    def kinds(self) -> list[str]:
        """The kinds of cases, and ALL if there are several."""
        found = list(dict.fromkeys(row["kind"] for row in self.rows))
        return [*found, ALL] if len(found) > 1 else found

    def counts(self, kind: str, layout: str, method: str = OURS) -> list[int]:
        """Numbers of drawn slices that a method was measured with."""
        return sorted({n for k, lay, n, m in self._places if (k, lay, m) == (kind, layout, method)})

    def methods(self, kind: str, layout: str) -> list[str]:
        """Methods that were measured, in the order of RIVALS."""
        there = {m for k, lay, _, m in self._places if (k, lay) == (kind, layout)}
        return [method for method in RIVALS if method in there]

    def at(self, kind: str, layout: str, count: int, method: str = OURS) -> list[Row]:
        """The done rows of one place."""
        return self._places.get((kind, layout, count, method), [])

    def values(self, kind: str, layout: str, count: int, method: str, figure: str, **how: Any) -> dict[Draw, float]:
        """A figure for each case and seed; `how` goes to `per_draw`."""
        return per_draw(self.at(kind, layout, count, method), figure, **how)

    def best_rival(
        self, kind: str, layout: str, count: int, draws: Iterable[Draw], figure: str, sign: int = 1, **how: Any
    ) -> Best | None:
        """The single rival with the highest (with `sign` -1 the lowest) mean over the cases.

        Only rivals that have the figure for all `draws` are in the running; those that tell nothing but volumes have
        no other figures. One that was measured with fewer seeds of its own has its first one's figure for the others.
        """
        wanted = set(draws)
        found = []
        for method in self.methods(kind, layout):
            values = {} if RIVALS[method].own else self.values(kind, layout, count, method, figure, **how)
            theirs = {draw: values[at] for draw in wanted if (at := _same(draw, layout, values)) in values}
            if wanted and wanted == set(theirs):
                found.append(Best(method, theirs))
        return max(found, key=lambda best: sign * over_cases(best.values).mean, default=None)

    def best_of_case(self, row: Row, figure: str = "dice") -> tuple[str, float] | None:
        """The rival that did best on the very annotation of `row`, and its figure."""
        place, draw = (row["kind"], row["layout"], row["slices"]), (row["case"], row["seed"])
        found = {}
        for method in self.methods(*place[:2]):
            values = {} if RIVALS[method].own else self.values(*place, method, figure)
            if (at := _same(draw, row["layout"], values)) in values:
                found[method] = values[at]
        return max(found.items(), key=lambda item: item[1], default=None)


def _same(draw: Draw, layout: str, values: dict[Draw, float]) -> Draw:
    """The draw itself or, where the seed changes nothing that is drawn, the first one of the same case."""
    return draw if draw in values or layout in CHANCE else (draw[0], 0)


def lead(first: dict[Draw, float], second: dict[Draw, float]) -> Any:
    """Mean and interval of first minus second over the cases."""
    return over_cases(differences(first, second))
