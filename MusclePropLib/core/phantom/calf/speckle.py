"""From scatterers to a B-mode picture: point-spread function, envelope, log compression.

Fully developed speckle is the envelope of many random echoes within the point-spread function: complex Gaussian
scatterers filtered by it have a Rayleigh-distributed envelope, whose mean is 1.91 times its deviation (Wagner et
al. 1983, IEEE Trans. Sonics Ultrason. 30:156).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Beam:
    """Gaussian point-spread function, standard deviations in mm in depth, across and out of the picture."""

    axial: float = 0.22
    lateral: float = 0.5
    elevational: float = 1.2


class Scatterers:
    """White complex Gaussian scatterers on a grid fixed in the leg, (slices, rows, columns)."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int, int], spacing: float) -> None:
        """`spacing` is the distance of the slices in mm."""
        self._field = np.empty(shape, np.complex64)
        for plane in self._field:
            plane.real = rng.standard_normal(shape[1:], dtype=np.float32)
            plane.imag = rng.standard_normal(shape[1:], dtype=np.float32)
        self._spacing = spacing

    def plane(self, z: float, elevational: float) -> np.ndarray:
        """(rows, columns) seen by a beam of that elevational width (mm) centred at `z` mm: unit variance per part."""
        centres = np.arange(len(self._field)) * self._spacing
        weight = np.exp(-0.5 * ((centres - z) / elevational) ** 2)
        near = np.flatnonzero(weight > 0.02 * weight.max())
        weight = (weight / np.sqrt(np.sum(weight[near] ** 2))).astype(np.float32)
        return sum(weight[k] * self._field[k] for k in near)


def envelope(echoes: np.ndarray, beam: Beam, spacing: tuple[float, float]) -> np.ndarray:
    """Envelope (rows, columns) of complex echoes under the in-plane point-spread function; `spacing` in mm.

    The filter has unit energy, so that scatterers of unit variance give a mean square of 2 at any resolution.
    """
    for axis, width in enumerate((beam.axial, beam.lateral)):
        echoes = _unit_energy_filter(echoes, width / spacing[axis], axis)
    return np.abs(echoes)


def _unit_energy_filter(echoes: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    if sigma < 0.3:  # narrower than a pixel: every pixel is its own resolution cell
        return echoes
    radius = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / np.sqrt(np.sum(kernel**2))).astype(np.float32)
    return ndimage.convolve1d(echoes, kernel, axis=axis, mode="reflect")


def average_looks(envelope: np.ndarray, sigma: tuple[float, float], spacing: tuple[float, float]) -> np.ndarray:
    """Envelope averaged over `sigma` mm in depth and across, as spatial compounding and resampling to the grid do.

    The more resolution cells are averaged, the further the speckle's contrast falls below Rayleigh's.
    """
    for axis, width in enumerate(sigma):
        envelope = ndimage.gaussian_filter1d(envelope, width / spacing[axis], axis=axis, truncate=3.0)
    return envelope


def log_compress(envelope: np.ndarray, gain: float, dynamic_range: float) -> np.ndarray:
    """Grey levels uint8: white where level + gain reaches 0 dB, black from `dynamic_range` dB below that."""
    level = 20 * np.log10(np.maximum(envelope, 1e-6)) + gain
    return np.clip(255 * (1 + level / dynamic_range), 0, 255).astype(np.uint8)
