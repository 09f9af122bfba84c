"""The shapes of the three bellies on cross-sections, each filled to the area that its level should have."""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.phantom.calf.subject import Subject
from MusclePropLib.core.phantom.calf.surfaces import STEP, smooth
from MusclePropLib.core.phantom.calf.wobble import Wobble

Belly = tuple[np.ndarray, np.ndarray]  # surfaces (L, U) of its top and bottom; equal where the muscle is not

_GAP = 0.7  # mm of aponeurosis between neighbours
_THINNEST = 1.5  # mm; an expert outlines no thinner sliver
_WIDEST = {"GM": 58.0, "GL": 47.0, "SOL": 94.0}  # mm in a usual woman


class Bellies:
    """One subject's muscle shapes. Levels z (L, 1), lateral positions u (U,), mm."""

    def __init__(self, subject: Subject, rng: np.random.Generator) -> None:
        self._subject = subject
        self._widest = {m.name: _WIDEST[m.name] * m.girth * np.exp(rng.normal(0, 0.05)) for m in subject.muscles}
        self._blunt = {name: rng.uniform(0.6, 0.8) for name in ("GM", "GL")}
        self._relief = {name: Wobble(rng, (60.0, 240.0), (30.0, 90.0)) for name in _WIDEST}

    def head(self, name: str, z: np.ndarray, u: np.ndarray, midline: np.ndarray, fascia: np.ndarray) -> Belly:
        """A head of the gastrocnemius ("GM" or "GL") under the fascia, on its side of the midline (L, 1)."""
        muscle = self._subject.muscle(name)
        share = muscle.share(z)
        width = self._width(name, share)
        apart = _GAP / 2 + 8.0 * np.exp(-np.maximum(z / self._subject.tibia + 0.03, 0) / 0.05)  # the hollow of the knee
        apart = apart + 0.28 * (1 - np.sqrt(share)) * (self._widest[name] - width)
        side = -1.0 if name == "GM" else 1.0
        x = (side * (u - midline) - apart) / width
        profile = _head_profile(x, self._blunt[name]) * (1 - np.exp(-np.maximum(x, 0) * width / 0.8))
        profile = profile * self._bumps(name, z, u)
        thickness = profile * muscle.area(z) / np.maximum(profile.sum(axis=1, keepdims=True) * STEP, 1e-9)
        top = fascia + 0.5
        return top, top + _not_too_thin(thickness)

    def soleus(
        self, z: np.ndarray, u: np.ndarray, midline: np.ndarray, roof: np.ndarray, heads: tuple[Belly, Belly]
    ) -> tuple[Belly, np.ndarray]:
        """The soleus under the heads and the `roof` (tendon), and the even floor that it bulges down from."""
        muscle = self._subject.muscle("SOL")
        share = muscle.share(z)
        lowest = np.maximum(roof, np.maximum(heads[0][1], heads[1][1]) + _GAP)
        top = np.maximum(lowest, smooth(lowest, 5.0))
        floor = smooth(top, 18.0)
        even = np.minimum(4 * share, 1)  # a thin end clings to the roof; a thick belly levels its unevenness out
        x = np.clip(np.abs(u - midline + 4.0 * (1 - share)) / (self._width("SOL", share) / 2), 0, 1)
        bulge = (1 - x**2.8) ** 0.75 * self._bumps("SOL", z, u)
        thickness = _bulge_to_area(even * (floor - top), bulge, muscle.area(z))
        return (top, top + _not_too_thin(thickness)), floor

    def _width(self, name: str, share: np.ndarray) -> np.ndarray:
        """Towards its ends a belly loses thickness sooner than width."""
        return self._widest[name] * np.maximum(share, 1e-6) ** 0.42

    def _bumps(self, name: str, z: np.ndarray, u: np.ndarray) -> np.ndarray:
        return np.maximum(1 + 0.07 * self._relief[name](z, u), 0.2)


def _head_profile(x: np.ndarray, blunt: float) -> np.ndarray:
    """Thickness of a gastrocnemius head across its width: `blunt` at the midline (x = 0), thin at the edge (x = 1)."""
    rise = blunt + (1 - blunt) * np.sin(np.pi / 2 * np.clip(x / 0.35, 0, 1))
    fall = (1 - np.clip((x - 0.35) / 0.65, 0, 1) ** 2.3) ** 0.65
    return np.where((x > 0) & (x < 1), rise * fall, 0.0)


def _bulge_to_area(hollow: np.ndarray, bulge: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Thickness (L, U) that fills the `hollow` under the roof and bulges by `scale * bulge` below it.

    The scale is bisected to meet the area (L, 1); `bulge` is 0 beside the muscle. Where the roof hangs low, a quarter
    of the bulge is left under it, so that the muscle is not cut in two.
    """
    hollow = hollow * np.minimum(3 * bulge, 1)  # no step at the rim
    low, high = np.full_like(area, -20.0), np.full_like(area, 120.0)
    for _ in range(30):
        scale = (low + high) / 2
        thickness = np.maximum(hollow + scale * bulge, 0.25 * np.maximum(scale, 0.0) * bulge)
        small = thickness.sum(axis=1, keepdims=True) * STEP < area
        low, high = np.where(small, scale, low), np.where(small, high, scale)
    return np.where(area > 0, thickness, 0.0)


def _not_too_thin(thickness: np.ndarray) -> np.ndarray:
    return np.where(thickness.max(axis=1, keepdims=True) < _THINNEST, 0.0, thickness)
