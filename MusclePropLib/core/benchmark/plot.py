"""Accuracy against the number of drawn slices, one line per method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from MusclePropLib.core.benchmark.statistics import mean_over_subjects
from MusclePropLib.core.files import replacing
from MusclePropLib.core.rivals import RIVALS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]
PANELS = (
    ("dice", False, "Dice"),
    ("hd95_mm", False, "HD95 (mm)"),
    ("muscle_error_percent", True, "Muscle volume error, absolute (%)"),
)
MOST_CASES = 6
# Okabe and Ito's colours, told apart by the colour-blind; MuscleProp's own lines are black and thicker.
COLORS = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#999999", "#8C6D31", "#661100", "#332288")
MARKERS = "osD^vPX<>h"
LINES = {"muscleprop-priors": "--", "muscleprop-scratch": ":", "muscleprop-no-negatives": "-."}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a PNG: a row of panels for the mean over subjects (if there are several), and one per case if few."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    done = [row for row in rows if row["status"] == "done"]
    groups = _groups(done)
    figure = Figure(figsize=(4.2 * len(PANELS), 0.9 + 2.9 * len(groups)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(groups), len(PANELS), squeeze=False, sharex=True)
    for line, (title, group) in zip(axes, groups.items(), strict=True):
        for panel, (figure_name, size, label) in zip(line, PANELS, strict=True):
            _panel(panel, group, figure_name, size)
            panel.set_title(f"{title}: {label}" if panel is line[0] else label, fontsize=9, loc="left")
    for panel in axes[-1]:
        panel.set_xlabel("drawn slices")
    handles = {h.get_label(): h for panel in axes.flat for h in panel.get_legend_handles_labels()[0]}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    with replacing(path) as part:
        figure.savefig(part, dpi=150)


def _groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    cases = list(dict.fromkeys(row["case"] for row in rows))
    groups = {case: [row for row in rows if row["case"] == case] for case in cases} if len(cases) <= MOST_CASES else {}
    subjects = len({row["subject"] for row in rows})
    told = "cases" if all(row["subject"] == row["case"] for row in rows) else "subjects"  # whose they are nobody said
    return ({f"Mean of {subjects} {told}": list(rows)} if subjects > 1 else {}) | groups


def _panel(panel: Axes, rows: Sequence[Row], figure_name: str, size: bool) -> None:
    counts = sorted({row["slices"] for row in rows})
    methods = [name for name in RIVALS if any(row["method"] == name for row in rows)]
    for place, method in enumerate(methods):
        own = [row for row in rows if row["method"] == method]
        measured = [n for n in counts if any(r["slices"] == n for r in own)]
        found = [mean_over_subjects([r for r in own if r["slices"] == n], figure_name, size=size) for n in measured]
        if all(math.isnan(interval.mean) for interval in found):
            continue
        _line(panel, np.array(measured, float) + _aside(place, len(methods), counts), found, method)
    panel.set_xticks(counts)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)


def _line(panel: Axes, at: np.ndarray, found: list, method: str) -> None:
    index = list(RIVALS).index(method)
    own = method.startswith("muscleprop")
    style = {
        "color": "black" if own else COLORS[index % len(COLORS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES.get(method, "-"),
        "linewidth": 2.2 if own else 1.2,
        "zorder": 3 if own else 2,
    }
    means = [interval.mean for interval in found]
    panel.plot(at, means, label=RIVALS[method].title, markersize=4, **style)
    bounds = np.array([[i.mean - i.low, i.high - i.mean] for i in found]).T
    if np.isfinite(bounds).any():
        panel.errorbar(at, means, np.nan_to_num(bounds), fmt="none", ecolor=style["color"], elinewidth=0.8, alpha=0.7)


def _aside(place: int, methods: int, counts: list[int]) -> float:
    """A small shift that keeps error bars from covering one another."""
    room = min(np.diff(counts)) if len(counts) > 1 else 1.0
    return 0.14 * float(room) * (place / max(methods - 1, 1) - 0.5)
