"""Who is examined: the sizes that differ from one calf to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAMES = ("GM", "GL", "SOL")
# Adult women by MRI, ml: mean and standard deviation.
_WOMEN_ML = {"GM": (180.0, 33.0), "GL": (90.0, 16.0), "SOL": (358.0, 62.0)}
_MEN_FACTOR = 1.35
# Ends of the muscle bellies as fractions of the tibia's length, 0 at the knee joint line, 1 at the malleolus.
_ENDS = {"GM": (-0.06, 0.56), "GL": (-0.05, 0.49), "SOL": (0.08, 0.90)}
# Exponents of the area curve x^a (1 - x)^b along the belly: the soleus thins out slowly towards the ankle.
_TAPER = {"GM": (0.9, 1.0), "GL": (0.9, 1.05), "SOL": (1.0, 1.35)}


@dataclass(frozen=True)
class Muscle:
    """One belly: its volume in ml, proximal and distal end in mm below the knee, exponents of its area curve."""

    name: str
    volume_ml: float
    start: float
    end: float
    taper: tuple[float, float]

    @property
    def length(self) -> float:
        """Millimetres from end to end."""
        return self.end - self.start

    def area(self, z: np.ndarray) -> np.ndarray:
        """Anatomical cross-sectional area in mm2 at `z` mm below the knee; integrates to the volume."""
        a, b = self.taper
        x = np.clip((np.asarray(z, float) - self.start) / self.length, 0.0, 1.0)
        steps = (np.arange(2000) + 0.5) / 2000
        mean = np.mean(steps**a * (1 - steps) ** b)
        return self.volume_ml * 1000.0 / self.length * x**a * (1 - x) ** b / mean


@dataclass(frozen=True)
class Subject:
    """One leg. Lengths in mm; `side` is "left" or "right", `muscles` in the order of NAMES."""

    sex: str
    side: str
    tibia: float
    fat: float
    muscles: tuple[Muscle, ...]
    sweep: tuple[float, float]
    width: float
    depth: float

    def muscle(self, name: str) -> Muscle:
        """The muscle of that name."""
        return self.muscles[NAMES.index(name)]


def draw_subject(rng: np.random.Generator) -> Subject:
    """A random adult: volumes by sex (normal, cut at two standard deviations), lengths by the tibia."""
    sex = "female" if rng.random() < 0.5 else "male"
    side = "left" if rng.random() < 0.5 else "right"
    tibia = (360.0 if sex == "female" else 400.0) + 18.0 * _normal(rng)
    fat = (7.0 if sex == "female" else 4.5) * np.exp(0.25 * _normal(rng))
    size = _normal(rng)  # big calves are big in all three heads
    muscles = tuple(_draw_muscle(rng, name, sex, tibia, size) for name in NAMES)
    start = tibia * rng.uniform(0.0, 0.07)
    end = tibia * rng.uniform(0.84, 0.95)
    bulk = (sum(m.volume_ml for m in muscles) / 628.0) ** (1 / 3)
    width = 130.0 * np.clip(bulk, 0.92, 1.15) * rng.uniform(0.97, 1.06)
    return Subject(sex, side, tibia, fat, muscles, (start, end), width, 0.75 * width)


def _draw_muscle(rng: np.random.Generator, name: str, sex: str, tibia: float, size: float) -> Muscle:
    mean, deviation = _WOMEN_ML[name]
    volume = mean + deviation * np.clip(0.75 * size + 0.66 * _normal(rng), -2, 2)
    if sex == "male":
        volume *= _MEN_FACTOR
    start, end = (tibia * (fraction + 0.015 * _normal(rng)) for fraction in _ENDS[name])
    a, b = (exponent * np.exp(0.08 * _normal(rng)) for exponent in _TAPER[name])
    return Muscle(name, float(volume), float(start), float(end), (float(a), float(b)))


def _normal(rng: np.random.Generator) -> float:
    """Standard normal cut at two deviations: nobody is built to order, but freaks teach nothing."""
    return float(np.clip(rng.standard_normal(), -2.0, 2.0))
