"""A segment's voxels, seen slice by slice on the grid of a volume, without copying the label map."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import slicer

from MusclePropLib.core.drawings import Drawing, drawing
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.planes import planes
from MusclePropLib.scene.geometry import Lattice, image_array, image_geometry, lattice_in

LABELMAP = "Binary labelmap"  # vtkSegmentationConverter's name of the representation
MOST_REMEMBERED = 64
NO_LATTICE = Lattice((0, 1, 2), (False, False, False), (0, 0, 0))  # of a segment without voxels


_remembered: OrderedDict[tuple, dict[int, Drawing]] = OrderedDict()  # a pass over a filled full grid takes a second


@dataclass(frozen=True)
class SegmentVoxels:
    """One segment on a volume's grid, slices first.

    `labels` (slices, rows, columns) is a view of the label map, which other segments may share; the segment's voxels
    are those equal to `value`. Its first voxel lies at `offset` in a grid of the given `shape`. The slices run along
    axis `own_axis` of the label map, and `backwards` if its axis and the volume's are opposed. `changed` is the label
    map's modification time, None if unknown: VTK gives every change of any object a time of its own.
    """

    labels: np.ndarray
    value: int
    offset: tuple[int, int, int]
    shape: tuple[int, int, int]
    own_axis: int = 0
    backwards: bool = False
    changed: int | None = None

    def own_index(self, slice_index: int) -> int:
        """The slice's number as the label map's own axis counts them, and back."""
        return self.shape[0] - 1 - slice_index if self.backwards else slice_index

    def masks(self, slices: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Number and (rows, columns) bool mask of these slices, all of which the label map covers."""
        first = self.offset[0]
        for index, labels in planes(self.labels, sorted(t - first for t in slices)):
            yield index + first, self._whole(labels == self.value)

    def drawings(self) -> dict[int, Drawing]:
        """What is on each slice with at least one voxel; one pass over the label map, if that was not done before."""
        key = (self.changed, self.value, self.offset, self.labels.shape, self.labels.strides)
        if self.changed is None or key not in _remembered:
            _remembered[key] = self._drawings()
        _remembered.move_to_end(key)
        while len(_remembered) > MOST_REMEMBERED:
            _remembered.popitem(last=False)
        return dict(_remembered[key])

    def _drawings(self) -> dict[int, Drawing]:
        return {t: drawing(part, *self.offset[1:]) for t, part in self._filled_parts()}

    def mask(self, slice_index: int) -> np.ndarray:
        """(rows, columns) bool, a copy."""
        inside = slice_index - self.offset[0]
        if not 0 <= inside < len(self.labels):
            return np.zeros(self.shape[1:], bool)
        return self._whole(self.labels[inside] == self.value)

    def _filled_parts(self) -> Iterator[tuple[int, np.ndarray]]:
        """The slices with at least one voxel, and the segment on that part of them that the label map covers."""
        highest = self.labels.max(axis=(1, 2), initial=0)  # ten times as fast as the comparison
        for index, labels in planes(self.labels, np.flatnonzero(highest >= self.value)):
            part = labels == self.value
            if part.any():
                yield index + self.offset[0], part

    def _whole(self, part: np.ndarray) -> np.ndarray:
        """(rows, columns) of the volume."""
        full = np.zeros(self.shape[1:], bool)
        row, column = self.offset[1:]
        full[row : row + part.shape[0], column : column + part.shape[1]] = part
        return full


def segment_voxels(
    segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str, geometry: Geometry, axis: int
) -> SegmentVoxels:
    """The segment on the grid `geometry` (stored order), with array axis `axis` first.

    InputError with what to do if the segment is a surface or lies on another lattice: resampling it would change what
    the expert drew.
    """
    segmentation = segmentation_node.GetSegmentation()
    name = segmentation.GetSegment(segment_id).GetName()
    if segmentation.GetSourceRepresentationName() != LABELMAP:
        raise InputError(
            f"segment '{name}' of '{segmentation_node.GetName()}' is a surface; in the Segmentations module, under "
            f"Representations, create '{LABELMAP}' and make it the source"
        )
    image = segmentation_node.GetBinaryLabelmapInternalRepresentation(segment_id)
    labels = image_array(image) if image is not None else np.zeros((0, 0, 0), np.uint8)
    lattice = lattice_in(image_geometry(image, segmentation_node), geometry) if labels.size else NO_LATTICE
    if lattice is None:
        raise InputError(
            f"segment '{name}' does not lie on the voxels of the chosen volume; give both the same transform, and in "
            "the Segment Editor set the volume as the segmentation's geometry (button beside the source volume)"
        )
    labels, offset = _clipped(lattice.turned(labels), lattice.offset, geometry.shape)
    order = [axis, *(a for a in range(3) if a != axis)]
    return SegmentVoxels(
        np.moveaxis(labels, axis, 0),
        segmentation.GetSegment(segment_id).GetLabelValue(),
        tuple(offset[a] for a in order),
        tuple(geometry.shape[a] for a in order),
        lattice.order[axis],
        lattice.flipped[axis],
        image.GetMTime() if labels.size else None,
    )


def _clipped(
    labels: np.ndarray, offset: tuple[int, int, int], shape: tuple[int, int, int]
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """The part of the label map inside the volume: an imported segment may stick out of it."""
    starts = [max(0, -o) for o in offset]
    stops = [max(start, min(n, m - o)) for start, n, m, o in zip(starts, labels.shape, shape, offset, strict=True)]
    box = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
    return labels[box], tuple(o + a for o, a in zip(offset, starts, strict=True))
