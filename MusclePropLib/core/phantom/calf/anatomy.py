"""The undisturbed leg as surfaces: at every level, the depth of each interface under every lateral position.

Depths v are mm below the skin's highest point, lateral positions u mm from the middle (medial negative), levels z mm
below the knee. A muscle lies between two surfaces, so its area on a level is an integral over u and can be set
exactly. Dimensions without a source were chosen by eye to resemble atlas cross-sections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.phantom.calf.bellies import Bellies, Belly
from MusclePropLib.core.phantom.calf.depths import Depths
from MusclePropLib.core.phantom.calf.subject import Subject
from MusclePropLib.core.phantom.calf.surfaces import STEP, smooth, step
from MusclePropLib.core.phantom.calf.wobble import Wobble

_HALF_WIDTH = 100.0  # mm to either side, more than any picture shows


@dataclass(frozen=True)
class Anatomy:
    """Surfaces (L, U) of one leg at levels `z` (L,) over lateral positions `u` (U,), from the outside inwards.

    `muscles` holds top and bottom of each belly, equal where it is absent; `septum` runs within the soleus, `tendon`
    is the underside of the gastrocnemius aponeurosis, `deep` the fascia under the soleus. `bones` (tibia, fibula)
    and the `membrane` between them are inf beside themselves. `vessels` (L, V, 3): lateral position, depth, radius.
    """

    z: np.ndarray
    u: np.ndarray
    skin: np.ndarray
    fascia: np.ndarray
    tendon: np.ndarray
    muscles: dict[str, Belly]
    septum: np.ndarray
    deep: np.ndarray
    bones: tuple[np.ndarray, np.ndarray]
    membrane: np.ndarray
    vessels: np.ndarray

    def areas(self, name: str) -> np.ndarray:
        """Cross-sectional area (L,) of a muscle in mm2."""
        top, bottom = self.muscles[name]
        return (bottom - top).sum(axis=1) * STEP


class Leg:
    """A subject's leg with its own irregularities."""

    def __init__(self, subject: Subject, rng: np.random.Generator) -> None:
        self._subject = subject
        self._flatness = rng.uniform(0.5, 0.75)
        self._midline = rng.uniform(3.0, 8.0)
        self._bellies = Bellies(subject, rng)
        self._depths = Depths(subject.size, rng)
        self._course = {name: Wobble(rng, (60.0, 240.0)) for name in ("midline", "skin", "radius")}
        self._relief = {name: Wobble(rng, (60.0, 240.0), (30.0, 90.0)) for name in ("fat", "fascia", "septum")}

    def at(self, levels: np.ndarray) -> Anatomy:
        """Surfaces at the levels (L,), mm below the knee."""
        u = np.arange(-_HALF_WIDTH, _HALF_WIDTH + STEP, STEP)
        z = np.asarray(levels, float)[:, None]
        skin = self._skin(z, u)
        fascia = skin + self._fat(z, u) + 0.4 * self._relief["fascia"](z, u)
        midline = self._midline + 1.5 * self._course["midline"](z)
        gm, gl = (self._bellies.head(name, z, u, midline, fascia) for name in ("GM", "GL"))
        tendon = fascia + self._tendon(z, u, midline)
        soleus, floor = self._bellies.soleus(z, u, midline, tendon, (gm, gl))
        deep = smooth(np.maximum(soleus[1], floor), 3.0) + 1.5
        septum = 0.55 * soleus[0] + 0.45 * soleus[1] + 0.8 * self._relief["septum"](z, u)
        tibia, fibula, membrane = self._depths.bones(z, self._fraction(z), u, deep)
        return Anatomy(
            z=z[:, 0],
            u=u,
            skin=skin,
            fascia=fascia,
            tendon=tendon,
            muscles={"GM": gm, "GL": gl, "SOL": soleus},
            septum=septum,
            deep=deep,
            bones=(tibia, fibula),
            membrane=membrane,
            vessels=self._depths.vessels(z, u, deep),
        )

    def half_width(self, z: np.ndarray) -> np.ndarray:
        """How far aside, in mm, a probe can follow the leg at the levels `z` (L,)."""
        fraction = self._fraction(z)
        return self._subject.size * (60.0 - 5.0 * step(-fraction, 0.0, 0.06) - 22.0 * step(fraction, 0.68, 0.14))

    def _fraction(self, z: np.ndarray) -> np.ndarray:
        """Level as a fraction of the tibia."""
        return z / self._subject.tibia

    def _skin(self, z: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Arc of a circle, tighter towards the ankle, flattened by the probe."""
        radius = np.sqrt(self._subject.size) * (72.0 - 34.0 * step(self._fraction(z), 0.62, 0.16)) / self._flatness
        radius = radius * (1 + 0.03 * self._course["radius"](z))
        return radius * (1 - np.cos(np.minimum(np.abs(u) / radius, 1.3))) + 0.5 * self._course["skin"](z)

    def _fat(self, z: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Thickness of skin and subcutaneous fat."""
        thickness = self._subject.fat * (1 - 0.3 * step(self._fraction(z), 0.6, 0.1))
        return 1.5 + thickness * (1 + 0.14 * self._relief["fat"](z, u) + 0.25 * (u / 60.0) ** 2)

    def _tendon(self, z: np.ndarray, u: np.ndarray, midline: np.ndarray) -> np.ndarray:
        """Thickness of the gastrocnemius aponeurosis, wide and thin, which gathers into the Achilles tendon."""
        begun, gathered = step(self._fraction(z), 0.42, 0.06), step(self._fraction(z), 0.68, 0.07)
        half = 26.0 - 17.0 * gathered
        return begun * (1.2 + 4.0 * gathered) * np.exp(-(((u - midline) / half) ** 4)) + 0.5
