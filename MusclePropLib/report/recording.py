"""The page of one recording."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from urllib.parse import quote

from MusclePropLib.core.annotations import is_not_muscle
from MusclePropLib.core.measurements.placed import place
from MusclePropLib.core.measurements.recording import Recording
from MusclePropLib.core.measurements.records import stem
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.measurements.tables import as_csv, muscle_rows, slice_rows
from MusclePropLib.core.segments import Segmentation
from MusclePropLib.core.volumes import Volume
from MusclePropLib.report.figures import cells, heads, legend, warnings
from MusclePropLib.report.montage import Shown, montage
from MusclePropLib.report.plots import area_plot
from MusclePropLib.report.provenance import dated, provenance_table
from MusclePropLib.report.style import download, page, section, warned

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
        f'<p><a href="{escape(quote(back))}">All recordings</a></p>' if back else "",
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{escape(_subtitle(recording, volume))}</p>',
        warned([*warnings(recording.muscles), *recording.warnings]),
        section("Measurements", _table(recording)),
        section(
            "Cross-sectional areas",
            f'{legend(recording.muscles)}<div class="plot">{area_plot(recording.muscles)}</div>'
            '<p class="dim">Dots: drawn slices. Band: where the area is to be expected.</p>',
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
    parts.append(section("How it came about", provenance_table(recording)))
    return page(title, "\n".join(parts))


def _shown(recording: Recording, segmentation: Segmentation, volume: Volume | None) -> tuple[list[Shown], Stack]:
    """The measured muscles with their label maps, slices first on the measured grid, and that grid.

    Names tell no segments apart: several may have the same.
    """
    placed = place(segmentation, volume, axis=recording.axis)
    muscles = [s for s in placed.segmentation.segments if not is_not_muscle(s.name, s.tags)]
    filled = [(placed.labels(s), s.value) for s in muscles if any((t == s.value).any() for t in placed.labels(s))]
    return [(m, *voxels) for m, voxels in zip(recording.muscles, filled, strict=True)], placed.stack


def _subtitle(recording: Recording, volume: Volume | None) -> str:
    slices = len(recording.muscles[0].positions_mm)
    image = "" if volume is None else f"image {Path(volume.source).name}"
    counted = f"{slices} slices{', at their tracked positions' if recording.tracked else ''}"
    return " · ".join(part for part in (image, counted, dated(recording)) if part)


def _table(recording: Recording) -> str:
    rows = "".join(f"<tr>{cells(m)}</tr>" for m in recording.muscles)
    name = stem(recording.source)
    files = download(f"{name}.csv", as_csv(muscle_rows(recording)), "This table as CSV")
    files += download(f"{name}-curves.csv", as_csv(slice_rows(recording)), "Areas and centroids by slice as CSV")
    table = f'<div class="wide"><table>{heads()}<tbody>{rows}</tbody></table></div>'
    return f'{table}<p class="dim">{EXPLAINED}</p><p class="files">{files}</p>'


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
