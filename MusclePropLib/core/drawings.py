"""Checksums by which a slice that a propagation filled is known again, until somebody changes it.

The tag `MuscleProp.Filled` holds one for every slice that was accepted in Slicer or filled on the command line: a
slice that differs from it is the expert's own, whoever changed it (paint, erase, undo, another module, another
program). Beside it stand area and place, where known, by which a slice is told that only lost voxels to another
segment.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from MusclePropLib.core.annotations import SLICES_TAG, MuscleAnnotation, parse_slices_tag, slices_tag
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segments import Segment, Segmentation

FILLED_TAG = "MuscleProp.Filled"
FILLED_ON_TAG = "MuscleProp.FilledOn"
"""The grid of a file on which the checksums were taken; those that Slicer's scene has taken have none."""

MANY = 4
"""Filled slices of which somebody redraws all only seldom; that none of fewer is as it was says nothing of the grid."""


class Drawing(NamedTuple):
    """One slice of a segment: `checksum` of shape and place, however much space its label map keeps around it.

    `area` in voxels, 0 if unknown; `rows` and `columns` are the sums of the voxels' indices.
    """

    checksum: int
    area: int
    rows: int
    columns: int

    def overpainted(self, now: Drawing, gained: int, taken: Callable[[int, int], bool]) -> bool:
        """Whether all that is missing `now` went to other segments, which `gained` so many voxels there at most.

        The middle of what it lost must be theirs: `taken` says so of a (row, column). Else an expert who made one
        muscle smaller and another one larger would have corrected the one in vain.
        """
        lost = self.area - now.area
        if not 0 < lost <= gained:
            return False
        return taken(round((self.rows - now.rows) / lost), round((self.columns - now.columns) / lost))


def drawing(mask: np.ndarray, row: int = 0, column: int = 0) -> Drawing:
    """Of a (rows, columns) bool mask that is not empty, whose first pixel lies at (`row`, `column`) of the slice."""
    rows = np.flatnonzero(mask.any(axis=1))
    mask = mask[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero(mask.any(axis=0))
    box = np.ascontiguousarray(mask[:, columns[0] : columns[-1] + 1])
    first = rows[0] + row, columns[0] + column
    place = np.array([*first, *box.shape], np.int64)
    in_rows, in_columns = (np.add.reduce(box.view(np.uint8), axis, dtype=np.uint32) for axis in (1, 0))
    sums = (int(n @ (at + np.arange(len(n)))) for at, n in zip(first, (in_rows, in_columns), strict=True))
    return Drawing(zlib.crc32(box.data, zlib.crc32(place.data)), int(in_rows.sum()), *sums)


def traded_slices(segments: Iterable[tuple[Mapping[int, Drawing], Mapping[int, Drawing]]]) -> set[int]:
    """Slices on which segments gained just what others lost, by number and place of the voxels.

    `segments` are what was there and what is now, of each.
    """
    changes: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(3, np.int64))
    for before, now in segments:
        for sign, drawings in ((-1, before), (1, now)):
            for t, its in drawings.items():
                changes[t] += sign * np.array([its.area, its.rows, its.columns])
    return {t for t, change in changes.items() if not change.any()}


def filled_tag(drawings: Mapping[int, Drawing]) -> str:
    """Value of the tag: JSON of slices with checksum, area and sums of indices."""
    return json.dumps({str(t): drawings[t] for t in sorted(drawings)})


def parse_filled_tag(value: str | None) -> dict[int, Drawing] | None:
    """What the tag holds, slice by slice, with area 0 where it is not known: older ones know less.

    None if there is no such tag, or one that is damaged.
    """
    try:
        slices = None if value is None else json.loads(value).items()
        return slices if slices is None else {int(t): _parsed(its) for t, its in slices}
    except (ValueError, AttributeError, TypeError):
        return None


def with_filled_tags(segmentation: Segmentation) -> Segmentation:
    """The same with tags that tell what `MuscleProp.Slices` does not call drawn, and on which grid, where that is."""
    return replace(segmentation, segments=[_told(segmentation, segment) for segment in segmentation.segments])


def with_filled_slices_named(segmentation: Segmentation) -> Segmentation:
    """The same with `MuscleProp.Slices` as `MuscleProp.Filled` and the voxels say, and without the latter.

    What is changed or written from here on would not agree with the checksums. Raises InputError if a tag
    `MuscleProp.Slices` is damaged.
    """
    seen = [_seen(segmentation, segment) for segment in segmentation.segments]
    gained, moved = _most_gained(segmentation, seen), not any(its and its.filled for its in seen)
    axes = {its.axis for its in seen if its}
    traded = {axis: traded_slices(its.comparable() for its in seen if its and its.axis == axis) for axis in axes}
    drawn = [
        its and its.now_drawn(gained, _Taken(segmentation, index, its.axis, traded[its.axis]), moved)
        for index, its in enumerate(seen)
    ]
    parts = zip(segmentation.segments, seen, drawn, strict=True)
    return replace(segmentation, segments=[_named(*part) for part in parts])


@dataclass(frozen=True)
class _Seen:
    """A segment's slices as its tags have them, along `axis`, and as they are now.

    `moved` says whether the checksums were taken on another grid, None if that is not known.
    """

    axis: int
    moved: bool | None
    drawn: set[int]
    absent: set[int]
    recorded: dict[int, Drawing]
    found: dict[int, Drawing]

    @property
    def then(self) -> dict[int, Drawing]:
        """What is recorded of slices that are not empty now."""
        return {t: its for t, its in self.recorded.items() if t in self.found}

    @property
    def filled(self) -> set[int]:
        """Slices that are as they were filled."""
        return {t for t, its in self.then.items() if its.checksum == self.found[t].checksum}

    def comparable(self) -> tuple[dict[int, Drawing], dict[int, Drawing]]:
        """What was there and what is, on slices of which both are known; the drawn ones are not."""
        now = {t: its for t, its in self.found.items() if t not in self.drawn}
        then = {t: its for t, its in self.recorded.items() if t not in self.drawn}
        return {t: its if its.area else now.get(t, its) for t, its in then.items()}, now

    def gained(self) -> Counter[tuple[int, int]]:
        """Voxels that came to slices (axis, slice), at most: of the drawn ones no earlier area is recorded."""
        more = {t: its.area - (self.recorded[t].area if t in self.recorded else 0) for t, its in self.found.items()}
        return Counter({(self.axis, t): area for t, area in more.items() if area > 0})

    def now_drawn(
        self, gained: Counter[tuple[int, int]], taken: Callable[[int, int, int], bool], moved: bool
    ) -> set[int]:
        """All but what is filled still, or only lost voxels to another segment: nobody drew that anew.

        `taken` says of a (slice, row, column) whether another segment has it; `moved` that no segment at all has a
        slice as it was filled. On another grid than before, checksums tell nothing.
        """
        filled, elsewhere = self.filled, self.moved
        if elsewhere is None:
            elsewhere = moved and len(self.recorded) >= MANY
        if elsewhere:
            return self.drawn
        pairs = {t: (its, self.found[t]) for t, its in self.then.items()}
        lost = {t for t, (its, now) in pairs.items() if its.overpainted(now, gained[self.axis, t], partial(taken, t))}
        return set(self.found) - filled - lost


def _seen(segmentation: Segmentation, segment: Segment) -> _Seen | None:
    """None without the tags."""
    recorded = parse_filled_tag(segment.tags.get(FILLED_TAG))
    if recorded is None or SLICES_TAG not in segment.tags:
        return None
    axis, drawn, absent = _tagged(segmentation, segment)
    moved = _is_elsewhere(segment.tags.get(FILLED_ON_TAG), segmentation.geometry)
    return _Seen(axis, moved, drawn, absent, recorded, _drawings(segmentation, segment, axis))


def _most_gained(segmentation: Segmentation, seen: Sequence[_Seen | None]) -> Counter[tuple[int, int]]:
    """Voxels that came to the segments on slices (axis, slice), at most; to those without tags, all that they have."""
    gained = sum((its.gained() for its in seen if its), Counter())
    for axis in {its.axis for its in seen if its}:
        for segment, its in zip(segmentation.segments, seen, strict=True):
            if its is None:
                areas = {t: now.area for t, now in _drawings(segmentation, segment, axis).items()}
                gained.update({(axis, t): area for t, area in areas.items()})
    return gained


@dataclass(frozen=True)
class _Taken:
    """Whether any segment but one has a voxel (slice, row, column), slices along `axis`; on `traded` ones it has."""

    segmentation: Segmentation
    index: int
    axis: int
    traded: set[int]

    def __call__(self, t: int, row: int, column: int) -> bool:
        if t in self.traded:
            return True
        own, layers = self.segmentation.segments[self.index], self.segmentation.layers
        at = [row, column]
        at.insert(self.axis, t)
        if not all(0 <= place < size for place, size in zip(at, self.segmentation.geometry.shape, strict=True)):
            return False
        values = [int(layer[tuple(at)]) for layer in layers]
        return any(value and (layer, value) != (own.layer, own.value) for layer, value in enumerate(values))


def _named(segment: Segment, seen: _Seen | None, drawn: set[int] | None) -> Segment:
    tags = {name: value for name, value in segment.tags.items() if name not in (FILLED_TAG, FILLED_ON_TAG)}
    if seen is not None:
        known = MuscleAnnotation(segment.name, dict.fromkeys(drawn), frozenset(seen.absent - drawn))
        tags[SLICES_TAG] = slices_tag(known, seen.axis)
    return replace(segment, tags=tags)


def _told(segmentation: Segmentation, segment: Segment) -> Segment:
    if SLICES_TAG not in segment.tags:
        return segment
    axis, drawn, _ = _tagged(segmentation, segment)
    filled = {t: its for t, its in _drawings(segmentation, segment, axis).items() if t not in drawn}
    own = {FILLED_TAG: filled_tag(filled), FILLED_ON_TAG: _grid_tag(segmentation.geometry)}
    return replace(segment, tags=segment.tags | own)


def _grid_tag(geometry: Geometry) -> str:
    return json.dumps({"shape": geometry.shape, "affine": geometry.affine.tolist()})


def _is_elsewhere(value: str | None, geometry: Geometry) -> bool | None:
    """Whether a `_grid_tag` names another grid; None without one, or if it is damaged."""
    try:
        grid = json.loads(value or "")
        return not Geometry(tuple(grid["shape"]), np.array(grid["affine"], float)).matches(geometry)
    except (ValueError, TypeError, KeyError):
        return None


def _parsed(its: int | list[int]) -> Drawing:
    known = [int(number) for number in its] if isinstance(its, list) else [int(its)]
    return Drawing(*known) if len(known) == len(Drawing._fields) else Drawing(known[0], 0, 0, 0)


def _tagged(segmentation: Segmentation, segment: Segment) -> tuple[int, set[int], set[int]]:
    return parse_slices_tag(segment.tags[SLICES_TAG], f"{segmentation.source}, segment '{segment.name}'")


def _drawings(segmentation: Segmentation, segment: Segment, axis: int) -> dict[int, Drawing]:
    slices = enumerate(np.moveaxis(segmentation.layers[segment.layer], axis, 0))
    masks = ((t, part == segment.value) for t, part in slices)
    return {t: drawing(mask) for t, mask in masks if mask.any()}
