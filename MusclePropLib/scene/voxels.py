"""A segment's voxels, seen slice by slice on the grid of a volume, without copying the label map."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Generator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import slicer

from MusclePropLib.core.annotations import Profiles
from MusclePropLib.core.drawings import Drawing, drawing
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.planes import groups, held, highest
from MusclePropLib.core.steps import Steps, finished
from MusclePropLib.scene.geometry import Lattice, image_array, image_geometry, lattice_in
from MusclePropLib.scene.masks import Masks
from MusclePropLib.scene.names import name_of

LABELMAP, SURFACE = "Binary labelmap", "Closed surface"  # vtkSegmentationConverter's names of representations
MOST_REMEMBERED = 128
NO_LATTICE = Lattice((0, 1, 2), (False, False, False), (0, 0, 0))  # of a segment without voxels


class Look(NamedTuple):
    """What a pass over a label map finds: its slices that are not empty, and which rows and columns are not."""

    drawings: dict[int, Drawing]
    rows: np.ndarray
    columns: np.ndarray


_remembered: OrderedDict[tuple, Look] = OrderedDict()  # a pass over a filled full grid takes a second


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

    def add_masks(self, masks: Masks, slices: Collection[int]) -> Steps:
        """Add what is on these slices, all of which the label map covers, step by step."""
        for group in groups(self.labels, sorted(t - self.offset[0] for t in slices)):
            planes = yield from held(self.labels, group)
            for index in group:
                masks.add(int(index) + self.offset[0], planes[index - group[0]] == self.value, *self.offset[1:])
                yield

    def drawings(self) -> dict[int, Drawing]:
        """What is on each slice with at least one voxel; one pass over the label map, if that was not done before."""
        return dict(self._found().drawings)

    def profiles(self) -> Profiles:
        """Which slices, rows and columns of the label map hold a voxel; the same pass."""
        found = self._found()
        slices = np.zeros(len(self.labels), bool)
        slices[[t - self.offset[0] for t in found.drawings]] = True
        return slices, found.rows, found.columns

    def look(self) -> Steps:
        """That pass step by step. One during which the label map changes is of no use to anybody: begin with another.

        Which is no harm, for it is remembered under a time that is past.
        """
        if self.changed is None or self._key not in _remembered:
            found = yield from self._looked()
            _remembered[self._key] = found
            while len(_remembered) > MOST_REMEMBERED:
                _remembered.popitem(last=False)

    @property
    def _key(self) -> tuple:
        return self.changed, self.value, self.offset, self.labels.shape, self.labels.strides

    def _found(self) -> Look:
        finished(self.look())
        _remembered.move_to_end(self._key)
        return _remembered[self._key]

    def _looked(self) -> Generator[None, None, Look]:
        """Highest values first, which takes a tenth of the time of the comparison and leaves many slices out."""
        found = Look({}, *(np.zeros(n, bool) for n in self.labels.shape[1:]))
        candidates = np.flatnonzero((yield from highest(self.labels)) >= self.value)
        for group in groups(self.labels, candidates):
            planes = yield from held(self.labels, group)
            for index in group:
                part = planes[index - group[0]] == self.value
                if part.any():
                    found.drawings[int(index) + self.offset[0]] = drawing(part, *self.offset[1:])
                    found.rows[...] |= part.any(axis=1)
                    found.columns[...] |= part.any(axis=0)
                yield
        return found

    def holds(self, slice_index: int, row: int, column: int) -> bool:
        """Whether the segment has that voxel."""
        at = [place - first for place, first in zip((slice_index, row, column), self.offset, strict=True)]
        inside = all(0 <= place < size for place, size in zip(at, self.labels.shape, strict=True))
        return inside and bool(self.labels[tuple(at)] == self.value)

    def mask(self, slice_index: int) -> np.ndarray:
        """(rows, columns) bool, a copy."""
        inside = slice_index - self.offset[0]
        if not 0 <= inside < len(self.labels):
            return np.zeros(self.shape[1:], bool)
        full = np.zeros(self.shape[1:], bool)
        row, column = self.offset[1:]
        part = self.labels[inside] == self.value
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
    name = name_of(segmentation.GetSegment(segment_id))
    if segmentation.GetSourceRepresentationName() != LABELMAP:
        raise InputError(
            f"segment '{name}' of '{name_of(segmentation_node)}' is a surface; in the Segmentations module, under "
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


def emptied(
    segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str, voxels: SegmentVoxels, slices: Collection[int]
) -> None:
    """Take the segment's voxels off these slices, all of which its label map covers; other segments keep theirs."""
    if slices:
        first, last = min(slices), max(slices)
        part = voxels.labels[first - voxels.offset[0] : last - voxels.offset[0] + 1]
        those = np.isin(np.arange(first, last + 1), sorted(slices))
        np.copyto(part, 0, where=(part == voxels.value) & those[:, None, None])
        segmentation = segmentation_node.GetSegmentation()
        shown = segmentation.ContainsRepresentation(SURFACE)
        segmentation_node.GetBinaryLabelmapInternalRepresentation(segment_id).Modified()
        if shown:  # that took away the surfaces of all segments
            segmentation.CreateRepresentation(SURFACE)


def _clipped(
    labels: np.ndarray, offset: tuple[int, int, int], shape: tuple[int, int, int]
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """The part of the label map inside the volume: an imported segment may stick out of it."""
    starts = [max(0, -o) for o in offset]
    stops = [max(start, min(n, m - o)) for start, n, m, o in zip(starts, labels.shape, shape, offset, strict=True)]
    box = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
    return labels[box], tuple(o + a for o, a in zip(offset, starts, strict=True))
