"""What one frame meets: at every pixel the tissue, the strength of its scatterers, mirror-like sheets, the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.phantom.calf.anatomy import Anatomy
from MusclePropLib.core.phantom.calf.sheets import Sheets
from MusclePropLib.core.phantom.calf.subject import NAMES
from MusclePropLib.core.phantom.calf.surfaces import STEP
from MusclePropLib.core.phantom.calf.texture import Texture
from MusclePropLib.core.phantom.calf.wobble import Wobble

# Kinds of tissue; the muscles' are their label values.
_OUTSIDE, _SKIN, _FAT, _TENDON, _LOOSE, _DEEP, _BLOOD = 0, 4, 5, 6, 7, 8, 9
#                outside GM    GL   SOL  skin  fat tendon loose deep blood
_LEVEL = np.array([-90, 0.0, 0.0, 0.5, 1.0, -7.5, 4.0, 5.0, -3.0, -24], np.float32)  # dB
_MOTTLE = np.array([0, 1.5, 1.5, 1.8, 0.5, 1.2, 1.0, 1.5, 1.8, 0], np.float32)  # dB
_GRAIN = np.array([0, 1.8, 1.8, 2.0, 1.0, 1.0, 2.2, 2.5, 2.2, 0], np.float32)  # dB
_STREAK = np.array([0, 7, 7, 8, 0, 9, 6, 5, 7, 0], np.float32)  # dB
_VARIETY = np.array([0, 0.8, 0.8, 0.8, 1.0, 2.0, 1.0, 1.0, 1.5, 0], np.float32)  # dB from leg to leg
# Fascicles run obliquely: with every mm down the leg they come out this much deeper on the cross-section.
_PENNATION = np.array([0, 0.3, 0.2, -0.3, 0, 0, 0, 0, 0.1, 0], np.float32)
# How closely the texture follows the curve of the fascia.
_CURVED = np.array([0, 1, 1, 0.8, 1, 1, 1, 0.9, 0.35, 0], np.float32)
_SOFT = 14.0  # mm over which the pressure's strain fades
_SKIN_THICKNESS = 1.2  # mm


@dataclass(frozen=True)
class Echoes:
    """Per pixel (rows, columns): `labels` uint8, `scatter` and `loss` in dB, `sheet` amplitude before the loss."""

    labels: np.ndarray
    scatter: np.ndarray
    sheet: np.ndarray
    loss: np.ndarray


class Tissue:
    """One leg's tissues on the levels of the anatomy."""

    def __init__(self, anatomy: Anatomy, rng: np.random.Generator) -> None:
        self._anatomy = anatomy
        self._sheets = Sheets(anatomy, rng)
        self._texture = Texture(rng)
        self._patches = Wobble(rng, (25.0, 120.0), (5.0, 60.0), waves=12)
        self._offset = rng.uniform(0, 60, (2, len(_LEVEL))).astype(np.float32)
        self._level = _LEVEL + _VARIETY * rng.standard_normal(len(_LEVEL), dtype=np.float32)

    def echoes(self, level: int, u: np.ndarray, v: np.ndarray, pressure: float) -> Echoes:
        """What comes back from (u, v), both (rows, columns) in mm, under a pressure given as strain at the skin."""
        anatomy = self._anatomy
        column = np.clip(np.rint((u - anatomy.u[0]) / STEP), 0, len(anatomy.u) - 1).astype(np.int32)
        skin = anatomy.skin[level].astype(np.float32)[column]
        under = _unpressed(v - skin, pressure)
        v = skin + under
        kind = self._kinds(level, u, v, under, column)
        cells = self._cells(level, u, v, kind, column)
        bone, loss = self._sheets.bone(level, v, column)
        patches = 1.2 * self._patches(anatomy.z[level], anatomy.u).astype(np.float32)
        loss += patches[column] * np.clip(under / 25.0, 0, 1.5)
        rough = np.exp(0.4 * self._texture.grain.ravel()[cells])
        sheet = (self._sheets.amplitude(level, v, column) * rough + bone) * (kind != _OUTSIDE)
        labels = np.where(kind <= len(NAMES), kind, 0).astype(np.uint8)
        return Echoes(labels, self._scatter(kind, cells), sheet, loss)

    def _kinds(self, level: int, u: np.ndarray, v: np.ndarray, under: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Tissue at every pixel, uint8: layers from the inside out, then what lies within them."""
        anatomy = self._anatomy

        def at(surface: np.ndarray) -> np.ndarray:
            return surface[level].astype(np.float32)[column]

        kind = np.full(v.shape, _DEEP, np.uint8)
        for surface, above in ((anatomy.deep, _LOOSE), (anatomy.tendon, _TENDON), (anatomy.fascia, _FAT)):
            kind[v < at(surface)] = above
        for value, name in enumerate(NAMES, start=1):
            top, bottom = anatomy.muscles[name]
            kind[(v >= at(top)) & (v < at(bottom))] = value
        for lateral, depth, radius in anatomy.vessels[level].astype(np.float32):
            kind[((u - lateral) ** 2 + (v - depth) ** 2 < radius**2) & (kind == _DEEP)] = _BLOOD
        kind[under < _SKIN_THICKNESS] = _SKIN
        kind[under < 0] = _OUTSIDE
        return kind

    def _cells(self, level: int, u: np.ndarray, v: np.ndarray, kind: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Texture cells: the texture follows the fascia's curve and, down the leg, the fascicles."""
        z = np.float32(self._anatomy.z[level])
        fascia = self._anatomy.fascia[level].astype(np.float32)[column]
        depth = v - _CURVED[kind] * fascia - z * _PENNATION[kind]
        return self._texture.cell(float(z), depth + self._offset[0, kind], u + self._offset[1, kind])

    def _scatter(self, kind: np.ndarray, cells: np.ndarray) -> np.ndarray:
        mottle, grain, streaks = (field.ravel()[cells] for field in self._texture.fields)
        return self._level[kind] + _MOTTLE[kind] * mottle + _GRAIN[kind] * grain + _STREAK[kind] * streaks


def _unpressed(under: np.ndarray, pressure: float) -> np.ndarray:
    """Depth in the unpressed leg of what is seen `under` mm below the skin: outer layers yield most."""
    inside = np.maximum(under, 0)
    return under + np.float32(pressure * _SOFT) * (1 - np.exp(-inside / np.float32(_SOFT)))
