"""A bright, textured cone that drifts across the slices: every method has something to go by."""

import numpy as np
from scipy import ndimage

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.volumes import Volume

SHAPE = (21, 64, 72)
SPACING = (1.5, 0.5, 0.5)
DRIFT = 1.0  # columns per slice


def cone():
    """(volume, truth): radius from 14 down to 6 pixels, the texture drifting with the cone."""
    slices, rows, columns = SHAPE
    row, column = np.mgrid[:rows, : columns + slices]
    texture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=row.shape), 1.5) * 60
    truth, frames = np.zeros(SHAPE, bool), np.zeros(SHAPE, np.uint8)
    for t in range(slices):
        radius = 14 - 8 * t / (slices - 1)
        inside = (row - 32) ** 2 + (column - 46) ** 2 <= radius**2
        shift = slices - round(DRIFT * t)
        frame = np.clip(90 + texture + 90 * inside, 0, 255)[:, shift : shift + columns]
        frames[t], truth[t] = frame, inside[:, shift : shift + columns]
    return Volume(frames, Geometry.from_spacing(SHAPE, SPACING)), truth


def drawn_on(truth, slices, absent=(), name="cone"):
    muscle = MuscleAnnotation(name, {t: truth[t].copy() for t in slices}, frozenset(absent))
    return Annotations(truth.shape, [muscle])
