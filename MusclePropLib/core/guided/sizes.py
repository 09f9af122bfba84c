"""How large a muscle is on each slice: as its drawn areas lead to expect, as the network finds it, or in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MusclePropLib.core.guided.choice import TAPERING_WEIGHT
from MusclePropLib.core.guided.hidden import HiddenTask

CURVE_GAIN = 0.5
"""What is left of the curve's squared error, against the network's, once no slice is hidden any more."""

DOUBT = 0.01
"""Squared error of either (a tenth of the area) to begin with."""

LARGEST = 2.0
"""Logarithm of the largest factor that an area is taken to be wrong by."""


def network_share(tasks: Sequence[HiddenTask], found: Sequence[np.ndarray]) -> float:
    """The network's share in the areas, 0 to 1, by how well it and the curve told those of the hidden slices.

    `found` are the network's logits (rows, columns) on the hidden slices. Both areas are taken as guesses that err
    independently of each other and in proportion to the area, and weighed by the inverse of their variances. Only
    slices hidden between others tell anything.
    """
    curve, network, weights = [], [], []
    for task, logits in zip(tasks, found, strict=True):
        expected, drawn = task.stack.areas[task.place], max(np.count_nonzero(task.truth > 0), 1)
        if not task.beyond and np.isfinite(expected):
            curve.append(_squared(expected / drawn))
            network.append(_squared(np.count_nonzero(logits > 0) / drawn))
            weights.append(TAPERING_WEIGHT if task.tapering else 1.0)
    of_curve = CURVE_GAIN * float(np.dot(weights, curve)) + DOUBT
    return of_curve / (of_curve + float(np.dot(weights, network)) + DOUBT)


def joined_areas(expected: np.ndarray, found: np.ndarray, share: float) -> np.ndarray:
    """Areas (n,) between the expected and the found ones, their geometric mean with weights; nan stays nan."""
    return np.maximum(expected, 1) ** (1 - share) * np.maximum(found, 1) ** share


def _squared(ratio: float) -> float:
    return float(np.clip(np.log(max(ratio, 1e-9)), -LARGEST, LARGEST) ** 2)
