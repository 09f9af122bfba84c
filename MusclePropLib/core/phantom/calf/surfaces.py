"""Small tools for surfaces: depths (L, U) at L levels under U evenly spaced lateral positions."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

STEP = 0.25  # mm between lateral positions


def step(x: np.ndarray, middle: float, width: float) -> np.ndarray:
    """Smooth step from 0 to 1."""
    return 0.5 * (1 + np.tanh((x - middle) / width))


def smooth(surface: np.ndarray, sigma: float) -> np.ndarray:
    """The surface smoothed across the leg, `sigma` in mm."""
    return ndimage.gaussian_filter1d(surface, sigma / STEP, axis=1, mode="nearest")


def value_at(surface: np.ndarray, u: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(L, 1) depths of a surface (L, U) over positions `u` (U,) at the places (L, 1)."""
    column = np.clip(np.rint((place - u[0]) / STEP).astype(int), 0, len(u) - 1)
    return np.take_along_axis(surface, column, axis=1)


def slope(surface: np.ndarray) -> np.ndarray:
    """Rise per mm across the leg of one level's surface (U,), without its finest ripples."""
    return np.gradient(ndimage.gaussian_filter1d(surface, 1.0 / STEP), STEP)
