"""How far an area or a volume may be off, from the Dice expected on each slice.

With Dice d between an area A and the true one B, their disagreement is (1 - d)(A + B), so that B lies between
A d / (2 - d) and A (2 - d) / d whatever the shapes: these are the limits. Within them the two kinds of disagreement,
too much here and too little there, mostly cancel. How much is left over is measured, not assumed: see ONE_SIDED.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.measurements.stack import Stack

ONE_SIDED = 0.55
"""Root mean square of (A - B) / ((1 - d)(A + B)) over slices between drawn ones."""

Z = 1.96
"""Standard deviations on either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True, eq=False)
class Interval:
    """Areas (slices,) in mm2 and volumes in ml between which the truth is expected in 95 % of cases."""

    low_mm2: np.ndarray
    high_mm2: np.ndarray
    low_ml: float
    high_ml: float


def interval(areas_mm2: np.ndarray, confidence: np.ndarray, drawn: list[int], stack: Stack) -> Interval | None:
    """The interval from `confidence` (slices,), the expected Dice; None where a slice with area has none.

    A drawn slice is taken as known. Errors between the same two drawn slices are taken as one error, for a contour
    that is carried wrongly stays wrong until the next drawn slice; errors of different gaps as independent.
    """
    dice = np.array(confidence, dtype=float)
    dice[drawn] = 1.0
    if not np.isfinite(dice[areas_mm2 > 0]).all():
        return None
    dice = np.clip(np.where(areas_mm2 > 0, dice, 1.0), 0.01, 1.0)
    deviation = ONE_SIDED * 2.0 * (1.0 - dice) * areas_mm2
    low = np.maximum(areas_mm2 - Z * deviation, areas_mm2 * dice / (2.0 - dice))
    high = np.minimum(areas_mm2 + Z * deviation, areas_mm2 * (2.0 - dice) / dice)
    volume = stack.millilitres(areas_mm2)
    return Interval(
        low,
        high,
        volume - _over_gaps(areas_mm2 - low, drawn, stack),
        volume + _over_gaps(high - areas_mm2, drawn, stack),
    )


def _over_gaps(errors_mm2: np.ndarray, drawn: list[int], stack: Stack) -> float:
    """The error in ml: added up within each gap between drawn slices, the root of the sum of squares over gaps."""
    parts = np.split(errors_mm2 * np.abs(stack.thickness), sorted(drawn))
    return float(np.sqrt(sum(part.sum() ** 2 for part in parts))) / 1000.0
