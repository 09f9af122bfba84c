"""MuscleProp itself, run as its rivals are."""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.propagation import Settings, propagate
from MusclePropLib.core.volumes import Volume


def run(volume: Volume, annotations: Annotations, **settings: object) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle; `settings` are those of `core.propagation.Settings`."""
    found = propagate(volume, annotations, Settings(**settings))
    return [found.mask(muscle) for muscle in range(len(annotations.muscles))]
