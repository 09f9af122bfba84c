"""Muscle volumes without any propagation: a cubic spline through the drawn slices' areas, the clinic's way."""

from __future__ import annotations

import math

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.measurements.few_slices import spline_ml
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.volumes import Volume


def volumes(volume: Volume, annotations: Annotations) -> list[float]:
    """Volume of each muscle in ml, nothing being added beyond its outermost drawn slices; NaN if one is drawn."""
    stack = Stack.of(volume.geometry, volume.positions)
    found = []
    for muscle in annotations.muscles:
        areas = [np.count_nonzero(muscle.drawn[t]) * stack.pixel_mm2 for t in muscle.drawn_slices]
        millilitres = spline_ml(np.array(muscle.drawn_slices), np.array(areas), stack)
        found.append(math.nan if millilitres is None else millilitres)
    return found
