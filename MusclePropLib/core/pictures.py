"""A propagation at a glance: drawn slices, slices in between, and the curves of cross-sectional areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecFromSubplotSpec
from matplotlib.lines import Line2D

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.files import replacing
from MusclePropLib.core.geometry import Geometry

COLUMNS = 5
MARGIN = 0.12  # of the muscles' extent
WIDTH, TITLES, CURVES = 15.0, 0.5, 3.2  # inches: the figure, two lines above a row, the curves
LETTER, LINE, HANDLE = 0.086, 0.2, 0.67  # inches of usual text, and of what stands before a name in a legend
PANEL_LETTERS, LEGEND_LETTERS, TITLE_LETTERS = 34, 60, 110  # of a line
PANEL_LINES, LEGEND_LINES = 5, 2  # at most
DRAWN, REFERENCE = "drawn by the expert (tinted above)", "reference"
LONGEST_SIDE = 700  # pixels of a panel; larger images are thinned
BACKGROUND, INK, FAINT = "#111417", "#e8eaed", "#9aa0a6"
SCALE_BAR_MM = (50, 20, 10, 5, 2, 1)


@dataclass(frozen=True)
class _View:
    """What is shown of every slice: window (rows, columns), thinned by `step`, and the pixel in mm after that."""

    window: tuple[slice, slice]
    pixel: tuple[float, float]

    @property
    def aspect(self) -> float:
        """Height over width in mm."""
        rows, columns = (
            len(range(w.start, w.stop, w.step)) * mm for w, mm in zip(self.window, self.pixel, strict=True)
        )
        return rows / columns


@rc_context({"text.parse_math": False})  # a muscle's name is no formula, whatever is in it
def montage(
    path: Path,
    image: np.ndarray,
    labels: np.ndarray,
    annotations: Annotations,
    geometry: Geometry,
    reference: np.ndarray | None = None,
    title: str = "",
    positions: np.ndarray | None = None,
) -> None:
    """Write a PNG: a row of drawn slices, a row of slices far from any drawn one, and the curves of areas.

    `image` and `labels` are (slices, rows, columns) on `geometry` (value i + 1 = muscle i; others are not shown),
    `reference` likewise where the truth is known, `positions` (slices,) mm along a tracked sweep. They may be mapped
    from files: only the shown slices are copied.
    """
    positions = np.arange(len(labels)) * geometry.spacing[0] if positions is None else positions
    counts = _counts(labels, len(annotations.muscles))
    drawn, between = chosen_slices(annotations, counts.sum(axis=0) > 0)
    view = _view([*drawn, *between], labels, annotations, geometry)
    titles = {t: _title(t, positions[t], annotations) for t in (*drawn, *between)}
    entries = [*map(_entry, annotations.muscles), DRAWN, *([] if reference is None else [REFERENCE])]
    columns = legend_columns(entries, WIDTH - 1)
    heights = [view.aspect * WIDTH / COLUMNS + _above(titles, slices) for slices in (drawn, between)]
    heights.append(CURVES + LINE * (max(map(_lines, entries)) * -(-len(entries) // columns) - 1))
    heading = fill(title or "Propagated muscles", TITLE_LETTERS)
    size = WIDTH, sum(heights) + TITLES * _lines(heading)
    figure = Figure(figsize=size, facecolor=BACKGROUND, layout="constrained")
    rows = figure.add_gridspec(3, 1, height_ratios=heights)
    for row, slices in zip(rows, (drawn, between), strict=False):
        for axes, t in zip(_row_of_axes(figure, row), slices, strict=False):
            axes.set_title(titles[t], color=INK, fontsize=10)
            _show_slice(axes, t, image, labels, annotations, reference, view)
    pixel_cm2 = geometry.spacing[1] * geometry.spacing[2] / 100
    areas = figure.add_subplot(rows[2])
    truth = None if reference is None else _counts(reference, len(annotations.muscles)) * pixel_cm2
    _show_areas(areas, positions, counts * pixel_cm2, truth, annotations, columns)
    figure.suptitle(heading, color=INK, fontsize=15)
    with replacing(Path(path)) as part:
        figure.savefig(part, dpi=110, facecolor=BACKGROUND)


def chosen_slices(annotations: Annotations, filled: np.ndarray) -> tuple[list[int], list[int]]:
    """At most COLUMNS drawn slices, evenly over all of them, and as many that lie farthest from any drawn slice."""
    known = annotations.known_slices()
    drawn = [known[i] for i in sorted({round(x) for x in np.linspace(0, len(known) - 1, COLUMNS)})]
    distance = np.min([np.abs(np.arange(len(filled)) - t) for t in known], axis=0) * filled
    between = []
    while len(between) < COLUMNS and distance.any():
        t = int(np.argmax(distance))
        between.append(t)
        distance = np.minimum(distance, np.abs(np.arange(len(filled)) - t))
    return drawn, sorted(between)


def legend_columns(entries: Sequence[str], inches: float) -> int:
    """As many columns as fit; `entries` are put into them one column after the other, as evenly as can be."""
    widths = [HANDLE + LETTER * max(map(len, entry.split("\n"))) for entry in entries]
    fitting = (n for n in range(len(widths), 1, -1) if sum(map(max, np.array_split(widths, n))) <= inches)
    return next(fitting, 1)


def _entry(muscle: MuscleAnnotation) -> str:
    """The muscle's name for the legend."""
    return fill(muscle.name, LEGEND_LETTERS, max_lines=LEGEND_LINES, placeholder="…")


def _title(t: int, position: float, annotations: Annotations) -> str:
    """What stands above slice `t`."""
    names = ", ".join(muscle.name for muscle in annotations.muscles if t in muscle.drawn)
    said = fill(f"drawn: {names}", PANEL_LETTERS, max_lines=PANEL_LINES, placeholder="…") if names else "propagated"
    return f"slice {t}, {position:.0f} mm\n{said}"


def _above(titles: Mapping[int, str], slices: Sequence[int]) -> float:
    """Inches above a row of slices."""
    return TITLES + LINE * (max((_lines(titles[t]) for t in slices), default=2) - 2)


def _lines(text: str) -> int:
    return text.count("\n") + 1


def _counts(labels: np.ndarray, muscles: int) -> np.ndarray:
    """Voxels (muscles, slices) of each label on each slice."""
    return np.array([np.bincount(plane.ravel(), minlength=muscles + 1)[1 : muscles + 1] for plane in labels]).T


def _view(slices: Sequence[int], labels: np.ndarray, annotations: Annotations, geometry: Geometry) -> _View:
    """The window that holds all muscles on the shown slices, with a margin."""
    shown = np.zeros(labels.shape[1:], bool)
    for t in slices:
        shown |= (labels[t] > 0) & (labels[t] <= len(annotations.muscles))
        for muscle in annotations.muscles:
            shown |= muscle.drawn.get(t, False)
    window = []
    for axis in (0, 1):
        filled = np.flatnonzero(shown.any(axis=1 - axis))
        low, high = (filled[0], filled[-1] + 1) if len(filled) else (0, shown.shape[axis])
        margin = int(np.ceil(MARGIN * (high - low)))
        window.append((max(0, low - margin), min(shown.shape[axis], high + margin)))
    step = max(1, max(high - low for low, high in window) // LONGEST_SIDE)
    pixel = geometry.spacing[1] * step, geometry.spacing[2] * step
    return _View(tuple(slice(low, high, step) for low, high in window), pixel)


def _row_of_axes(figure: Figure, row: object) -> list[Axes]:
    cells = GridSpecFromSubplotSpec(1, COLUMNS, row)
    axes = [figure.add_subplot(cell) for cell in cells]
    for each in axes:
        each.set_axis_off()
    return axes


def _show_slice(
    axes: Axes,
    t: int,
    image: np.ndarray,
    labels: np.ndarray,
    annotations: Annotations,
    reference: np.ndarray | None,
    view: _View,
) -> None:
    frame = np.asarray(image[t])[view.window].astype(np.float32)
    low, high = np.percentile(frame, (1, 99.5))
    axes.imshow(frame, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=view.pixel[0] / view.pixel[1])
    for index, muscle in enumerate(annotations.muscles):
        drawn = muscle.drawn.get(t)
        if drawn is not None:
            _tint(axes, drawn[view.window], muscle.color)
            _outline(axes, drawn[view.window], muscle.color, 1.8)
        else:
            _outline(axes, labels[t][view.window] == index + 1, muscle.color, 1.8)
            if reference is not None:
                _outline(axes, reference[t][view.window] == index + 1, "white", 0.9, (0, (3, 3)))
    _scale_bar(axes, frame.shape, view.pixel[1])


def _outline(axes: Axes, mask: np.ndarray, color: object, width: float, style: object = "-") -> None:
    if mask.any():
        axes.contour(mask, levels=[0.5], colors=[color], linewidths=width, linestyles=[style])


def _tint(axes: Axes, mask: np.ndarray, color: tuple[float, float, float]) -> None:
    layer = np.zeros((*mask.shape, 4), np.float32)
    layer[mask] = (*color, 0.28)
    axes.imshow(layer, aspect=axes.get_aspect())


def _scale_bar(axes: Axes, shape: tuple[int, int], pixel: float) -> None:
    rows, columns = shape
    length = next((mm for mm in SCALE_BAR_MM if mm / pixel <= columns / 3), SCALE_BAR_MM[-1])
    left, bottom = 0.04 * columns, 0.96 * rows
    axes.plot([left, left + length / pixel], [bottom, bottom], color=INK, linewidth=2.5, solid_capstyle="butt")
    axes.text(left, bottom - 0.02 * rows, f"{length} mm", color=INK, fontsize=8, va="bottom")


def _show_areas(
    axes: Axes,
    positions: np.ndarray,
    areas: np.ndarray,
    truth: np.ndarray | None,
    annotations: Annotations,
    columns: int,
) -> None:
    """Areas (muscles, slices) in cm2 along the leg; dots where the expert has drawn; a legend of so many columns."""
    order = np.argsort(positions)
    handles = []
    for index, muscle in enumerate(annotations.muscles):
        style = {"color": muscle.color, "linewidth": 2, "label": _entry(muscle)}
        (line,) = axes.plot(positions[order], areas[index][order], **style)
        if truth is not None:
            axes.plot(positions[order], truth[index][order], color="white", linewidth=0.9, linestyle=(0, (3, 3)))
        drawn = muscle.drawn_slices
        axes.plot(positions[drawn], areas[index][drawn], "o", color=muscle.color, markeredgecolor="white")
        handles.append(line)
    handles.append(
        Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            color=FAINT,
            markeredgecolor="white",
            label=DRAWN,
        )
    )
    if truth is not None:
        handles.append(Line2D([], [], linestyle=(0, (3, 3)), color="white", linewidth=0.9, label=REFERENCE))
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "frameon": False}
    axes.legend(handles=handles, labelcolor=INK, ncols=columns, **place)
    axes.set_facecolor(BACKGROUND)
    axes.set_xlabel("along the leg (mm)", color=INK)
    axes.set_ylabel("cross-sectional area (cm²)", color=INK)
    axes.tick_params(colors=FAINT)
    axes.grid(color=INK, alpha=0.08)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(FAINT)
