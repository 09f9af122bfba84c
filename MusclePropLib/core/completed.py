"""Muscles that stay as they are, and that no other grows into: *Completed* in Slicer, or drawn on no slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

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


def without_completed(segmentation: Segmentation) -> Segmentation:
    """The segmentation without the completed muscles; InputError if there are no others."""
    rest = [segment for segment in segmentation.segments if not _is_completed(segment)]
    if len(rest) < len(segmentation.segments) and all(is_not_muscle(s.name, s.tags) for s in rest):
        source = segmentation.source or "the segmentation"
        raise InputError(f"{source}: every muscle has the status Completed; there is nothing to propagate")
    return replace(segmentation, segments=rest)


def completed_muscles(segmentation: Segmentation, axis: int) -> list[MuscleAnnotation]:
    """The completed muscles with all their voxels, slices across array axis `axis`, and all their tags."""
    return _as_they_are(segmentation, axis, [s for s in segmentation.segments if _is_completed(s)])


def undrawn_muscles(segmentation: Segmentation, axis: int) -> list[MuscleAnnotation]:
    """The same of those that are drawn on no slice: planned, filled or marked absent only. Completed ones are not."""
    rest = (s for s in segmentation.segments if not _is_completed(s) and not is_not_muscle(s.name, s.tags))
    return _as_they_are(segmentation, axis, [s for s in rest if _is_undrawn(segmentation, s)])


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
