"""Plots as SVG that takes its ink from the page, so that one drawing serves light, dark and paper."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from textwrap import wrap

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from MusclePropLib.core.measurements.agreement import BlandAltman
from MusclePropLib.core.measurements.muscle import MuscleMeasures
from MusclePropLib.core.measurements.tables import millilitres

INK = "#010203"
"""Stands for the page's text colour: no muscle has it."""

MOST_BAND = 2.0
"""A band that reaches above this, relative to the largest area, is cut off there, or the curves could not be read."""

LABEL_CHARACTERS, LABEL_LINES, LINE_POINTS = 28, 4, 13
"""Room for a muscle's name beside its row of the strip plot."""

SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a muscle's name is no formula, whatever is in it
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def area_plot(muscles: Sequence[MuscleMeasures]) -> str:
    """ACSA along the slices: bands where the truth is to be expected, dots at drawn slices; no legend."""
    with rc_context(SETTINGS):
        figure, axes = _axes(10, 3.6)
        for m in muscles:
            shown = slice(*_ends(m.areas_mm2))
            order = np.argsort(m.positions_mm[shown], kind="stable")
            x, y = m.positions_mm[shown][order], m.areas_mm2[shown][order] / 100
            axes.plot(x, y, color=m.color, linewidth=2)
            if m.expected is not None:
                low, high = m.expected.low_mm2[shown][order] / 100, m.expected.high_mm2[shown][order] / 100
                axes.fill_between(x, low, high, color=m.color, alpha=0.2, linewidth=0)
            drawn = list(m.known.drawn)
            axes.plot(m.positions_mm[drawn], m.areas_mm2[drawn] / 100, "o", color=m.color, markeredgecolor=INK)
        axes.set_xlabel("position along the slices (mm)")
        axes.set_ylabel("cross-sectional area (cm²)")
        most = max(m.max_area_mm2 for m in muscles) / 100
        axes.set_ylim(0, min(axes.get_ylim()[1], MOST_BAND * most))
        return _svg(figure, "cross-sectional areas along the slices")


def strip_plot(values: dict[str, Sequence[float]], colors: dict[str, tuple[float, float, float]], unit: str) -> str:
    """Every recording's value as a dot, by muscle, with the median."""
    with rc_context(SETTINGS):
        labels = [wrap(name, LABEL_CHARACTERS, max_lines=LABEL_LINES, placeholder="…") for name in values]
        figure, axes = _axes(6, 0.9 + 0.5 * len(values) * max(1.0, *(len(lines) / 2 for lines in labels)))
        across = axes.get_yaxis_transform()  # x in parts of the axes, y in rows
        for row, (name, found) in enumerate(values.items()):
            shift = 0.12 * np.sin(2.4 * np.arange(len(found)))  # apart, and the same every time
            axes.plot(found, row + shift, "o", color=colors[name], alpha=0.8, markersize=6, markeredgecolor="none")
            axes.plot([np.median(found)] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=1.5)
            for number, line in enumerate(labels[row]):  # each by itself: only then does it end at the axis in any font
                place = (-7, LINE_POINTS * ((len(labels[row]) - 1) / 2 - number))
                axes.annotate(line, (0, row), place, across, "offset points", ha="right", va="center")
        axes.set_yticks(range(len(values)), [""] * len(values))
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel(unit)
        return _svg(figure, unit)


def bland_altman_plot(found: BlandAltman, color: tuple[float, float, float], label: str) -> str:
    """Differences against means, bias and limits of agreement, in ml; `label` for those who cannot see it."""
    with rc_context(SETTINGS):
        figure, axes = _axes(4.6, 3)
        axes.margins(x=0.08)
        axes.plot(found.means, found.differences, "o", color=color, markeredgecolor="none")
        for value, style in ((found.bias, "-"), *((limit, (0, (4, 3))) for limit in found.limits)):
            axes.axhline(value, color=INK, linewidth=1, linestyle=style)
            place = axes.get_yaxis_transform()  # x in parts of the axes, y in ml
            axes.annotate(millilitres(value, "+"), (1, value), (3, 0), place, "offset points", va="center")
        axes.set_xlabel("mean of both (ml)")
        axes.set_ylabel("difference (ml)")
        return _svg(figure, label)


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    axes.grid(color=INK, alpha=0.12, linewidth=0.6)
    axes.margins(x=0.02)
    return figure, axes


def _svg(figure: Figure, label: str) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    head = r'<svg [^>]*?viewBox="([^"]*)"[^>]*>'
    said = escape(label)
    svg = re.sub(head, lambda m: f'<svg viewBox="{m[1]}" role="img" aria-label="{said}">', svg, count=1)
    return svg.replace(INK, "currentColor")


def _ends(areas: np.ndarray) -> tuple[int, int]:
    """From one slice before the muscle to one after, so that curves come down to zero."""
    where = np.flatnonzero(areas)
    return max(0, int(where[0]) - 1), min(len(areas), int(where[-1]) + 2)
