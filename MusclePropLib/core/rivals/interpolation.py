"""Shape-based interpolation: signed distances of the known masks, mixed linearly (Raya and Udupa 1990).

Slices count by number. Counting by tracked positions was tried on a freehand sweep: +.02 Dice at 3 and 5 slices, -.01
at 9, so the rival is left as the tools in use have it. Beyond the outermost known slices the nearest mask stands.
"""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.rivals.gaps import blend, gaps, known_masks, signed_distance
from MusclePropLib.core.volumes import Volume


def run(volume: Volume, annotations: Annotations) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle."""
    pixel = volume.geometry.spacing[1:]
    return [_interpolated(known_masks(annotations, m), annotations, pixel) for m in range(len(annotations.muscles))]


def _interpolated(known: dict[int, np.ndarray], annotations: Annotations, pixel: tuple[float, float]) -> np.ndarray:
    result = np.zeros(annotations.shape, bool)
    fields = {t: signed_distance(mask, pixel) for t, mask in known.items()}
    for gap in gaps(list(known), len(result)):
        before, after = fields.get(gap.before), fields.get(gap.after)
        for t in range(gap.first, gap.last + 1):
            if gap.before is None or gap.after is None:
                result[t] = known[gap.after if gap.before is None else gap.before]
            else:
                result[t] = blend(before, after, gap.share(t))
    return result
