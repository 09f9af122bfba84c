"""Which slices the simulated expert draws."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.sparsify import covering, equally_spaced, randomly_placed

if TYPE_CHECKING:
    from MusclePropLib.core.benchmark.problems import Problem

PARTIAL_SHARE = 0.6
_SHARE = f"{100 * PARTIAL_SHARE:.0f} %"

LAYOUTS = {
    "equal": "equally spaced over the whole range, both ends included; a single slice in the middle",
    "random": "anywhere in the range",
    "partial": f"equally spaced over the first {_SHARE} of the range, the rest to be extrapolated",
    "middle": f"equally spaced over the middle {_SHARE} of the range, both ends to be extrapolated",
    "incomplete": "as equal, but at every place one muscle, chosen at random, is not drawn",
    "half": "as equal, but at every place only every other muscle is drawn, in turn",
}
"""What each layout means, for help and tables."""

CHANCE = ("random", "incomplete")
"""Layouts that depend on the seed."""

_PICK: dict[str, Callable[[np.ndarray, int, np.random.Generator], list[int]]] = {
    "random": randomly_placed,
    "partial": lambda filled, count, rng: covering(filled, count, PARTIAL_SHARE),
    "middle": lambda filled, count, rng: covering(filled, count, PARTIAL_SHARE, (1 - PARTIAL_SHARE) / 2),
}


def shown(layout: str) -> str:
    """The layout's name in tables, with the share of the range where it is not the whole."""
    return f"{layout} {_SHARE}" if layout in ("partial", "middle") else layout


class NotApplicable(Exception):
    """The layout has no meaning for this case; the message is one sentence that says why."""


def annotate(problem: Problem, layout: str, count: int, seed: int = 0) -> Annotations:
    """What is drawn of `problem`, `count` slices of each muscle at most; LAYOUTS says which.

    Places are counted along each muscle's own range: `half` draws every other one of a muscle's `equal` slices. Where
    both ends of a muscle are among the places, the expert says that it is absent beyond them, drawn there or not, so
    `equal`, `incomplete` and `half` differ in nothing but the masks left out. Where chance plays, a `seed` stands for
    other places in every case, by its name: cases would tell little if all shared them. Raises NotApplicable for a
    layout that leaves muscles out where only one is there, or would leave one without any slice.
    """
    rng = np.random.default_rng([seed, count, zlib.crc32(problem.name.encode())])
    pick = _PICK.get(layout, lambda filled, count, rng: equally_spaced(filled, count))
    muscles = []
    for name, mask in problem.truth.items():
        filled = np.flatnonzero(mask.any(axis=(1, 2)))
        drawn = {t: mask[t].copy() for t in pick(filled, count, rng)}
        ends_are_known = layout not in _PICK and count > 1
        beyond = set(range(len(mask))) - set(range(filled[0], filled[-1] + 1)) if ends_are_known else ()
        muscles.append(MuscleAnnotation(name, drawn, frozenset(beyond)))
    if layout in ("incomplete", "half"):
        muscles = _without_some(muscles, layout, rng)
    return Annotations(problem.volume.array.shape, muscles)


def _without_some(muscles: list[MuscleAnnotation], layout: str, rng: np.random.Generator) -> list[MuscleAnnotation]:
    if len(muscles) < 2:
        raise NotApplicable(f"there is one muscle only, so the layout '{layout}' can leave none out")
    drop = _one_each(muscles, rng) if layout == "incomplete" else _every_other(muscles)
    thinned = []
    for muscle, gone in zip(muscles, drop, strict=True):
        drawn = {t: muscle.drawn[t] for place, t in enumerate(muscle.drawn_slices) if place not in gone}
        thinned.append(replace(muscle, drawn=drawn))
    if not all(muscle.drawn for muscle in thinned):
        raise NotApplicable(f"the layout '{layout}' would leave a muscle without any drawn slice")
    return thinned


def _one_each(muscles: list[MuscleAnnotation], rng: np.random.Generator) -> list[set[int]]:
    """Places that each muscle loses: at every place one muscle, as long as that leaves it another slice."""
    drop: list[set[int]] = [set() for _ in muscles]
    for place in range(max(len(m.drawn) for m in muscles)):
        able = [i for i, m in enumerate(muscles) if place < len(m.drawn) and len(m.drawn) - len(drop[i]) > 1]
        if not able:
            raise NotApplicable("the layout 'incomplete' would leave a muscle without any drawn slice")
        drop[int(rng.choice(able))].add(place)
    return drop


def _every_other(muscles: list[MuscleAnnotation]) -> list[set[int]]:
    return [{place for place in range(len(m.drawn)) if (place + i) % 2} for i, m in enumerate(muscles)]
