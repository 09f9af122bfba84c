"""The page of one recording."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from MusclePropLib import __version__
from MusclePropLib.core.measurements.placed import place
from MusclePropLib.core.measurements.recording import Recording
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.segments import Segmentation
from MusclePropLib.core.volumes import Volume
from MusclePropLib.report.figures import cells, heads, ranges, warnings
from MusclePropLib.report.montage import Shown, montage
from MusclePropLib.report.plots import area_plot
from MusclePropLib.report.style import page, section, warned

EXPLAINED = (
    "The expected range is where the volume may lie by the confidence on each slice, not a 95 % interval. The volume "
    "counts the whole muscle; that of the drawn range, from the first drawn slice to the last, is to be compared with "
    "the spline and the truncated cones through the drawn slices alone. ACSA: anatomical cross-sectional area."
)


def recording_page(recording: Recording, segmentation: Segmentation, volume: Volume | None, back: str = "") -> str:
    """HTML of a measured segmentation. `volume`, if there is one, is what it was measured with; `back` a link."""
    title = Path(recording.source).name
    shown, stack = _shown(recording, segmentation, volume)
    parts = [
        f'<p><a href="{escape(back)}">All recordings</a></p>' if back else "",
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(_subtitle(recording, volume))}</p>',
        warned([*warnings(recording.muscles), *recording.warnings]),
        section("Measurements", _table(recording)),
        section(
            "Cross-sectional areas",
            f'<div class="plot">{area_plot(recording.muscles)}</div><p class="dim">Dots: drawn slices. Band: where the '
            "area is to be expected.</p>",
        ),
        section("In three dimensions", _views(shown, stack)),
    ]
    if volume is not None:
        spacing = volume.along(recording.axis).geometry.spacing[1:]
        figures = montage(volume.along(recording.axis).array, shown, spacing)
        parts.append(
            section(
                "Slices", f'<div class="slices">{figures}</div><p class="dim">Filled contours were drawn.</p>', "long"
            )
        )
    parts.append(section("How it came about", _provenance(recording)))
    return page(title, "\n".join(parts))


def _shown(recording: Recording, segmentation: Segmentation, volume: Volume | None) -> tuple[list[Shown], Stack]:
    """The measured muscles with their label maps, slices first on the measured grid, and that grid."""
    placed = place(segmentation, volume, axis=recording.axis)
    measured = {m.name: m for m in recording.muscles}
    segments = [s for s in placed.segmentation.segments if s.name in measured]
    return [(measured[s.name], placed.labels(s), s.value) for s in segments], placed.stack


def _subtitle(recording: Recording, volume: Volume | None) -> str:
    slices = len(recording.muscles[0].positions_mm)
    image = f"image {Path(volume.source).name}, " if volume is not None else ""
    return f"{image}{slices} slices{', at their tracked positions' if recording.tracked else ''}"


def _table(recording: Recording) -> str:
    rows = "".join(f"<tr>{cells(m)}</tr>" for m in recording.muscles)
    return f'<div class="wide"><table>{heads()}<tbody>{rows}</tbody></table></div><p class="dim">{EXPLAINED}</p>'


def _views(shown: list[Shown], stack: Stack) -> str:
    try:
        from MusclePropLib.report.view3d import NoGraphics, views
    except ImportError:
        return '<p class="dim">No three-dimensional view: VTK is not installed.</p>'
    try:
        pictures = views(shown, stack)
    except NoGraphics as fault:
        return f'<p class="dim">{escape(str(fault))}.</p>'
    images = (f'<img alt="the muscles" src="data:image/png;base64,{base64.b64encode(p).decode()}">' for p in pictures)
    return f'<div class="views">{"".join(images)}</div><p class="dim">From three sides; rings: drawn slices.</p>'


def _provenance(recording: Recording) -> str:
    path = Path(recording.source)
    items: dict[str, str] = {}
    for m in recording.muscles:
        if m.known.drawn:
            items[f"{m.name}, drawn slices"] = ranges(m.known.drawn)
        outcome = (m.known.provenance or {}).get("muscle") or {}
        if outcome.get("method"):
            fill = outcome.get("fill_estimate")
            beside = "" if fill is None else f"; by filling between slices it would be {fill:.2f}"
            estimate = outcome.get("estimate")
            items[f"{m.name}, method"] = outcome["method"] + (
                "" if estimate is None else f", expected Dice {estimate:.2f}{beside}"
            )
    common = next((m.known.provenance for m in recording.muscles if m.known.provenance), {})
    items |= _flat({k: v for k, v in common.items() if k != "muscle"})
    if path.exists():
        items["result written"] = datetime.datetime.fromtimestamp(path.stat().st_mtime).isoformat(" ", "minutes")
    items["report"] = f"MuscleProp {__version__}, {datetime.datetime.now().isoformat(' ', 'minutes')}"
    return f"<dl>{''.join(f'<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>' for k, v in items.items())}</dl>"


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    """Settings and versions as text, a level of nesting opened."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = key.replace("_", " ")
        inner = (
            {f"{name}, {k}": v for k, v in _flat(value).items()} if isinstance(value, Mapping) else {name: str(value)}
        )
        flat |= inner
    return flat
