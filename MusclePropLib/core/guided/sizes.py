"""How large a muscle is on each slice: as its drawn areas lead to expect, as the network finds it, or in between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MusclePropLib.core.guided.hidden import HiddenTask
from MusclePropLib.core.priors.area import FEWEST

CURVE_GAIN = 0.5
"""What is left of the curve's squared error, against the network's, once no slice is hidden any more."""

DOUBT = 0.01
"""Squared error of either (a tenth of the area) to begin with."""

LARGEST = 2.0
"""Logarithm of the largest factor that an area is taken to be wrong by."""

BEYOND = 0.65
"""The network's share in the areas beyond the outermost known slices, where a curve is but a guess (measured on organs
in CT, ultrasound and simulated calves)."""


def network_share(tasks: Sequence[HiddenTask], found: Sequence[np.ndarray]) -> float:
    """The network's share in the areas between drawn slices, 0 to 1, by how well it and the curve told the hidden ones.

    `found` are the network's logits (rows, columns) on the hidden slices. Both areas are taken as guesses that err
    independently of each other and in proportion to the area, and weighed by the inverse of their variances. Only
    slices hidden between two drawn ones count; without any, both have the same share. From FEWEST drawn slices on a
    smooth curve joins them and has it all: fine-tuned, the network overshoots, which adds up to a volume.
    """
    if len(tasks) >= FEWEST:
        return 0.0
    between = [(t, logits) for t, logits in zip(tasks, found, strict=True) if not (t.beyond or t.tapering)]
    curve, network = DOUBT, DOUBT
    for task, logits in between:
        drawn = max(np.count_nonzero(task.truth > 0), 1)
        curve += CURVE_GAIN * _squared(task.stack.areas[task.place] / drawn)
        network += _squared(np.count_nonzero(logits > 0) / drawn)
    return curve / (curve + network)


def shares(between: float, beyond: np.ndarray | bool, tapering: np.ndarray | bool) -> np.ndarray:
    """The network's share on places (n,): where a muscle tapers off towards slices without it, none."""
    return np.where(tapering, 0.0, np.where(beyond, BEYOND, between))


def joined_areas(expected: np.ndarray, found: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Areas (n,) between the expected and the found ones, their geometric mean with weights; nan stays nan."""
    return np.maximum(expected, 1) ** (1 - share) * np.maximum(found, 1) ** share


def _squared(ratio: float) -> float:
    return float(np.clip(np.log(max(ratio, 1e-9)), -LARGEST, LARGEST) ** 2)
