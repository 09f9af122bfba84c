"""A segmentation on the grid that it is measured on: along which axis its slices count, and where each of them lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.annotations import Annotations, axis_of_gaps, extents
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.records import Places, named_axes, recorded_positions
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.recalibration import recalibrated
from MusclePropLib.core.segments import Segment, Segmentation
from MusclePropLib.core.volumes import Volume


@dataclass(frozen=True, eq=False)
class Placed:
    """`stack` and `image`, the volume's array or None, have slices first; `places` lead to a record's slices.

    `tracked` tells that true positions of frames are used; `lost` that there were some, which do not fit this grid.
    """

    segmentation: Segmentation
    axis: int
    stack: Stack
    places: Places
    image: np.ndarray | None
    tracked: bool
    lost: bool

    def labels(self, segment: Segment) -> np.ndarray:
        """The label map that holds the segment (slices, rows, columns), a view."""
        return np.moveaxis(self.segmentation.layers[segment.layer], self.axis, 0)


def place(
    segmentation: Segmentation,
    volume: Volume | None = None,
    drawn: Annotations | None = None,
    axis: str | int = "auto",
) -> Placed:
    """Bring the segmentation onto the volume's grid, if there is one, and find its slices.

    The positions of tracked frames are the volume's, or else those that the propagation has recorded. Raises
    InputError if the grids do not fit, `drawn` counts along another axis than the one asked for, or tags name several.
    """
    segmentation = segmentation if volume is None else recalibrated(segmentation, volume)
    moved = segmentation if volume is None else on_grid(segmentation, volume)
    axis = _slice_axis(moved, drawn, axis)
    view = None if volume is None else volume.along(axis)
    places = Places.between(segmentation.geometry, moved.geometry, axis)
    positions, lost = (None, False) if view is None else (view.positions, False)
    if positions is None:
        positions, lost = recorded_positions(moved, places, axis)
    stack = Stack.of(moved.geometry.moved(axis), positions)
    return Placed(moved, axis, stack, places, None if view is None else view.array, positions is not None, lost)


def on_grid(segmentation: Segmentation, volume: Volume) -> Segmentation:
    """The segmentation on the image's grid; InputError if any of it would be lost, for a volume cut off is wrong."""
    segmentation = recalibrated(segmentation, volume)
    moved = segmentation.resampled_to(volume.along(0).geometry)
    if moved is segmentation:
        return segmentation
    for segment in segmentation.segments:
        before, after = (_voxels(s.layers[segment.layer], segment.value) for s in (segmentation, moved))
        if after < before:
            part = "lies wholly outside" if after == 0 else "reaches beyond"
            source = segmentation.source or "the segmentation"
            raise InputError(f"{source}: segment '{segment.name}' {part} the image {volume.source}".rstrip())
    return moved


def _slice_axis(segmentation: Segmentation, drawn: Annotations | None, axis: str | int) -> int:
    """The array axis that slices are counted along: `axis`, else that of `drawn`, of the tags, of gaps, else 0.

    Whoever asks for an `axis` has it whatever the tags name, but not another one than that of `drawn`.
    """
    source = segmentation.source or "the segmentation"
    named = set() if drawn is None else {drawn.axis}
    if axis != "auto":
        named.add(int(axis))
    elif drawn is None:
        named = named_axes(segmentation.segments, source)
    if len(named) > 1:
        raise InputError(f"{source}: its slices were drawn along another axis ({sorted(named)} are named)")
    if named:
        return named.pop()
    return axis_of_gaps([extents(segmentation.layers[s.layer], s.value) for s in segmentation.segments])


def _voxels(layer: np.ndarray, value: int) -> int:
    return sum(int(np.count_nonzero(plane == value)) for plane in layer)
