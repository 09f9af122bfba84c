"""What pretraining learns from: random structures, and muscles of simulated calves."""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.phantom.calf import Calf, simulate_calf
from MusclePropLib.core.phantom.structures import Structure, simulate_structure

LENGTHS = (16, 24, 40)
"""Slices of a lesson's volume: gaps from one to some forty slices."""

CALF_SHARE, FIRST_CALF, CALVES = 0.4, 1000, 500
"""Share of lessons from calves; the seed of the first, and how many there may be: no benchmark uses these."""

HELD, USES = 4, 40
"""Calves at hand at a time, for one takes seconds to simulate; lessons from calves until one gives way to a new one."""

MARGIN = 0.6
"""Surroundings kept on each side of a muscle, as a share of its extent."""


class Subjects:
    """An endless supply of structures with their images: any shape and texture, or a muscle over a part of a calf."""

    def __init__(self) -> None:
        self._calves: list[Calf] = []

    def structure(self, rng: np.random.Generator) -> Structure:
        """The next one; the same for the same state of `rng` and the same calves at hand."""
        count = int(rng.choice(LENGTHS))
        if rng.random() > CALF_SHARE:
            return simulate_structure(rng, count)
        calf = self._calf(rng)
        return _part_of(calf, rng, 1 + int(rng.integers(len(calf.names))), count)

    def _calf(self, rng: np.random.Generator) -> Calf:
        if len(self._calves) < HELD or rng.random() < 1 / USES:
            newcomer = simulate_calf(FIRST_CALF + int(rng.integers(CALVES)))
            self._calves = [*self._calves[1 - HELD :], newcomer]
        return self._calves[int(rng.integers(len(self._calves)))]


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
