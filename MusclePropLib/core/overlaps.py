"""Muscles that are drawn over each other: which, and what is left of each when every voxel belongs to one alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation

WORTH_SAYING = 0.05
"""Of the smaller muscle's voxels on the slices on which both are drawn: what two hands' contours share is no news."""


def overlapping(annotations: Annotations) -> bool:
    """Whether any two drawn masks share a voxel."""
    return any(_shared(annotations, t) for t in annotations.known_slices())


def without_overlaps(annotations: Annotations) -> Annotations:
    """The same with shared voxels left to the muscle with the smaller outlines: those of a whole hold its parts.

    Of a mask of which nothing would be left all is kept, as where a segment is there twice. What overlaps nothing is
    handed back as it is.
    """
    if not overlapping(annotations):
        return annotations
    drawn = [dict(muscle.drawn) for muscle in annotations.muscles]
    order = sorted(range(len(drawn)), key=lambda index: _outline(annotations.muscles[index]))
    for t in annotations.known_slices():
        taken = np.zeros(annotations.shape[1:], bool)
        for masks in (drawn[index] for index in order if t in drawn[index]):
            mask = masks[t]
            rest = mask & ~taken
            masks[t] = rest if rest.any() else mask
            taken |= mask
    muscles = [replace(muscle, drawn=masks) for muscle, masks in zip(annotations.muscles, drawn, strict=True)]
    return replace(annotations, muscles=muscles)


def overlap_warnings(annotations: Annotations) -> list[str]:
    """A sentence for each two muscles that are drawn over each other by more than a few voxels."""
    shared = [t for t in annotations.known_slices() if _shared(annotations, t)]
    return [
        f"{larger.name} is drawn over {smaller.name}, and on slices that are not drawn every voxel belongs to one "
        f"muscle alone: there {smaller.name}, the smaller one, has what both share."
        for smaller, larger in _pairs(annotations)
        if _common(smaller, larger, shared) > WORTH_SAYING
    ]


def _pairs(annotations: Annotations) -> Iterator[tuple[MuscleAnnotation, MuscleAnnotation]]:
    """Every two muscles, the smaller one first."""
    return combinations(sorted(annotations.muscles, key=_outline), 2)


def _common(smaller: MuscleAnnotation, larger: MuscleAnnotation, shared: list[int]) -> float:
    """Share of the smaller muscle, on the slices on which both are drawn, that the larger one has as well."""
    both = smaller.drawn.keys() & larger.drawn.keys()
    common = sum(np.count_nonzero(smaller.drawn[t] & larger.drawn[t]) for t in both.intersection(shared))
    return common / sum(np.count_nonzero(smaller.drawn[t]) for t in both) if common else 0.0


def _outline(muscle: MuscleAnnotation) -> float:
    """Mean voxels of a drawn slice."""
    return float(np.mean([np.count_nonzero(mask) for mask in muscle.drawn.values()])) if muscle.drawn else 0.0


def _shared(annotations: Annotations, t: int) -> bool:
    """Whether any voxel of a slice is drawn of two muscles."""
    masks = [muscle.drawn[t] for muscle in annotations.muscles if t in muscle.drawn]
    return len(masks) > 1 and sum(map(np.count_nonzero, masks)) > np.count_nonzero(np.logical_or.reduce(masks))
