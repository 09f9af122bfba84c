"""How large a muscle should be on each slice, from its drawn slices, and drafts corrected to it.

Blending two signed distances shrinks what lies between them (up to a fifth of a muscle's volume at five drawn slices,
more towards closed ends). The areas of a few slices joined by a smooth curve give the volume to about one per cent,
which is why they are the clinical reference; so each draft is shifted to enclose that curve's area.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

APART = 0.1
"""Share of the drawn range that slices must lie apart for their areas to show how the muscle tapers."""

FEWEST = 4
OVERSHOOT = 1.2
"""So much larger or smaller than the nearest two known slices an area between them may be: a belly, no tremble."""

PEAK = 1.05
"""So much larger than the larger of the last two drawn areas a curve that bends beyond them may have made one between
them: three slices, of which two lie on a tip, know little of the other end (measured on the areas of structures in CT
and MR, simulated calves and bones)."""

LARGEST_SHIFT = 12.0
"""Crop pixels that a border is moved at most."""


def expected_areas(areas: Mapping[int, float], positions: np.ndarray, slices: np.ndarray) -> np.ndarray:
    """Area expected on each of `slices` (n,); nan where there is but one known slice to go by.

    `areas` maps known slices, among `slices` or not, to areas in any unit; `positions` (mm) of all slices, increasing
    or decreasing. Between known slices: Akima's curve (J. ACM 17, 1970, as in SciPy), of SciPy's the closest on thirty
    organs in CT, MR and ultrasound and on simulated calves; of fewer than FEWEST, where that is a parabola,
    and next to slices without the muscle the monotone one of Fritsch and Butland (1984). Beyond: `beyond_the_last`.
    """
    known = sorted(areas, key=lambda t: positions[t])  # a hand trembles: tracked frames may go back a little
    at, along = positions[known], positions[slices]
    kept = [0, *(np.flatnonzero(np.diff(at) > 1e-6) + 1)]
    if len(kept) < 2:
        return np.full(len(along), np.nan)
    at, values = at[kept], np.array([areas[known[i]] for i in kept], float)
    curve = _between(at, values, along)
    before, after = along < at[0], along > at[-1]
    curve[before] = beyond_the_last(-at[::-1], values[::-1], -along[before])
    curve[after] = beyond_the_last(at, values, along[after])
    return np.maximum(curve, 0.0)


def _between(at: np.ndarray, values: np.ndarray, along: np.ndarray) -> np.ndarray:
    """A curve through `values` at `at` (both (m,), increasing), OVERSHOOT at most beyond the nearest two."""
    curve = PchipInterpolator(at, values, extrapolate=False)(along)
    with_muscle = np.flatnonzero(values)
    if len(with_muscle) < FEWEST:
        return curve
    first, last = with_muscle[[0, -1]]
    belly = (along >= at[first]) & (along <= at[last])
    curve[belly] = Akima1DInterpolator(at[first : last + 1], values[first : last + 1])(along[belly])
    after = np.clip(np.searchsorted(at, along), 1, len(at) - 1)
    low, high = (limit(values[after - 1], values[after]) for limit in (np.minimum, np.maximum))
    return np.clip(curve, low / OVERSHOOT, high * OVERSHOOT)


def beyond_the_last(at: np.ndarray, values: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Areas at `ahead` (mm), all beyond the last of the known ones, `values` at `at` (both (m,), increasing).

    The square root of the area, a diameter, goes on with the slope that it has at its last place, and bends as it did
    over the last three, but never grows again: muscles and organs end like cones or ellipsoids. What lies behind a
    slice without the muscle tells nothing of its other end.
    """
    empty = np.flatnonzero(values == 0)
    at, values = (a[empty[-1] + 1 if len(empty) and values[-1] else 0 :] for a in (at, values))
    kept = _apart(at)
    at, diameters = at[kept], np.sqrt(values[kept])
    slope, bend = _course(at, diameters)
    away = ahead - at[-1]
    return np.maximum(diameters[-1] + slope * away + bend * away**2 / 2, 0.0) ** 2


def _course(at: np.ndarray, diameters: np.ndarray) -> tuple[float, float]:
    """Slope and bend, neither of them positive, of the diameters at the last place; no bend where two are known."""
    if len(at) < 2:
        return 0.0, 0.0
    steps = np.diff(at)
    slopes = np.diff(diameters) / steps
    bend = 0.0
    if len(at) > 2:
        bend = min(2 * float(slopes[-1] - slopes[-2]) / (at[-1] - at[-3]), 0.0)
        bend = max(bend, -_sharpest(steps[-1], diameters[-2:]))
    return min(float(slopes[-1] + bend * steps[-1] / 2), 0.0), bend


def _sharpest(step: float, diameters: np.ndarray) -> float:
    """Bend of the parabola through two `diameters`, a `step` apart, whose peak between them has PEAK their area.

    From that peak it falls by `falls` towards each of them, after the roots of twice these over the bend.
    """
    falls = np.sqrt(PEAK) * diameters.max() - diameters
    return 2 * float(np.sqrt(falls).sum() / step) ** 2


def _apart(at: np.ndarray) -> list[int]:
    """Of the known places, from the last one backwards those that lie a share APART of them all from the one before.

    Between neighbouring slices a slope would be that of the hand that drew them.
    """
    least = APART * (at[-1] - at[0]) * (1 - 1e-6)  # just so far apart is far enough, whatever the rounding
    kept = [len(at) - 1]
    for place in range(len(at) - 2, -1, -1):
        if at[kept[0]] - at[place] >= least:
            kept.insert(0, place)
    return kept


def with_areas(distance: np.ndarray, areas: np.ndarray, skip: Sequence[int] = ()) -> np.ndarray:
    """Signed distances (n, rows, columns) shifted so that each place encloses its area in pixels; nan leaves it."""
    corrected = distance.copy()
    for place in np.flatnonzero(np.isfinite(areas)):
        if place in skip:
            continue
        values = distance[place].ravel()
        count = int(np.clip(round(areas[place]), 1, len(values) - 1))
        level = np.partition(values, len(values) - count)[len(values) - count]
        corrected[place] -= np.clip(level, -LARGEST_SHIFT, LARGEST_SHIFT)
    return corrected


def enclosed(fields: np.ndarray) -> np.ndarray:
    """Areas (n,) in pixels that the borders of fields (n, rows, columns) enclose."""
    return np.count_nonzero(fields > 0, axis=(1, 2))
