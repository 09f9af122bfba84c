"""Slowly varying random functions: how a living leg departs from a drawing."""

from __future__ import annotations

import numpy as np


class Wobble:
    """A smooth random function of position along the leg and, if asked, across it: a sum of random plane waves.

    Called with millimetres (any broadcastable shapes); mean 0, variance about 1. Being analytic it has no grid, so the
    same subject looks the same at every resolution.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        along: tuple[float, float],
        across: tuple[float, float] | None = None,
        waves: int = 8,
    ) -> None:
        """`along` and `across` are the ranges of wavelengths in mm; without `across` it varies along the leg only."""
        self._along = _wave_numbers(rng, along, waves)
        self._across = np.zeros(waves) if across is None else _wave_numbers(rng, across, waves)
        self._phase = rng.uniform(0, 2 * np.pi, waves)
        self._scale = np.sqrt(2.0 / waves)

    def __call__(self, z: np.ndarray | float, u: np.ndarray | float = 0.0) -> np.ndarray:
        waves = zip(self._along, self._across, self._phase, strict=True)
        return self._scale * sum(np.cos(kz * np.asarray(z) + ku * np.asarray(u) + phase) for kz, ku, phase in waves)


def _wave_numbers(rng: np.random.Generator, wavelengths: tuple[float, float], waves: int) -> np.ndarray:
    lengths = np.exp(rng.uniform(np.log(wavelengths[0]), np.log(wavelengths[1]), waves))
    return rng.choice([-1.0, 1.0], waves) * 2 * np.pi / lengths
