"""Who is examined: the sizes that differ from one calf to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.defaults import DEFAULT_MUSCLES

NAMES = tuple(muscle.name for muscle in DEFAULT_MUSCLES)  # GM, GL, SOL
# Adult women by MRI, ml: mean and standard deviation. Men's muscles are about a third larger.
WOMEN_ML = {"GM": (180.0, 33.0), "GL": (90.0, 16.0), "SOL": (358.0, 62.0)}
MEN_FACTOR = 1.35
_TIBIA = {"female": 360.0, "male": 400.0}  # mm
_FAT = {"female": 7.0, "male": 4.5}  # mm
# Ends of the bellies as fractions of the tibia's length, 0 at the knee's joint line, 1 at the malleolus.
_ENDS = {"GM": (-0.06, 0.56), "GL": (-0.05, 0.49), "SOL": (0.08, 0.90)}
# Exponents of the area curve x^a (1 - x)^b along the belly: the soleus thins out slowly towards the ankle.
_TAPER = {"GM": (0.9, 1.0), "GL": (0.9, 1.05), "SOL": (1.0, 1.35)}
_STEPS = (np.arange(2000) + 0.5) / 2000


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

    @property
    def girth(self) -> float:
        """Width relative to a usual woman's: the belly's, as similar shapes of its volume and length have it."""
        start, end = _ENDS[self.name]
        usual = WOMEN_ML[self.name][0] / (_TIBIA["female"] * (end - start))
        return float(np.sqrt(self.volume_ml / self.length / usual))

    def area(self, z: np.ndarray) -> np.ndarray:
        """Anatomical cross-sectional area in mm2 at `z` mm below the knee; its integral is the volume."""
        x = np.clip((np.asarray(z, float) - self.start) / self.length, 0.0, 1.0)
        return self.volume_ml * 1000.0 / self.length * self._curve(x) / self._curve(_STEPS).mean()

    def share(self, z: np.ndarray) -> np.ndarray:
        """The area at `z` as a share of the belly's largest."""
        x = np.clip((np.asarray(z, float) - self.start) / self.length, 0.0, 1.0)
        return self._curve(x) / self._curve(_STEPS).max()

    def _curve(self, x: np.ndarray) -> np.ndarray:
        return x ** self.taper[0] * (1 - x) ** self.taper[1]


@dataclass(frozen=True)
class Subject:
    """One leg. `muscles` in the order of NAMES; lengths in mm: tibia, thickness of the fat, first and last level of the
    sweep below the knee, `size` of the calf relative to a usual woman's, width and depth of the picture."""

    sex: str
    side: str
    tibia: float
    fat: float
    muscles: tuple[Muscle, ...]
    sweep: tuple[float, float]
    size: float
    picture: tuple[float, float]

    def muscle(self, name: str) -> Muscle:
        """The muscle of that name."""
        return self.muscles[NAMES.index(name)]


def draw_subject(rng: np.random.Generator) -> Subject:
    """A random adult: volumes by sex (normal, cut at two standard deviations), lengths by the tibia."""
    sex = str(rng.choice(["female", "male"]))
    side = str(rng.choice(["right", "left"]))
    tibia = _TIBIA[sex] + 18.0 * _normal(rng)
    fat = _FAT[sex] * np.exp(0.25 * _normal(rng))
    build = _normal(rng)  # big calves are big in all three heads
    muscles = tuple(_draw_muscle(rng, name, sex, tibia, build) for name in NAMES)
    sweep = (tibia * rng.uniform(-0.01, 0.05), tibia * rng.uniform(0.84, 0.95))
    size = np.sqrt(sum(m.volume_ml for m in muscles) / 628.0 * 360.0 / tibia)
    width = 132.0 * np.clip(size, 0.9, 1.2) * rng.uniform(0.97, 1.05)
    return Subject(
        sex, side, float(tibia), float(fat), muscles, sweep, float(size), (float(width), 0.75 * float(width))
    )


def _draw_muscle(rng: np.random.Generator, name: str, sex: str, tibia: float, build: float) -> Muscle:
    mean, deviation = WOMEN_ML[name]
    volume = mean + deviation * np.clip(0.75 * build + 0.66 * _normal(rng), -2, 2)
    if sex == "male":
        volume *= MEN_FACTOR
    start, end = (tibia * (fraction + 0.015 * _normal(rng)) for fraction in _ENDS[name])
    a, b = (exponent * np.exp(0.08 * _normal(rng)) for exponent in _TAPER[name])
    return Muscle(name, float(volume), float(start), float(end), (float(a), float(b)))


def _normal(rng: np.random.Generator) -> float:
    """Standard normal cut at two deviations."""
    return float(np.clip(rng.standard_normal(), -2.0, 2.0))
