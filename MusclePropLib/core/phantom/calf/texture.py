"""Echo texture of the tissues: mottling, and the streaks of fascicles and septa, as fields fixed in the leg."""

from __future__ import annotations

import numpy as np
from scipy import fft

_STEP = (2.0, 0.4, 0.6)  # mm along the leg, in depth, across
_CELLS = (160, 160, 192)  # the fields repeat every 320 x 64 x 115 mm


class Texture:
    """Three random fields, read at tissue coordinates (nearest cell).

    `mottle` (mean 0, variance 1) varies over centimetres, `grain` (the same) over a few millimetres, and `streaks`
    (0 to 1.5) holds thin bright sheets (perimysium, septa of the fat): the zero-crossings of a smooth field, which
    form wavy broken lines on a cross-section.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.mottle = _field(rng, (40.0, 2.5, 6.0))
        self.grain = _field(rng, (16.0, 0.45, 3.0))
        ridge = np.exp(-((_field(rng, (25.0, 0.9, 5.0)) / 0.2) ** 2)) * np.maximum(_field(rng, (16.0, 2.0, 3.0)), 0)
        self.streaks = np.minimum(ridge / np.percentile(ridge, 98), 1.5).astype(np.float32)

    @property
    def fields(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mottle, grain and streaks."""
        return self.mottle, self.grain, self.streaks

    def cell(self, z: float, depth: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Flat indices of the cells at level `z` (mm) and tissue coordinates (mm, any shape)."""
        slab = int(np.rint(z / _STEP[0])) % _CELLS[0]
        rows = np.rint(depth * np.float32(1 / _STEP[1])).astype(np.int32) % _CELLS[1]
        columns = np.rint(across * np.float32(1 / _STEP[2])).astype(np.int32) % _CELLS[2]
        return (slab * _CELLS[1] + rows) * _CELLS[2] + columns


def _field(rng: np.random.Generator, sigma: tuple[float, float, float]) -> np.ndarray:
    """Periodic Gaussian field of unit variance, smoothed by `sigma` mm along the three axes."""
    # Drawn as a spectrum: most of the smoothing is over far more cells than a filter's kernel should have.
    half = (*_CELLS[:2], _CELLS[2] // 2 + 1)
    spectrum = rng.standard_normal(half, dtype=np.float32) + 1j * rng.standard_normal(half, dtype=np.float32)
    for axis, (width, step, cells) in enumerate(zip(sigma, _STEP, _CELLS, strict=True)):
        frequency = (fft.rfftfreq if axis == 2 else fft.fftfreq)(cells, step)
        gain = np.exp(-2 * (np.pi * frequency * width) ** 2).astype(np.float32)
        spectrum *= np.expand_dims(gain, [a for a in range(3) if a != axis])
    field = fft.irfftn(spectrum, _CELLS)
    return (field - field.mean()) / field.std()
