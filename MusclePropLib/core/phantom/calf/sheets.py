"""Mirror-like reflectors: fascia, aponeuroses, septa and bone, bright where they face the probe."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from MusclePropLib.core.phantom.calf.anatomy import Anatomy
from MusclePropLib.core.phantom.calf.subject import NAMES
from MusclePropLib.core.phantom.calf.surfaces import slope
from MusclePropLib.core.phantom.calf.wobble import Wobble

_FAR = 1e4  # mm; a surface that is not there
_BONE_SHADOW = 34.0  # dB
_SHADOW_ONSET = 8.0  # mm behind the surface in which reverberation fades


class Sheets:
    """A leg's reflectors with their own gaps and ripples."""

    def __init__(self, anatomy: Anatomy, rng: np.random.Generator) -> None:
        self._anatomy = anatomy
        gm, gl, soleus = (anatomy.muscles[name] for name in NAMES)
        everywhere = np.broadcast_to(True, anatomy.skin.shape)
        membrane = np.isfinite(anatomy.membrane)
        # Surface, amplitude (1 is mean muscle), half-thickness in mm, where it exists.
        self._listed = [
            (anatomy.skin, 9.0, 0.4, everywhere),
            (anatomy.fascia, 5.0, 0.4, everywhere),
            (gm[1] + 0.3, 4.5, 0.4, gm[1] > gm[0]),
            (gl[1] + 0.3, 4.5, 0.4, gl[1] > gl[0]),
            (soleus[0] - 0.3, 3.0, 0.4, soleus[1] > soleus[0]),
            (anatomy.septum, 2.5, 0.5, soleus[1] > soleus[0]),
            (anatomy.deep, 3.5, 0.5, everywhere),
            (np.where(membrane, anatomy.membrane, _FAR), 5.0, 0.5, membrane),
        ]
        self._wobbles = [Wobble(rng, (15.0, 80.0), (6.0, 50.0), waves=10) for _ in self._listed]

    def amplitude(self, level: int, v: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Reflected amplitude at depths `v` and lateral indices `column` (rows, columns) on a level."""
        z, u = self._anatomy.z[level], self._anatomy.u
        total = np.zeros(v.shape, np.float32)
        for wobble, (surface, strength, half, where) in zip(self._wobbles, self._listed, strict=True):
            bright = strength * _facing(surface[level]) * _unbroken(wobble(z, u)) * where[level]
            rippled = surface[level] + 0.25 * wobble(z + 60.0, 2 * u)
            total += _taken(bright, column) * _bell((v - _taken(rippled, column)) / np.float32(half))
        return total

    def bone(self, level: int, v: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(amplitude of the bones' surfaces, shadow behind them in dB), both (rows, columns)."""
        bright, shadow = np.zeros(v.shape, np.float32), np.zeros(v.shape, np.float32)
        for bone in self._anatomy.bones:
            known = np.isfinite(bone[level])
            surface = np.where(known, bone[level], _FAR)
            facing = np.zeros(len(surface))
            facing[known] = _facing(surface[known])
            behind = v - _taken(surface, column)
            bright += 9.0 * _taken(facing, column) * _bell(behind / np.float32(0.7))
            shadow = np.maximum(shadow, _BONE_SHADOW * (1 - np.exp(-np.maximum(behind, 0) / _SHADOW_ONSET)))
        return bright, _penumbra(shadow)


def _penumbra(shadow: np.ndarray) -> np.ndarray:
    """The shadow's sides blurred, the more the deeper: an aperture sees past the edge of a bone."""
    near, far = (
        ndimage.gaussian_filter1d(shadow, share * shadow.shape[1], axis=1, truncate=2.0) for share in (0.01, 0.03)
    )
    deep = np.linspace(0, 1, len(shadow), dtype=np.float32)[:, None]
    return near + deep * (far - near)


def _facing(surface: np.ndarray) -> np.ndarray:
    """Share of a mirror's echo that comes back to the probe: it falls with the slope."""
    return 0.12 + 0.88 * np.exp(-((slope(surface) / 0.45) ** 2))


def _unbroken(course: np.ndarray) -> np.ndarray:
    """From 0.05 (gap) to 1, so that bright stretches alternate with interruptions."""
    return 0.05 + 0.95 / (1 + np.exp(-2.6 * course))


def _taken(values: np.ndarray, column: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[column]


def _bell(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.minimum(x * x, 30.0))
