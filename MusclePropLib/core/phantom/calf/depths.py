"""What lies under the soleus: tibia, fibula, the membrane between them, vessels."""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.phantom.calf.surfaces import step, value_at
from MusclePropLib.core.phantom.calf.wobble import Wobble

# Bundles at mid-calf, mm: lateral position, depth under the soleus, radius. Posterior tibial, then peroneal.
_VESSELS = ((-6.0, 3.5, 1.5), (-2.0, 4.5, 1.1), (-9.5, 4.8, 1.2), (19.0, 4.0, 1.1), (22.0, 5.0, 0.9))


class Depths:
    """One subject's bones and vessels. Levels z (L, 1), fractions of the tibia (L, 1), lateral positions u (U,)."""

    def __init__(self, size: float, rng: np.random.Generator) -> None:
        self._size = size
        self._lean = rng.uniform(-0.3, 0.1)
        self._course = {name: Wobble(rng, (60.0, 240.0)) for name in ("tibia", "fibula", "vessels")}
        self._relief = {name: Wobble(rng, (60.0, 240.0), (15.0, 50.0)) for name in ("tibia", "fibula")}

    def bones(self, z: np.ndarray, fraction: np.ndarray, u: np.ndarray, deep: np.ndarray) -> tuple[np.ndarray, ...]:
        """Surfaces (L, U) of tibia, fibula and interosseous membrane towards the probe; inf beside them.

        `deep` is the fascia under the soleus; nothing here reaches above it.
        """
        below_knee = np.maximum(fraction, 0)
        half = self._size * (13.0 + 16.0 * np.exp(-below_knee / 0.1) + 5.0 * step(fraction, 0.9, 0.05))
        centre = self._size * (8.0 * np.exp(-below_knee / 0.12) - 13.0) + 2.0 * self._course["tibia"](z)
        apex = value_at(deep, u, centre) + 8.0 + 9.0 * step(fraction, 0.2, 0.06) - 6.0 * step(fraction, 0.85, 0.06)
        tibia = _arch(u, centre, half, apex, self._lean) + 0.35 * self._relief["tibia"](z, u)
        inner, inner_depth = centre + 0.9 * half, apex + half
        half = self._size * (6.0 + 4.0 * np.exp(-(((fraction - 0.04) / 0.05) ** 2)) + 1.5 * step(fraction, 0.9, 0.04))
        centre = self._size * (31.0 - 3.0 * step(fraction, 0.7, 0.15)) + 1.5 * self._course["fibula"](z)
        apex = value_at(deep, u, centre) + 3.0 + 3.0 * step(fraction, 0.25, 0.1)
        fibula = _arch(u, centre, half, apex, -0.2) + 0.3 * self._relief["fibula"](z, u)
        share = (u - inner) / np.maximum(centre - inner, 1.0)
        line = inner_depth + share * (apex + half - inner_depth)
        membrane = np.where((share > 0) & (share < 1), line, np.inf)
        return tuple(np.maximum(surface, deep + 1.0) for surface in (tibia, fibula, membrane))

    def vessels(self, z: np.ndarray, u: np.ndarray, deep: np.ndarray) -> np.ndarray:
        """(L, V, 3): lateral position, depth and radius of every vessel, mm."""
        rows = []
        for index, (lateral, below, radius) in enumerate(_VESSELS):
            place = lateral + 1.5 * self._course["vessels"](z + 37.0 * index)
            rows.append([place, value_at(deep, u, place) + below, np.full_like(place, radius)])
        return np.array(rows)[..., 0].transpose(2, 0, 1)


def _arch(u: np.ndarray, centre: np.ndarray, half: np.ndarray, apex: np.ndarray, lean: float) -> np.ndarray:
    """Depth (L, U) of a flat-topped arch that leans to one side, inf beside it."""
    x = (u - centre) / half
    arch = 1 - np.clip(1 - np.abs(x) ** 2.4, 0, 1) ** (1 / 2.4)
    return np.where(np.abs(x) < 1, apex + half * (0.9 * arch + lean * x), np.inf)
