"""Every slice gets the mask of the nearest known one."""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.rivals.gaps import known_masks
from MusclePropLib.core.volumes import Volume


def run(volume: Volume, annotations: Annotations) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle; half-way, the earlier slice wins."""
    masks = []
    for muscle in range(len(annotations.muscles)):
        known = known_masks(annotations, muscle)
        at = np.array(list(known))
        nearest = at[np.argmin(np.abs(np.arange(annotations.shape[0])[:, None] - at), axis=1)]
        masks.append(np.stack([known[int(t)] for t in nearest]))
    return masks
