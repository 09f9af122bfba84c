"""Slices with contours, each one SVG in millimetres around a JPEG: sharp at any size, on screen and on paper."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np
from skimage.measure import find_contours

from MusclePropLib.core.measurements.muscle import MuscleMeasures

DRAWN, BETWEEN = 4, 4
MARGIN = 0.12  # of the muscles' extent
LONGEST_SIDE = 520  # pixels; larger slices are thinned
JPEG_QUALITY = 85
TOLERANCE = 0.4  # pixels that a contour may be off its mask
BARS_MM = (50, 20, 10, 5, 2, 1)

Shown = tuple[MuscleMeasures, np.ndarray, int]


def chosen_slices(muscles: Sequence[MuscleMeasures]) -> list[int]:
    """Some drawn slices, evenly over all of them, and as many of the others as far from them as can be."""
    filled = np.any([m.areas_mm2 > 0 for m in muscles], axis=0)
    known = sorted({t for m in muscles for t in m.known.drawn})
    where = np.flatnonzero(filled)
    if not known:
        return sorted({int(where[round(i)]) for i in np.linspace(0, len(where) - 1, DRAWN + BETWEEN)})
    chosen = {known[round(i)] for i in np.linspace(0, len(known) - 1, DRAWN)}
    distance = np.min([np.abs(np.arange(len(filled)) - t) for t in known], axis=0) * filled
    for _ in range(BETWEEN):
        if distance.any():
            chosen.add(int(np.argmax(distance)))
            distance = np.minimum(distance, np.abs(np.arange(len(filled)) - np.argmax(distance)))
    return sorted(chosen)


def montage(image: np.ndarray, muscles: Sequence[Shown], pixel_mm: tuple[float, float]) -> str:
    """HTML figures of the chosen slices of `image` (slices, rows, columns); `muscles` each with label map and value.

    `pixel_mm` is the (row, column) size of a pixel. Contours of drawn slices are filled.
    """
    slices = chosen_slices([m for m, *_ in muscles])
    window = _window(slices, muscles, image.shape[1:])
    return "\n".join(_figure(t, image[t], muscles, window, pixel_mm) for t in slices)


def _window(slices: Sequence[int], muscles: Sequence[Shown], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns that hold all muscles on the slices, with a margin, thinned."""
    shown = np.zeros(shape, bool)
    for t in slices:
        for _, labels, value in muscles:
            shown |= labels[t] == value
    bounds = []
    for axis in (0, 1):
        where = np.flatnonzero(shown.any(axis=1 - axis))
        margin = int(np.ceil(MARGIN * (where[-1] + 1 - where[0])))
        bounds.append((max(0, where[0] - margin), min(shape[axis], where[-1] + 1 + margin)))
    step = max(1, max(high - low for low, high in bounds) // LONGEST_SIDE)
    return tuple(slice(int(low), int(high), step) for low, high in bounds)


def _figure(
    t: int, plane: np.ndarray, muscles: Sequence[Shown], window: tuple[slice, slice], pixel_mm: tuple[float, float]
) -> str:
    frame = np.asarray(plane[window], dtype=np.float32)
    pixel = (pixel_mm[0] * window[0].step, pixel_mm[1] * window[1].step)
    height, width = frame.shape[0] * pixel[0], frame.shape[1] * pixel[1]
    parts = [f'<image href="{_jpeg(frame)}" width="{width:.2f}" height="{height:.2f}" preserveAspectRatio="none"/>']
    for measured, labels, value in muscles:
        path = _path(labels[t][window] == value, pixel)
        if path:
            kind = "drawn" if t in measured.known.drawn else "carried"
            parts.append(f'<path class="{kind}" style="--c:{css(measured.color)}" d="{path}"/>')
    parts.append(_bar(width, height))
    drawn = [m.name for m, *_ in muscles if t in m.known.drawn]
    position = muscles[0][0].positions_mm[t]
    said = f"drawn: {', '.join(drawn)}" if drawn else "propagated" if any(m.known.drawn for m, *_ in muscles) else ""
    return (
        f'<figure class="slice"><svg viewBox="0 0 {width:.2f} {height:.2f}" role="img" aria-label="slice {t}">'
        f"{''.join(parts)}</svg><figcaption>slice {t}, {position:.0f} mm<br><b>{escape(said)}</b></figcaption></figure>"
    )


def css(color: tuple[float, float, float]) -> str:
    """A CSS colour."""
    return "#" + "".join(f"{round(255 * c):02x}" for c in color)


def _jpeg(frame: np.ndarray) -> str:
    """A data URL; grey levels from the 1st percentile to the 99.5th."""
    low, high = np.percentile(frame, (1, 99.5))
    grey = np.clip((frame - low) * (255.0 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def _path(mask: np.ndarray, pixel: tuple[float, float]) -> str:
    """SVG path in mm around a mask."""
    rings = (c.astype(np.float32)[:, None] for c in find_contours(np.pad(mask, 1), 0.5))
    simpler = (cv2.approxPolyDP(ring, TOLERANCE, closed=True)[:, 0] for ring in rings)
    return " ".join(
        "M" + "L".join(f"{(x - 0.5) * pixel[1]:.2f} {(y - 0.5) * pixel[0]:.2f}" for y, x in ring) + "Z"
        for ring in simpler
    )


def _bar(width: float, height: float) -> str:
    length = next((mm for mm in BARS_MM if mm <= width / 3), BARS_MM[-1])
    x, y, size = 0.04 * width, 0.955 * height, width / 22
    return (
        f'<path class="bar" d="M{x:.2f} {y:.2f}h{length}"/>'
        f'<text x="{x:.2f}" y="{y - 0.4 * size:.2f}" font-size="{size:.2f}">{length} mm</text>'
    )
