"""Muscles with the status *Completed* in Slicer: they stay as they are, and no other grows into them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation, is_not_muscle
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
    completed = [segment for segment in segmentation.segments if _is_completed(segment)]
    layers = [np.moveaxis(layer, axis, 0) for layer in segmentation.layers]
    return [
        MuscleAnnotation(s.name, _Masks(layers[s.layer], s.value), color=s.color, tags=s.tags)
        for s in with_filled_tags(replace(segmentation, segments=completed)).segments
    ]


def closed_to_others(annotations: Annotations, completed: Sequence[MuscleAnnotation]) -> Annotations:
    """The annotations with the voxels of completed muscles among those that are no muscle's."""
    taken = dict(annotations.not_muscle)
    for muscle in completed:
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
