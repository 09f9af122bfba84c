"""What one frame meets: at every pixel the muscle, the strength of scatterers and mirror-like sheets, the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from MusclePropLib.core.phantom.calf.anatomy import STEP, Anatomy
from MusclePropLib.core.phantom.calf.subject import NAMES
from MusclePropLib.core.phantom.calf.texture import Texture
from MusclePropLib.core.phantom.calf.wobble import Wobble

# Tissue classes; the muscles' are their label values.
_OUTSIDE, _SKIN, _FAT, _TENDON, _LOOSE, _DEEP, _BLOOD = 0, 4, 5, 6, 7, 8, 9
#          outside   GM    GL   SOL  skin   fat  tendon loose deep  blood
_BASE = np.array([-90.0, 0.0, 0.0, 0.5, 1.0, -7.5, 4.0, 5.0, -3.0, -24.0], np.float32)  # dB
_MOTTLE = np.array([0, 1.5, 1.5, 1.8, 0.5, 1.2, 1.0, 1.5, 1.8, 0], np.float32)  # dB
_GRAIN = np.array([0, 1.8, 1.8, 2.0, 1.0, 1.0, 2.2, 2.5, 2.2, 0], np.float32)  # dB
_STREAK = np.array([0, 7, 7, 8, 0, 9, 6, 5, 7, 0], np.float32)  # dB
# Fascicles run obliquely: with every mm down the leg they come out this much deeper on the cross-section.
_PENNATION = np.array([0, 0.3, 0.2, -0.3, 0, 0, 0, 0, 0.1, 0], np.float32)
_SOFT = 14.0  # mm over which the pressure's strain fades
_SKIN_THICKNESS = 1.2


@dataclass(frozen=True)
class Frame:
    """Pixels (rows, columns) of one frame in the leg: lateral position and depth in mm, depth under the skin."""

    u: np.ndarray
    v: np.ndarray
    under: np.ndarray
    column: np.ndarray  # index into the anatomy's lateral positions


@dataclass(frozen=True)
class Echoes:
    """`labels` uint8; `scatter` and `loss` in dB; `sheet` amplitude of mirror-like reflections, before loss."""

    labels: np.ndarray
    scatter: np.ndarray
    sheet: np.ndarray
    loss: np.ndarray


class Tissue:
    """One leg's tissues: anatomy on the frames' levels, texture, and the unevenness of sheets and transmission."""

    def __init__(self, anatomy: Anatomy, rng: np.random.Generator) -> None:
        self._anatomy = anatomy
        self._texture = Texture(rng)
        self._offset = rng.uniform(0, 60, (len(_BASE), 2)).astype(np.float32)
        self._broken = [Wobble(rng, (15.0, 80.0), (6.0, 50.0), waves=10) for _ in range(9)]
        self._patches = Wobble(rng, (25.0, 120.0), (5.0, 60.0), waves=12)
        self._levels = _BASE + np.where(np.arange(len(_BASE)) > 0, rng.normal(0, 0.8, len(_BASE)), 0).astype(np.float32)

    def locate(self, level: int, u: np.ndarray, v: np.ndarray, pressure: float) -> Frame:
        """Where pixels seen at (u, v) on a level lie in the unpressed leg: pressure strains the outer layers most."""
        anatomy = self._anatomy
        column = np.clip(np.rint((u - anatomy.u[0]) / STEP), 0, len(anatomy.u) - 1).astype(np.int32)
        skin = anatomy.skin[level].astype(np.float32)[column]
        seen = v - skin
        inside = np.maximum(seen, 0)
        under = seen + np.float32(pressure * _SOFT) * (1 - np.exp(-inside / np.float32(_SOFT)))
        return Frame(u, skin + under, under, column)

    def echoes(self, level: int, frame: Frame) -> Echoes:
        """Everything that the frame's pixels send back."""
        kind = self._kinds(level, frame)
        labels = np.where(kind <= len(NAMES), kind, 0).astype(np.uint8)
        bone, loss = self._bones(level, frame)
        patches = 1.2 * self._patches(self._anatomy.z[level], self._anatomy.u).astype(np.float32)
        loss += patches[frame.column] * np.clip(frame.under / 25.0, 0, 1.5)
        cells = self._cells(level, frame, kind)
        rough = np.exp(0.4 * self._texture.grain.ravel()[cells])
        sheet = (self._sheets(level, frame) * rough + bone) * (kind != _OUTSIDE)
        return Echoes(labels, self._scatter(kind, cells), sheet, loss)

    def _at(self, surface: np.ndarray, frame: Frame) -> np.ndarray:
        return surface.astype(np.float32)[frame.column]

    def _kinds(self, level: int, frame: Frame) -> np.ndarray:
        anatomy = self._anatomy
        kind = np.full(frame.v.shape, _DEEP, np.uint8)
        for surface, above in ((anatomy.deep, _LOOSE), (anatomy.tendon, _TENDON), (anatomy.fascia, _FAT)):
            kind[frame.v < self._at(surface[level], frame)] = above
        for value, name in enumerate(NAMES, start=1):
            top, bottom = anatomy.muscles[name]
            kind[(frame.v >= self._at(top[level], frame)) & (frame.v < self._at(bottom[level], frame))] = value
        for lateral, depth, radius in anatomy.vessels[level].astype(np.float32):
            round_ = (frame.u - lateral) ** 2 + (frame.v - depth) ** 2 < radius**2
            kind[round_ & (kind == _DEEP)] = _BLOOD
        kind[frame.under < _SKIN_THICKNESS] = _SKIN
        kind[frame.under < 0] = _OUTSIDE
        return kind

    def _cells(self, level: int, frame: Frame, kind: np.ndarray) -> np.ndarray:
        z = float(self._anatomy.z[level])
        depth = frame.v - self._at(self._anatomy.fascia[level], frame) - np.float32(z) * _PENNATION[kind]
        return self._texture.cell(z, depth + self._offset[kind, 0], frame.u + self._offset[kind, 1])

    def _scatter(self, kind: np.ndarray, cells: np.ndarray) -> np.ndarray:
        texture = self._texture
        level_db = self._levels[kind] + _MOTTLE[kind] * texture.mottle.ravel()[cells]
        level_db += _GRAIN[kind] * texture.grain.ravel()[cells] + _STREAK[kind] * texture.streaks.ravel()[cells]
        return level_db

    def _sheets(self, level: int, frame: Frame) -> np.ndarray:
        """Fascia, aponeuroses and septa: bright where they face the probe, broken, thinner than the pulse."""
        anatomy = self._anatomy
        gm, gl, soleus = (anatomy.muscles[name] for name in NAMES)
        listed = [
            (anatomy.skin, 5.0, 0.5, None),
            (anatomy.fascia, 5.0, 0.4, None),
            (gm[1] + 0.3, 4.5, 0.4, gm),
            (gl[1] + 0.3, 4.5, 0.4, gl),
            (soleus[0] - 0.3, 3.0, 0.4, soleus),
            (anatomy.deep, 3.5, 0.5, None),
            (anatomy.septum, 2.5, 0.5, soleus),
        ]
        total = np.zeros(frame.v.shape, np.float32)
        for wobble, (surface, strength, thickness, belly) in zip(self._broken, listed, strict=False):
            faced = strength * self._facing(surface[level]) * _brokenness(wobble(anatomy.z[level], anatomy.u))
            if belly is not None:
                faced = faced * (belly[1][level] > belly[0][level])
            surface = surface[level] + 0.25 * wobble(anatomy.z[level] + 60.0, 2 * anatomy.u)
            away = (frame.v - self._at(surface, frame)) / np.float32(thickness)
            total += self._at(faced, frame) * np.exp(-np.minimum(away * away, 30))
        return total

    def _facing(self, surface: np.ndarray) -> np.ndarray:
        """Share of a mirror's echo that comes back: falls with the slope."""
        slope = np.gradient(ndimage.gaussian_filter1d(surface, 1.0 / STEP), STEP)
        return 0.12 + 0.88 * np.exp(-((slope / 0.45) ** 2))

    def _bones(self, level: int, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Bright surface, amplitude, and the shadow behind it, dB."""
        bright = np.zeros(frame.v.shape, np.float32)
        shadow = np.zeros(frame.v.shape, np.float32)
        for bone in self._anatomy.bones:
            surface = bone[level]
            known = np.isfinite(surface)
            facing = np.zeros_like(surface)
            facing[known] = self._facing(surface[known])
            behind = frame.v - self._at(np.where(known, surface, 1e4), frame)
            bright += 9 * self._at(facing, frame) * np.exp(-np.minimum((behind / 0.7) ** 2, 30))
            shadow = np.maximum(shadow, 34 * (1 - np.exp(-np.maximum(behind, 0) / 6.0)))
        return bright, ndimage.gaussian_filter1d(shadow, 4.0, axis=1, truncate=2.5)


def _brokenness(course: np.ndarray) -> np.ndarray:
    """From 0.05 (gap) to about 1, skewed so that bright stretches alternate with interruptions."""
    return 0.05 + 0.95 / (1 + np.exp(-2.6 * course))
