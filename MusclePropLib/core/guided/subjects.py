"""What pretraining learns from: random structures, and muscles of a few simulated calves."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from MusclePropLib.core.phantom.calf import Calf, simulate_calf
from MusclePropLib.core.phantom.structures import Structure, simulate_structure

LENGTHS = (16, 24, 40)
"""Slices of a lesson's volume: gaps from one to some forty slices."""

CALF_SHARE, CALVES, FIRST_CALF = 0.4, 6, 1000
"""Share of lessons from calves; how many are simulated, and the seed of the first: no benchmark uses these."""

CLOSED_SHARE = 0.4
"""Of the random structures, how many begin and end within the volume, as organs do."""

MARGIN = 0.6
"""Surroundings kept on each side of a muscle, as a share of its extent."""


def random_structure(rng: np.random.Generator) -> Structure:
    """A structure with its image: any shape and texture, or a muscle over a part of a calf."""
    count = int(rng.choice(LENGTHS))
    if rng.random() > CALF_SHARE:
        return simulate_structure(rng, count, closed=bool(rng.random() < CLOSED_SHARE))
    calf = _calf(FIRST_CALF + int(rng.integers(CALVES)))
    return _part_of(calf, rng, 1 + int(rng.integers(len(calf.names))), count)


@lru_cache(maxsize=CALVES)
def _calf(seed: int) -> Calf:
    return simulate_calf(seed)


def _part_of(calf: Calf, rng: np.random.Generator, label: int, count: int) -> Structure:
    """A muscle's surroundings on `count` slices, one, two or three apart, that it at least touches."""
    filled = np.flatnonzero((calf.labels == label).any(axis=(1, 2)))
    step = int(rng.integers(1, 4))
    first = int(np.clip(rng.integers(filled[0] - count // 4, filled[-1]), 0, len(calf.labels) - 2))
    slices = np.arange(first, len(calf.labels), step)[:count]
    labels = calf.labels[slices]
    spans = [slice(0, len(slices))]
    for axis in (1, 2):
        other = tuple(a for a in range(3) if a != axis)
        held = np.flatnonzero((labels == label).any(axis=other))
        if not len(held):
            return _part_of(calf, rng, label, count)
        margin = int(MARGIN * (held[-1] + 1 - held[0]))
        spans.append(slice(max(held[0] - margin, 0), held[-1] + 1 + margin))
    labels = labels[tuple(spans)]
    image = calf.volume.array[slices][tuple(spans)].astype(np.float32)
    rest = [labels == other for other in np.unique(labels) if other not in (0, label)]
    others = np.stack(rest) if rest else np.zeros((0, *labels.shape), bool)
    return Structure(image, labels == label, others)
