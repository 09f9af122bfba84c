"""Whether MuscleProp knows how good it is: the Dice that it expects of each muscle against the true one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from MusclePropLib.core.benchmark.layouts import LAYOUTS, shown
from MusclePropLib.core.benchmark.report import number, table
from MusclePropLib.core.benchmark.results import OURS
from MusclePropLib.core.files import replacing

Row = dict[str, Any]
MARKERS = "o^sD"
"""For each kind of case, in the order in which they come."""

COLUMNS = 3


class Point(NamedTuple):
    """One muscle of one propagation."""

    kind: str
    layout: str
    slices: int
    expected: float
    true: float


def points_of(rows: Iterable[Row], method: str = OURS) -> list[Point]:
    """Every muscle of every done row that has an estimate; with one drawn slice there is none.

    What was trained again with another seed, on the same drawn slices, is no further point.
    """
    return [
        Point(row["kind"], row["layout"], row["slices"], told["estimate"], row["scores"][muscle]["dice"])
        for row in rows
        if row["method"] == method and row["status"] == "done" and "seed" not in row["options"]
        for muscle, told in row.get("said", {}).items()
        if told["estimate"] is not None
    ]


def calibration(rows: Sequence[Row], picture: str | None = None) -> str:
    """The section of the page: figures over all points, then by number of slices, layout and kind of case."""
    points = points_of(rows)
    text = """## The self-estimate

Dice that MuscleProp expects of a muscle, without any truth, against the true one: of all its runs, a point for each
muscle that it has an estimate of; of one drawn on a single slice it has none. The bias is expected minus true."""
    if not points:
        return f"{text}\n\nNot measured yet."
    groups = {"all": points}
    groups |= {f"n = {n}": [p for p in points if p.slices == n] for n in sorted({p.slices for p in points})}
    groups |= {f"layout {shown(layout)}": [p for p in points if p.layout == layout] for layout in LAYOUTS}
    groups |= {kind: [p for p in points if p.kind == kind] for kind in _kinds(points)}
    lines = [_figures(title, group) for title, group in groups.items() if group]
    header = ["points", "number", "Pearson correlation", "mean absolute error", "bias", "largest overestimate"]
    image = f"\n\n![Expected against true Dice]({picture})" if picture else ""
    return f"{text}\n\n{table(header, lines)}{image}"


def _kinds(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(p.kind for p in points))


def _figures(title: str, points: Sequence[Point]) -> list[str]:
    expected, true = (np.array([getattr(p, fact) for p in points]) for fact in ("expected", "true"))
    error = expected - true
    spread = len(points) > 2 and expected.std() > 0 and true.std() > 0
    correlation = float(np.corrcoef(expected, true)[0, 1]) if spread else float("nan")
    figures = [number(correlation, ".2f"), f"{np.abs(error).mean():.3f}", f"{error.mean():+.3f}"]
    return [title, str(len(points)), *figures, f"{error.max():+.3f}"]


def draw_calibration(rows: Sequence[Row], path: Path) -> bool:
    """Write a PNG, a panel for each layout, and return True; nothing if there are no points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    points = points_of(rows)
    if not points:
        return False
    layouts = [layout for layout in LAYOUTS if any(p.layout == layout for p in points)]
    columns = min(COLUMNS, len(layouts))
    lines = -(-len(layouts) // columns)
    figure = Figure(figsize=(0.7 + 3.3 * columns, 1.1 + 3.1 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    counts, markers = sorted({p.slices for p in points}), dict(zip(_kinds(points), cycle(MARKERS), strict=False))
    colors = dict(zip(counts, _colors(len(counts)), strict=True))
    low = min(min(p.expected, p.true) for p in points)
    for panel, layout in zip(axes.flat, layouts, strict=False):
        _panel(panel, [p for p in points if p.layout == layout], markers, colors, max(0.0, low - 0.03))
        panel.set_title(shown(layout), fontsize=10, loc="left")
    for panel in axes.flat[len(layouts) :]:
        panel.set_axis_off()
    figure.supxlabel("true Dice on the slices that were not drawn", fontsize=10)
    figure.supylabel("expected Dice", fontsize=10)
    dot = {"linestyle": "", "markersize": 6, "markeredgewidth": 0}
    handles = [Line2D([], [], marker="s", color=colors[n], label=f"n = {n}", **dot) for n in counts]
    handles += [Line2D([], [], marker=marker, color="0.4", label=kind, **dot) for kind, marker in markers.items()]
    handles.append(Line2D([], [], color="0.4", linewidth=1, label="expected as it is"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=8, frameon=False)
    with replacing(path) as part:
        figure.savefig(part, dpi=150)
    return True


def _panel(panel: Any, points: Sequence[Point], markers: dict[str, str], colors: dict[int, Any], low: float) -> None:
    panel.plot([low, 1], [low, 1], color="0.4", linewidth=1, zorder=1)
    for kind, marker in markers.items():
        here = [p for p in points if p.kind == kind]
        panel.scatter(
            [p.true for p in here],
            [p.expected for p in here],
            c=[colors[p.slices] for p in here],
            marker=marker,
            s=22,
            alpha=0.75,
            linewidths=0,
            zorder=2,
        )
    panel.set(xlim=(low, 1.005), ylim=(low, 1.005), aspect="equal")
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)


def _colors(count: int) -> list[Any]:
    """From few slices to many, light enough to be told from black."""
    from matplotlib import colormaps

    return [colormaps["viridis"](place) for place in np.linspace(0.0, 0.9, count)]
