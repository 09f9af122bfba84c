"""The undisturbed leg as surfaces: at every level, the depth of each interface under every lateral position.

Depths v are mm below the skin's highest point, lateral positions u mm from the midline (medial negative), levels z
mm below the knee. A muscle lies between two surfaces, so its area on a level is an integral over u and can be set
exactly; levels are arrays (L,), surfaces (L, U).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MusclePropLib.core.phantom.calf.subject import Subject
from MusclePropLib.core.phantom.calf.wobble import Wobble

STEP = 0.25  # mm between lateral positions
_GAP = 0.7  # mm of aponeurosis between neighbouring bellies
_THINNEST = 1.5  # mm; an expert outlines no thinner sliver


@dataclass(frozen=True)
class Anatomy:
    """Surfaces (L, U) of one leg at levels `z` over lateral positions `u`; a belly is absent where top == bottom.

    `bones` are the sides of tibia and fibula that face the probe, inf beside the bone. `vessels` (L, V, 3) holds
    lateral position, depth and radius.
    """

    z: np.ndarray
    u: np.ndarray
    skin: np.ndarray
    fascia: np.ndarray
    muscles: dict[str, tuple[np.ndarray, np.ndarray]]
    septum: np.ndarray
    tendon: np.ndarray
    deep: np.ndarray
    bones: tuple[np.ndarray, np.ndarray]
    vessels: np.ndarray

    def areas(self, name: str) -> np.ndarray:
        """Cross-sectional area in mm2 at every level."""
        top, bottom = self.muscles[name]
        return (bottom - top).sum(axis=1) * STEP


class Leg:
    """A subject's leg with its individual irregularities; `at(z)` gives the surfaces at any levels."""

    def __init__(self, subject: Subject, rng: np.random.Generator) -> None:
        self.subject = subject
        self._size = np.sqrt(subject.muscle("SOL").volume_ml / 358.0 * 295.0 / subject.muscle("SOL").length)
        self._bend = rng.uniform(0.5, 0.75)
        self._midline = rng.uniform(2.0, 9.0)
        self._aspect = {name: np.exp(rng.normal(0, 0.06)) for name in ("GM", "GL", "SOL")}
        self._blunt = rng.uniform(0.6, 0.8, 2)
        long, wide = (60.0, 240.0), (30.0, 90.0)
        self._lean = rng.uniform(-0.3, 0.1)
        self._wobbles = {name: Wobble(rng, long) for name in ("midline", "skin", "bend", "tibia", "fibula", "vessel")}
        self._sheets = {name: Wobble(rng, long, wide) for name in ("fat", "GM", "GL", "SOL", "fascia", "septum")}
        self._sheets |= {name: Wobble(rng, long, (15.0, 50.0)) for name in ("tibia", "fibula")}

    def at(self, z: np.ndarray) -> Anatomy:
        """Surfaces at the levels `z` (L,)."""
        z = np.asarray(z, float)
        u = np.arange(-100.0, 100.0 + STEP, STEP)
        level = z[:, None]
        skin = self._skin(level, u)
        fascia = skin + self._fat(level, u) + 0.4 * self._sheets["fascia"](level, u)
        midline = self._midline + 1.5 * self._wobbles["midline"](level)
        gm = self._head("GM", level, u, midline, fascia, -1.0)
        gl = self._head("GL", level, u, midline, fascia, 1.0)
        tendon = fascia + self._tendon_thickness(level, u, midline)
        sol, base = self._soleus(level, u, midline, tendon, (gm, gl))
        deep = _smooth(np.maximum(sol[1], base), 3.0) + 1.5
        septum = 0.55 * sol[0] + 0.45 * sol[1] + 0.8 * self._sheets["septum"](level, u)
        bones = (self._tibia(level, u, deep), self._fibula(level, u, deep))
        vessels = self._vessels(z, u, deep)
        muscles = {"GM": gm, "GL": gl, "SOL": sol}
        return Anatomy(z, u, skin, fascia, muscles, septum, tendon, deep, bones, vessels)

    def half_width(self, z: np.ndarray) -> np.ndarray:
        """Half the leg's width in mm at the levels `z` (L,): how far aside a probe can follow it."""
        fraction = self._fraction(z)
        return self._size * (60.0 - 5.0 * _step(-fraction, 0.0, 0.06) - 22.0 * _step(fraction, 0.68, 0.14))

    def _fraction(self, z: np.ndarray) -> np.ndarray:
        """Level as a fraction of the tibia."""
        return z / self.subject.tibia

    def _skin(self, z: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Arc of a flattened circle, tighter towards the ankle."""
        radius = self._size**0.5 * (72.0 - 34.0 * _step(self._fraction(z), 0.62, 0.16)) / self._bend
        radius = radius * (1 + 0.03 * self._wobbles["bend"](z))
        return radius * (1 - np.cos(np.minimum(np.abs(u) / radius, 1.3))) + 0.5 * self._wobbles["skin"](z)

    def _fat(self, z: np.ndarray, u: np.ndarray) -> np.ndarray:
        thickness = self.subject.fat * (1 - 0.3 * _step(self._fraction(z), 0.6, 0.1))
        return 1.5 + thickness * (1 + 0.14 * self._sheets["fat"](z, u) + 0.25 * (u / 60.0) ** 2)

    def _head(
        self, name: str, z: np.ndarray, u: np.ndarray, midline: np.ndarray, fascia: np.ndarray, side: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """One head of the gastrocnemius under the fascia, on its side of the midline, with the wanted area."""
        muscle = self.subject.muscle(name)
        area = muscle.area(z)
        share = area / muscle.area(np.linspace(muscle.start, muscle.end, 200)).max()
        widest = (61.0 if name == "GM" else 48.0) * self._size * self._aspect[name]
        width = widest * np.maximum(share, 1e-6) ** 0.42
        apart = _GAP / 2 + 8.0 * np.exp(-np.maximum(self._fraction(z) + 0.03, 0) / 0.05)
        apart = apart + 0.28 * (1 - np.sqrt(share)) * (widest - width)
        x = (side * (u - midline) - apart) / width
        blunt = self._blunt[0 if name == "GM" else 1]
        profile = _profile(x, blunt) * (1 - np.exp(-np.maximum(x, 0) * width / 0.8))
        profile = profile * np.maximum(1 + 0.07 * self._sheets[name](z, u), 0.2)
        thickness = _fill(profile, area)
        thickness = np.where(thickness.max(axis=1, keepdims=True) < _THINNEST, 0.0, thickness)
        return fascia + 0.5, fascia + 0.5 + thickness

    def _tendon_thickness(self, z: np.ndarray, u: np.ndarray, midline: np.ndarray) -> np.ndarray:
        """The gastrocnemius aponeurosis, wide and thin, which gathers into the Achilles tendon."""
        gathered = _step(self._fraction(z), 0.68, 0.07)
        begun = _step(self._fraction(z), 0.42, 0.06)
        half = 26.0 - 17.0 * gathered
        return begun * (1.2 + 4.0 * gathered) * np.exp(-(((u - midline) / half) ** 4)) + 0.5

    def _soleus(
        self, z: np.ndarray, u: np.ndarray, midline: np.ndarray, roof: np.ndarray, heads: tuple
    ) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """The soleus under gastrocnemius and tendon, and the smooth floor that its thickness is counted from."""
        muscle = self.subject.muscle("SOL")
        area = muscle.area(z)
        share = area / muscle.area(np.linspace(muscle.start, muscle.end, 200)).max()
        lowest = np.maximum(roof, np.maximum(heads[0][1], heads[1][1]) + _GAP)
        top = np.maximum(lowest, _smooth(lowest, 5.0))
        base = _smooth(top, 18.0)
        half = 47.0 * self._size * self._aspect["SOL"] * np.maximum(share, 1e-6) ** 0.42
        centre = midline - 4.0 * (1 - share)
        x = np.clip(np.abs(u - centre) / half, 0, 1)
        height = (1 - x**2.8) ** 0.75 * np.maximum(1 + 0.06 * self._sheets["SOL"](z, u), 0.2)
        bottom = top + _thickness_below(top, base, height, x < 1, area)
        present = (bottom - top).max(axis=1, keepdims=True) >= _THINNEST
        return (top, np.where(present, bottom, top)), base

    def _tibia(self, z: np.ndarray, u: np.ndarray, deep: np.ndarray) -> np.ndarray:
        fraction = self._fraction(z)
        half = 13.0 + 16.0 * np.exp(-np.maximum(fraction, 0) / 0.1) + 5.0 * _step(fraction, 0.9, 0.05)
        centre = -13.0 + 8.0 * np.exp(-np.maximum(fraction, 0) / 0.12) + 2.0 * self._wobbles["tibia"](z)
        below = 8.0 + 9.0 * _step(fraction, 0.2, 0.06) - 6.0 * _step(fraction, 0.85, 0.06)
        rough = 0.35 * self._sheets["tibia"](z, u)
        return _bone(u, centre, half, _value_at(deep, u, centre) + below, self._lean) + rough

    def _fibula(self, z: np.ndarray, u: np.ndarray, deep: np.ndarray) -> np.ndarray:
        fraction = self._fraction(z)
        half = 6.0 + 4.0 * np.exp(-(((fraction - 0.04) / 0.05) ** 2)) + 1.5 * _step(fraction, 0.9, 0.04)
        centre = 31.0 - 3.0 * _step(fraction, 0.7, 0.15) + 1.5 * self._wobbles["fibula"](z)
        apex = _value_at(deep, u, centre) + 3.0 + 3.0 * _step(fraction, 0.25, 0.1)
        return _bone(u, centre, half, apex, -0.2) + 0.3 * self._sheets["fibula"](z, u)

    def _vessels(self, z: np.ndarray, u: np.ndarray, deep: np.ndarray) -> np.ndarray:
        """(L, vessels, 3): lateral position, depth, radius of the posterior tibial and peroneal bundles."""
        wander = self._wobbles["vessel"]
        places = [(-6.0, 3.5, 1.5), (-2.0, 4.5, 1.1), (-9.5, 4.8, 1.2), (19.0, 4.0, 1.1), (22.0, 5.0, 0.9)]
        rows = []
        for index, (lateral, below, radius) in enumerate(places):
            position = lateral + 1.5 * wander(z + 37.0 * index)
            rows.append([position, _value_at(deep, u, position[:, None])[:, 0] + below, np.full_like(z, radius)])
        return np.stack(rows).transpose(2, 0, 1)


def _step(x: np.ndarray, middle: float, width: float) -> np.ndarray:
    """Smooth step from 0 to 1."""
    return 0.5 * (1 + np.tanh((x - middle) / width))


def _smooth(surface: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter1d(surface, sigma / STEP, axis=1, mode="nearest")


def _profile(x: np.ndarray, blunt: float) -> np.ndarray:
    """Thickness of a gastrocnemius head across its width: blunt at the midline (x = 0), thin at the outer edge (1)."""
    rise = blunt + (1 - blunt) * np.sin(np.pi / 2 * np.clip(x / 0.35, 0, 1))
    fall = (1 - np.clip((x - 0.35) / 0.65, 0, 1) ** 2.3) ** 0.65
    return np.where((x > 0) & (x < 1), rise * fall, 0.0)


def _fill(profile: np.ndarray, area: np.ndarray) -> np.ndarray:
    """The profile (L, U) scaled to the area (L, 1)."""
    return profile * area / np.maximum(profile.sum(axis=1, keepdims=True) * STEP, 1e-9)


def _thickness_below(
    top: np.ndarray, base: np.ndarray, height: np.ndarray, inside: np.ndarray, area: np.ndarray
) -> np.ndarray:
    """Thickness (L, U) between `top` and the floor `base + scale * height`, the scale bisected to meet the area."""
    low, high = np.full_like(area, -20.0), np.full_like(area, 120.0)
    for _ in range(30):
        scale = (low + high) / 2
        thickness = np.where(inside, np.maximum(base + scale * height - top, 0.0), 0.0)
        small = thickness.sum(axis=1, keepdims=True) * STEP < area
        low, high = np.where(small, scale, low), np.where(small, high, scale)
    return thickness


def _value_at(surface: np.ndarray, u: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(L, 1) values of a surface (L, U) at the lateral positions (L, 1)."""
    column = np.clip(np.rint((centre - u[0]) / STEP).astype(int), 0, len(u) - 1)
    return np.take_along_axis(surface, column, axis=1)


def _bone(u: np.ndarray, centre: np.ndarray, half: np.ndarray, apex: np.ndarray, lean: float) -> np.ndarray:
    """Depth (L, U) of the side of a bone that faces the probe: a leaning arch with a flat top, inf beside it."""
    x = (u - centre) / half
    arch = 1 - np.clip(1 - np.abs(x) ** 2.4, 0, 1) ** (1 / 2.4)
    return np.where(np.abs(x) < 1, apex + half * (0.9 * arch + lean * x), np.inf)
