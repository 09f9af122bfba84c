"""Segmentations: named segments on a grid, as label maps that they may share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from MusclePropLib.core.annotations import (
    NOT_MUSCLE,
    NOT_MUSCLE_TAG,
    SLICES_TAG,
    Annotations,
    MuscleAnnotation,
    is_not_muscle,
    parse_slices_tag,
    slices_tag,
)
from MusclePropLib.core.defaults import default_for_label
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.regrid import GridShift, grid_shift, regrid

MAX_LABELS = 255
MOST_VALUES = 150
"""A map without names that has more values is taken for grey levels; whole bodies have some 120 structures."""
_COLORS = ((0.50, 0.68, 0.50), (0.95, 0.84, 0.57), (0.69, 0.48, 0.40), (0.44, 0.72, 0.82), (0.85, 0.40, 0.31))

GRID_TAG = "MuscleProp.Grid"
"""Numbers of voxels, in order of size, of the grid on which Slicer counts the slices that other tags name."""

NAMELESS = "Segment_"
"""Begins the name of a label value that has none, as in Slicer."""


@dataclass
class Segment:
    """One segment: the voxels of layer `layer` that hold `value`. `tags` are Slicer's, `id` its segment ID."""

    name: str
    color: tuple[float, float, float] = _COLORS[0]
    tags: dict[str, str] = field(default_factory=dict)
    layer: int = 0
    value: int = 1
    id: str = ""


@dataclass(eq=False)
class Segmentation:
    """`layers` are (a0, a1, a2) integer label maps on the grid `geometry`, in the stored axis order."""

    geometry: Geometry
    layers: list[np.ndarray]
    segments: list[Segment]
    source: str = ""

    def mask(self, index: int) -> np.ndarray:
        """Bool array (a0, a1, a2) of one segment. Costs a byte per voxel: prefer slices of `layers` on big grids."""
        segment = self.segments[index]
        return self.layers[segment.layer] == segment.value

    def resampled_to(self, geometry: Geometry) -> Segmentation:
        """The same voxels on another grid that is aligned with this one: padded, cropped, axes swapped or flipped.

        Nothing is interpolated; the slices named in `MuscleProp.Slices` tags move along. Raises InputError if the
        grids' voxels do not coincide.
        """
        if self.geometry.matches(geometry):
            return self
        shift = self._shift_to(geometry)
        return self._moved(geometry, shift, shift)

    def union(self, geometry: Geometry) -> Geometry:
        """The grid `geometry`, larger by what this one has beyond it; InputError if their voxels do not coincide."""
        if self.geometry.matches(geometry):
            return geometry
        return self._shift_to(geometry).union(self.geometry.shape, geometry)[0]

    def restored_to(self, whole: Geometry) -> Segmentation:
        """The whole grid again of which a file holds the part with segments; as it is if that is not aligned.

        Where segments reach beyond it, the grid is larger by that, for none of them may be lost. Tags are not cropped
        with the voxels: they count slices on the whole grid, along the stored axes.
        """
        shift = None if self.geometry.matches(whole) else grid_shift(self.geometry, whole)
        if shift is None:
            return self
        turn = shift.turn(whole.shape)
        restored = self._moved(whole, shift, turn)
        if all(_filled(a) == _filled(b) for a, b in zip(self.layers, restored.layers, strict=True)):
            return restored
        wider, low = shift.union(self.geometry.shape, whole)
        return self._moved(wider, shift.begun_at(low), turn.begun_at(low))

    def _shift_to(self, geometry: Geometry) -> GridShift:
        shift = grid_shift(self.geometry, geometry)
        if shift is None:
            said = f"its voxels are not those of the image ({self.geometry.differences(geometry)})"
            raise InputError(f"{self.source or 'segmentation'}: different grids: {said}")
        return shift

    def _moved(self, geometry: Geometry, voxels: GridShift, tags: GridShift) -> Segmentation:
        layers = [regrid(layer, geometry.shape, voxels) for layer in self.layers]
        segments = [replace(s, tags=_moved_tags(s, tags, geometry.shape, self.source)) for s in self.segments]
        return replace(self, geometry=geometry, layers=layers, segments=segments)


def _filled(layer: np.ndarray) -> int:
    return sum(int(np.count_nonzero(part)) for part in layer)


def _moved_tags(segment: Segment, shift: GridShift, shape: tuple[int, int, int], source: str) -> dict[str, str]:
    """The segment's tags with its slices counted on the target grid, without those that lie outside of it."""
    value = segment.tags.get(SLICES_TAG)
    if not value:
        return segment.tags
    axis, *states = parse_slices_tag(value, f"{source}, segment '{segment.name}'")
    target = shift.axes.index(axis)
    drawn, absent = ([t for t in shift.moved(axis, state) if 0 <= t < shape[target]] for state in states)
    known = MuscleAnnotation(segment.name, dict.fromkeys(drawn), frozenset(absent))
    tags = {name: value for name, value in segment.tags.items() if name != GRID_TAG}
    return tags | {SLICES_TAG: slices_tag(known, target)}


def segmentation_from_labels(
    labels: np.ndarray,
    geometry: Geometry,
    segments: Sequence[Segment] | None = None,
    names: Mapping[int, str] | None = None,
    source: str = "",
) -> Segmentation:
    """A segmentation that shares the label map `labels` (a0, a1, a2), without a copy if it holds whole numbers.

    `segments` gives name, colour and tags of the values 1, 2, ...; without it the segments are the values found.
    """
    labels = _whole_numbers(labels, source or "label map")
    if segments is None:
        values = label_values(labels, source or "label map")
        segments = [_named(value, values, names or {}) for value in values]
    else:
        segments = [replace(segment, layer=0, value=n) for n, segment in enumerate(segments, 1)]
    return Segmentation(geometry, [labels], list(segments), source)


def segmentation_from_masks(
    masks: Iterable[np.ndarray], geometry: Geometry, segments: Sequence[Segment], source: str = ""
) -> Segmentation:
    """A segmentation of one (a0, a1, a2) bool mask per segment, in as few layers as keep overlaps apart."""
    slices = ({t: part for t, part in enumerate(mask) if part.any()} for mask in masks)
    return segmentation_from_slices(slices, 0, geometry, segments, source)


def segmentation_from_slices(
    drawn: Iterable[Mapping[int, np.ndarray]],
    axis: int,
    geometry: Geometry,
    segments: Sequence[Segment],
    source: str = "",
) -> Segmentation:
    """The same from, per segment, bool masks of the slices across array axis `axis` that hold any of it."""
    made = with_segments(Segmentation(geometry, [], [], source), drawn, axis, segments)
    return made if made.layers else replace(made, layers=[np.zeros(geometry.shape, np.uint8)])


def with_segments(
    segmentation: Segmentation, drawn: Iterable[Mapping[int, np.ndarray]], axis: int, segments: Sequence[Segment]
) -> Segmentation:
    """The same and more segments, `drawn` as for `segmentation_from_slices`, with values after those there are.

    Each lies in the first layer that is empty there, which is changed in place, else in one of its own.
    """
    layers, placed = list(segmentation.layers), list(segmentation.segments)
    first = 1 + max((segment.value for segment in placed), default=0)
    kind = np.uint8 if first + len(segments) <= MAX_LABELS + 1 else np.uint16
    for value, (slices, segment) in enumerate(zip(drawn, segments, strict=True), first):
        views = (np.moveaxis(layer, axis, 0) for layer in layers)
        number = next((n for n, view in enumerate(views) if _has_room(view, slices, value)), len(layers))
        if number == len(layers):
            layers.append(np.zeros(segmentation.geometry.shape, kind))
        view = np.moveaxis(layers[number], axis, 0)
        for t, mask in slices.items():
            view[t][mask] = value
        placed.append(replace(segment, layer=number, value=value))
    return replace(segmentation, layers=layers, segments=placed)


def _has_room(layer: np.ndarray, slices: Mapping[int, np.ndarray], value: int) -> bool:
    return value <= np.iinfo(layer.dtype).max and not any(layer[t][mask].any() for t, mask in slices.items())


def with_not_muscle(segmentation: Segmentation, annotations: Annotations) -> Segmentation:
    """The same and, if the annotations have any, a segment that says where no muscle is."""
    if not annotations.not_muscle:
        return segmentation
    segment = Segment(NOT_MUSCLE, (0.4, 0.4, 0.4), {NOT_MUSCLE_TAG: "1"})
    return with_segments(segmentation, [annotations.not_muscle], annotations.axis, [segment])


def without_not_muscle(segmentation: Segmentation) -> Segmentation:
    """The same without segments that say where no muscle is, and without their voxels."""
    layers, kept = list(segmentation.layers), []
    for segment in segmentation.segments:
        if is_not_muscle(segment.name, segment.tags):
            layer = layers[segment.layer]
            layers[segment.layer] = np.where(layer == segment.value, layer.dtype.type(0), layer)
        else:
            kept.append(segment)
    return replace(segmentation, layers=layers, segments=kept)


def values_of(segmentation: Segmentation, names: Iterable[str]) -> list[int]:
    """The label values of the segments of these names.

    They are 1, 2, ... where segments in layers of their own share some, or a name.
    """
    given = {segment.name: segment.value for segment in segmentation.segments}
    if len(set(given.values())) < len(segmentation.segments):
        return [value for value, _ in enumerate(names, 1)]
    return [given[name] for name in names]


def with_values(segmentation: Segmentation, values: Sequence[int]) -> Segmentation:
    """The same in one layer with other label values, one for each segment, all different; as it is if they are those.

    `segmentation` has one layer.
    """
    if list(values) == [segment.value for segment in segmentation.segments]:
        return segmentation
    (layer,) = segmentation.layers
    kind = np.uint8 if max(values) <= MAX_LABELS else np.uint16
    table = np.zeros(1 + max(segment.value for segment in segmentation.segments), kind)  # some may have no voxels
    for segment, value in zip(segmentation.segments, values, strict=True):
        table[segment.value] = value
    segments = [replace(segment, value=value) for segment, value in zip(segmentation.segments, values, strict=True)]
    return replace(segmentation, layers=[table[layer]], segments=segments)


def label_values(labels: np.ndarray, source: str = "label map") -> list[int]:
    """The sorted values other than 0, found slice by slice. InputError if there are none or too many for labels."""
    found: set[int] = set()
    for part in labels:
        found.update(_values(part))
        if len(found) > MOST_VALUES + 1:
            raise InputError(f"{source}: more than {MOST_VALUES} different values; this is an image, not a label map")
    found.discard(0)
    if not found:
        raise InputError(f"{source}: holds no segment")
    if min(found) < 0:
        raise InputError(f"{source}: negative values; this is an image, not a label map")
    return sorted(found)


def _values(part: np.ndarray) -> list[int]:
    """The values in one slice; counting is ten times as fast as sorting where the values are small."""
    if not part.any():
        return []
    counts = part.dtype.kind == "u" and part.dtype.itemsize <= 2
    return (np.flatnonzero(np.bincount(part.ravel())) if counts else np.unique(part)).tolist()


def _whole_numbers(labels: np.ndarray, source: str) -> np.ndarray:
    """`labels` itself if of one or two bytes; anything wider as uint16, slice by slice, if it holds whole numbers."""
    if labels.dtype == bool:
        return labels.view(np.uint8)
    if labels.dtype.kind in "ui" and labels.dtype.itemsize <= 2:
        return labels
    whole = np.zeros(labels.shape, np.uint16)
    for part, target in zip(labels, whole, strict=True):
        with np.errstate(invalid="ignore"):
            target[...] = part
        if not np.array_equal(part, target):
            raise InputError(f"{source}: values that are not whole numbers of 0 to 65535; this is not a label map")
    return whole


def _named(value: int, values: Sequence[int], names: Mapping[int, str]) -> Segment:
    muscles = [default_for_label(v) for v in values]
    color = _COLORS[values.index(value) % len(_COLORS)]
    if value in names:
        return Segment(names[value], color, value=value)
    muscle = default_for_label(value)
    if muscle is not None and None not in muscles:
        return Segment(muscle.name, muscle.color, {"TerminologyEntry": muscle.terminology}, value=value)
    return Segment(f"{NAMELESS}{value}", color, value=value)
