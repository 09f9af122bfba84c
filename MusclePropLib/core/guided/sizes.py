"""How large a muscle is on each slice: as its drawn areas lead to expect, as the network finds it, or in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MusclePropLib.core.guided.hidden import HiddenTask
from MusclePropLib.core.priors.area import FEWEST

CURVE_GAIN, SMOOTH_GAIN = 0.5, 0.1
"""What is left of the curve's squared error, against the network's, once no slice is hidden any more; the second where
there are enough slices for a smooth curve, which comes the closer the more there are."""

DOUBT = 0.01
"""Squared error of either (a tenth of the area) to begin with."""

LARGEST = 2.0
"""Logarithm of the largest factor that an area is taken to be wrong by."""


def network_share(tasks: Sequence[HiddenTask], found: Sequence[np.ndarray]) -> float:
    """The network's share in the areas, 0 to 1, by how well it and the curve told those of the hidden slices.

    `found` are the network's logits (rows, columns) on the hidden slices. Both areas are taken as guesses that err
    independently of each other and in proportion to the area, and weighed by the inverse of their variances. Only
    slices hidden between two drawn ones tell anything; without one, the curve it is.
    """
    curve, network = 0.0, 0.0
    between = [(t, logits) for t, logits in zip(tasks, found, strict=True) if not (t.beyond or t.tapering)]
    if not between:
        return 0.0
    for task, logits in between:
        drawn = max(np.count_nonzero(task.truth > 0), 1)
        curve += _squared(task.stack.areas[task.place] / drawn)
        network += _squared(np.count_nonzero(logits > 0) / drawn)
    curve *= SMOOTH_GAIN if len(tasks) >= FEWEST else CURVE_GAIN
    return (curve + DOUBT) / (curve + network + 2 * DOUBT)


def joined_areas(expected: np.ndarray, found: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Areas (n,) between the expected and the found ones, their geometric mean with weights; nan stays nan."""
    return np.maximum(expected, 1) ** (1 - share) * np.maximum(found, 1) ** share


def _squared(ratio: float) -> float:
    return float(np.clip(np.log(max(ratio, 1e-9)), -LARGEST, LARGEST) ** 2)
