"""How large a muscle should be on each slice, from its drawn slices, and drafts corrected to it.

Blending two signed distances shrinks what lies between them (up to a fifth of a muscle's volume at five drawn slices,
more towards closed ends). The areas of a few slices joined by a smooth curve give the volume to about one per cent,
which is why they are the clinical reference; so each draft is shifted to enclose that curve's area.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

LARGEST_SHIFT = 12.0
"""Crop pixels that a border is moved at most."""


def expected_areas(areas: Mapping[int, float], along: np.ndarray) -> np.ndarray:
    """Area expected on each place (n,), nan beyond the outermost known ones.

    `areas` maps known places to areas in any unit; `along` (n,) mm. Monotone piecewise cubic in the area (Fritsch and
    Butland 1984, as in SciPy): unlike a plain spline it never overshoots a drawn slice.
    """
    known = sorted(areas, key=lambda place: along[place])
    at = along[known]
    kept = [0, *(np.flatnonzero(np.diff(at) > 1e-6) + 1)]
    if len(kept) < 2:
        return np.full(len(along), np.nan)
    values = np.array([areas[place] for place in known], float)
    curve = PchipInterpolator(at[kept], values[kept], extrapolate=False)(along)
    places = np.arange(len(along))
    curve[(places < min(known)) | (places > max(known))] = np.nan
    return curve


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
