"""Seeds for the methods that grow regions: what is known to be the muscle, and what is known not to be."""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.annotations import Annotations

INSIDE, OUTSIDE = 1, 2


def seeds_of(annotations: Annotations, muscle: int) -> np.ndarray:
    """uint8 (slices, rows, columns): INSIDE, OUTSIDE, or 0 where nothing is known.

    Outside is everything beside the mask on a drawn slice, as much as anyone could seed; painting only a ring of
    background, as users do, came out worse on all volumes tried.
    """
    seeds = np.zeros(annotations.shape, np.uint8)
    slices = {t for m in annotations.muscles for t in (*m.drawn, *m.absent)} | set(annotations.not_muscle)
    for t in slices:
        seeds[t][annotations.negative(muscle, t)] = OUTSIDE
        seeds[t][annotations.positive(muscle, t)] = INSIDE
    return seeds
