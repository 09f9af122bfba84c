"""Figures of a muscle as table cells, and what is to be warned of."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from MusclePropLib.core.measurements.muscle import MuscleMeasures
from MusclePropLib.core.measurements.tables import echo, millilitres, readable
from MusclePropLib.report.montage import css
from MusclePropLib.report.style import breakable, cell

LOW_DICE = 0.8
"""Below this expected Dice a slice is to be looked at, and a muscle warned of."""

DISAGREEMENT = 0.1
"""A propagated volume this far from the spline's, relative to it, is warned of: at few slices the spline is good."""

FEWEST_FOR_SPLINE = 3

HEADS = (
    ("Muscle", ""),
    ("Volume", "ml"),
    ("Expected range", "ml"),
    ("Expected Dice", ""),
    ("Drawn range", "ml"),
    ("Spline", "ml"),
    ("Cones", "ml"),
    ("Largest ACSA", "cm²"),
    ("at", "mm"),
    ("Length", "mm"),
    ("Echo", "grey (SD)"),
)


def heads(first: Sequence[str] = ()) -> str:
    """The table's heads, those of text to the left."""
    cells = [f'<th class="text">{escape(f)}</th>' for f in first]
    texts = (f"{escape(name)}{f'<br>{escape(unit)}' if unit else ''}" for name, unit in HEADS)
    cells += [f'<th class="text">{text}</th>' if n == 0 else f"<th>{text}</th>" for n, text in enumerate(texts)]
    return f"<thead><tr>{''.join(cells)}</tr></thead>"


def cells(m: MuscleMeasures) -> str:
    """One muscle's figures under HEADS."""
    expected, estimate = m.expected, m.known.estimate
    low = estimate is not None and estimate < LOW_DICE
    width = None if expected is None else expected.high_ml - expected.low_ml
    span = "" if expected is None else f"{millilitres(expected.low_ml)}–{millilitres(expected.high_ml)}"
    grey = echo(m.intensity_mean, m.intensity_sd)
    return "".join(
        [
            cell(_named(m), m.name, "text name"),
            cell(f"<b>{millilitres(m.volume_ml)}</b>", m.volume_ml),
            cell(span, "" if width is None else width, "nowrap"),
            _number(estimate, 2, "low" if low else ""),
            _volume(m.between_drawn_ml),
            _volume(m.spline_ml),
            _volume(m.cones_ml),
            _number(m.max_area_mm2 / 100, 2),
            _number(m.max_area_position_mm, 0),
            _number(m.length_mm, 0),
            cell(grey, "" if m.intensity_mean is None else m.intensity_mean, "nowrap"),
        ]
    )


def legend(muscles: Sequence[MuscleMeasures]) -> str:
    """The muscles' names beside their colours, in as many lines as they need."""
    return f'<p class="legend">{"".join(f"<span>{_named(m)}</span>" for m in muscles)}</p>'


def _named(m: MuscleMeasures) -> str:
    return f'<span class="swatch" style="background:{css(m.color)}"></span>{breakable(m.name)}'


def warnings(muscles: Sequence[MuscleMeasures]) -> list[str]:
    """Sentences on muscles and slices of low confidence, and where one more contour would help most.

    Also on muscles whose propagated volume is not that of the spline.
    """
    said = [
        f"{m.name}: the expected Dice is {m.known.estimate:.2f}; check this muscle before its volume is used."
        for m in muscles
        if m.known.estimate is not None and m.known.estimate < LOW_DICE
    ]
    for m in muscles:
        weak = _weak(m)
        if len(weak):
            said.append(
                f"{m.name}: on {len(weak)} of {np.count_nonzero(m.areas_mm2)} slices the expected Dice is below "
                f"{LOW_DICE} (slices {ranges(weak)})."
            )
    said += [_disagreement(m) for m in muscles if _disagrees(m)]
    if said and (worst := _worst(muscles)) is not None:
        said.append(f"One more contour would help most on slice {worst}.")
    return said


def _disagrees(m: MuscleMeasures) -> bool:
    if not m.spline_ml or m.between_drawn_ml is None or len(m.known.drawn) < FEWEST_FOR_SPLINE:
        return False
    return abs(m.between_drawn_ml / m.spline_ml - 1) > DISAGREEMENT


def _disagreement(m: MuscleMeasures) -> str:
    volumes = millilitres(m.between_drawn_ml), millilitres(m.spline_ml)
    return (
        f"{m.name}: from the first drawn slice to the last it has {volumes[0]} ml, but the spline through the drawn "
        f"slices {volumes[1]} ml; look at the slices between them."
    )


def ranges(slices: Sequence[int]) -> str:
    """3–5, 9; "" of none."""
    if not len(slices):
        return ""
    runs = np.split(np.asarray(slices), np.flatnonzero(np.diff(slices) > 1) + 1)
    return ", ".join(f"{r[0]}" if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)


def _weak(m: MuscleMeasures) -> np.ndarray:
    if m.known.confidence is None:
        return np.array([], int)
    with np.errstate(invalid="ignore"):
        return np.flatnonzero((m.known.confidence < LOW_DICE) & (m.areas_mm2 > 0))


def _worst(muscles: Sequence[MuscleMeasures]) -> int | None:
    """The slice with the largest area expected to be wrong, over all muscles; None if nothing is in doubt."""
    doubts = [(1 - np.nan_to_num(m.known.confidence, nan=1.0)) * m.areas_mm2 for m in muscles if _known(m)]
    in_all = np.sum(doubts, axis=0)
    return int(np.argmax(in_all)) if np.any(in_all) else None


def _known(m: MuscleMeasures) -> bool:
    return m.known.confidence is not None


def _volume(value: float | None) -> str:
    return cell("", "") if value is None else cell(millilitres(value), value)


def _number(value: float | None, decimals: int, kind: str = "") -> str:
    return cell("", "") if value is None else cell(readable(value, decimals), value, kind)
