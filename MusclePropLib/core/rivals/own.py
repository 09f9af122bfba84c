"""MuscleProp itself, run as its rivals are."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.outcome import MuscleOutcome
from MusclePropLib.core.propagation import Settings, propagate
from MusclePropLib.core.rivals import Answer, RivalUnavailable
from MusclePropLib.core.volumes import Volume

_TOLD = ("method", "estimate", "fill_estimate")


def run(volume: Volume, annotations: Annotations, alone: bool = False, **settings: object) -> Answer:
    """One bool mask (slices, rows, columns) per muscle, and what MuscleProp expects of each.

    `alone` propagates each muscle by itself, so that none is evidence against another and masks may overlap: the
    ablation of negative evidence. `settings` are those of `core.propagation.Settings`.
    """
    if alone and len(annotations.muscles) < 2:
        raise RivalUnavailable("there is one muscle only, so it is by itself anyway")
    groups = [[muscle] for muscle in annotations.muscles] if alone else [annotations.muscles]
    masks: list[np.ndarray] = []
    said = {}
    for muscles in groups:
        part = Annotations(annotations.shape, muscles, {} if alone else annotations.not_muscle, annotations.axis)
        found = propagate(volume, part, Settings(**settings))
        masks += [found.mask(muscle) for muscle in range(len(muscles))]
        said |= {outcome.name: _told(outcome) for outcome in found.muscles}
    return Answer(masks, said)


def _told(outcome: MuscleOutcome) -> dict[str, float | str | None]:
    """NaN, which JSON does not know, becomes None."""
    facts = asdict(outcome)
    return {name: None if facts[name] != facts[name] else facts[name] for name in _TOLD}
