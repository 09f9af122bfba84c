"""Segments that stay as they are, and that no muscle grows into: *Completed*, drawn on no slice, or *Not muscle*."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from MusclePropLib.core.annotations import (
    SLICES_TAG,
    Annotations,
    MuscleAnnotation,
    is_not_muscle,
    parse_slices_tag,
)
from MusclePropLib.core.drawings import with_filled_tags
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.segments import Segment, Segmentation

STATUS_TAG = "Segmentation.Status"
COMPLETED = "completed"


class Kept(NamedTuple):
    """What stays as it is, and the `places` of all segments: those to propagate, then these in their order."""

    completed: list[MuscleAnnotation]
    undrawn: list[MuscleAnnotation]
    not_muscle: list[MuscleAnnotation]
    places: list[int]

    @property
    def muscles(self) -> list[MuscleAnnotation]:
        """Those that are completed, and those that are drawn on no slice: planned, filled or marked absent only."""
        return [*self.completed, *self.undrawn]


def without_completed(segmentation: Segmentation) -> Segmentation:
    """The segmentation without the completed muscles; InputError if there are no others."""
    rest = [segment for segment in segmentation.segments if not _is_completed(segment)]
    if len(rest) < len(segmentation.segments) and all(is_not_muscle(s.name, s.tags) for s in rest):
        source = segmentation.source or "the segmentation"
        raise InputError(f"{source}: every muscle has the status Completed; there is nothing to propagate")
    return replace(segmentation, segments=rest)


def kept_segments(segmentation: Segmentation, axis: int) -> Kept:
    """What stays as it is, with all its voxels, slices across array axis `axis`, and all its tags."""
    roles = [_role(segmentation, segment) for segment in segmentation.segments]
    places = sorted(range(len(roles)), key=roles.__getitem__)
    kinds = (_Role.COMPLETED, _Role.UNDRAWN, _Role.NOT_MUSCLE)
    completed, undrawn, not_muscle = (
        _as_they_are(segmentation, axis, [segmentation.segments[n] for n in places if roles[n] is kind])
        for kind in kinds
    )
    few = [replace(segment, drawn=dict(segment.drawn)) for segment in not_muscle]  # so that the drawing can be let go
    return Kept(completed, undrawn, few, places)


def closed_to_others(annotations: Annotations, kept: Sequence[MuscleAnnotation]) -> Annotations:
    """The annotations with the voxels of muscles that stay as they are among those that are no muscle's."""
    taken = dict(annotations.not_muscle)
    for muscle in kept:
        for t, mask in muscle.drawn.items():
            taken[t] = taken[t] | mask if t in taken else mask
    return replace(annotations, not_muscle=taken)


def reopened(annotations: Annotations) -> Annotations:
    """The annotations with no muscle called completed."""
    tags = ({key: value for key, value in m.tags.items() if key != STATUS_TAG} for m in annotations.muscles)
    muscles = [replace(muscle, tags=its) for muscle, its in zip(annotations.muscles, tags, strict=True)]
    return replace(annotations, muscles=muscles)


class _Role(IntEnum):
    PROPAGATED = 0
    COMPLETED = 1
    UNDRAWN = 2
    NOT_MUSCLE = 3


def _role(segmentation: Segmentation, segment: Segment) -> _Role:
    if is_not_muscle(segment.name, segment.tags):
        return _Role.NOT_MUSCLE
    if _is_completed(segment):
        return _Role.COMPLETED
    return _Role.UNDRAWN if _is_undrawn(segmentation, segment) else _Role.PROPAGATED


def _is_completed(segment: Segment) -> bool:
    return segment.tags.get(STATUS_TAG) == COMPLETED and not is_not_muscle(segment.name, segment.tags)


def _is_undrawn(segmentation: Segmentation, segment: Segment) -> bool:
    tag = segment.tags.get(SLICES_TAG)
    if tag and not parse_slices_tag(tag, f"{segmentation.source}, segment '{segment.name}'")[1]:
        return True
    return not any((part == segment.value).any() for part in segmentation.layers[segment.layer])


def _as_they_are(segmentation: Segmentation, axis: int, segments: list[Segment]) -> list[MuscleAnnotation]:
    layers = [np.moveaxis(layer, axis, 0) for layer in segmentation.layers]
    return [
        MuscleAnnotation(s.name, _Masks(layers[s.layer], s.value) or {}, color=s.color, tags=s.tags)
        for s in with_filled_tags(replace(segmentation, segments=segments)).segments
    ]


class _Masks(Mapping[int, np.ndarray]):
    """A segment's masks on the slices that hold it, each made when it is asked for: together they are a whole volume.

    `layer` has the slices first.
    """

    def __init__(self, layer: np.ndarray, value: int) -> None:
        self._layer, self._value = layer, value
        self._slices = dict.fromkeys(t for t, part in enumerate(layer) if (part == value).any())

    def __getitem__(self, slice_index: int) -> np.ndarray:
        if slice_index not in self._slices:
            raise KeyError(slice_index)
        return self._layer[slice_index] == self._value

    def __iter__(self) -> Iterator[int]:
        return iter(self._slices)

    def __len__(self) -> int:
        return len(self._slices)
