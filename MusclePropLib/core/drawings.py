"""Checksums by which a slice that a propagation filled is known again, until somebody changes it.

The tag `MuscleProp.Filled` holds one for every slice that was accepted in Slicer or filled on the command line: a
slice that differs from it is the expert's own, whoever changed it (paint, erase, undo, another module, another
program). Beside it stands the area, where known, by which a slice is told that only lost voxels to another segment.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from MusclePropLib.core.annotations import SLICES_TAG, MuscleAnnotation, parse_slices_tag, slices_tag
from MusclePropLib.core.segments import Segment, Segmentation

FILLED_TAG = "MuscleProp.Filled"
MANY = 4
"""Filled slices of which somebody redraws all only seldom; that none of fewer is as it was says nothing of the grid."""


class Drawing(NamedTuple):
    """One slice of a segment: `checksum` of shape and place, however much space its label map keeps around it, and
    `area` in voxels."""

    checksum: int
    area: int


def drawing(mask: np.ndarray, row: int = 0, column: int = 0) -> Drawing:
    """Of a (rows, columns) bool mask that is not empty, whose first pixel lies at (`row`, `column`) of the slice."""
    rows = np.flatnonzero(mask.any(axis=1))
    mask = mask[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero(mask.any(axis=0))
    box = np.ascontiguousarray(mask[:, columns[0] : columns[-1] + 1])
    place = np.array([rows[0] + row, columns[0] + column, *box.shape], np.int64)
    return Drawing(zlib.crc32(box.data, zlib.crc32(place.data)), int(np.count_nonzero(box)))


def filled_tag(drawings: Mapping[int, Drawing]) -> str:
    """Value of the tag: JSON of slice, checksum and area."""
    return json.dumps({str(t): drawings[t] for t in sorted(drawings)})


def parse_filled_tag(value: str | None) -> dict[int, Drawing] | None:
    """What the tag holds, slice by slice, with area 0 where it is not known: older ones are of checksums alone.

    None if there is no such tag, or one that is damaged.
    """
    try:
        slices = None if value is None else json.loads(value).items()
        return slices if slices is None else {int(t): _parsed(its) for t, its in slices}
    except (ValueError, AttributeError, TypeError):
        return None


def with_filled_tags(segmentation: Segmentation) -> Segmentation:
    """The same with a tag `MuscleProp.Filled` for all that `MuscleProp.Slices` does not call drawn, on each segment."""
    return replace(segmentation, segments=[_told(segmentation, segment) for segment in segmentation.segments])


def with_filled_slices_named(segmentation: Segmentation) -> Segmentation:
    """The same with `MuscleProp.Slices` as `MuscleProp.Filled` and the voxels say, and without the latter.

    What is changed or written from here on would not agree with the checksums. Raises InputError if a tag
    `MuscleProp.Slices` is damaged.
    """
    seen = [_seen(segmentation, segment) for segment in segmentation.segments]
    gained = sum((its.gained() for its in seen if its), Counter())
    pairs = zip(segmentation.segments, seen, strict=True)
    return replace(segmentation, segments=[_named(segment, its, gained) for segment, its in pairs])


@dataclass(frozen=True)
class _Seen:
    """A segment's slices as its tags have them, along `axis`, and as they are now."""

    axis: int
    drawn: set[int]
    absent: set[int]
    recorded: dict[int, Drawing]
    found: dict[int, Drawing]

    @property
    def then(self) -> dict[int, Drawing]:
        """What is recorded of slices that are not empty now."""
        return {t: its for t, its in self.recorded.items() if t in self.found}

    def gained(self) -> Counter[tuple[int, int]]:
        """Voxels that came to slices (axis, slice) that were filled or empty; of the drawn ones no area is recorded."""
        before = {t: its.area or self.found[t].area for t, its in self.then.items()}
        more = {t: its.area - before.get(t, 0) for t, its in self.found.items() if t not in self.drawn}
        return Counter({(self.axis, t): area for t, area in more.items() if area > 0})

    def now_drawn(self, gained: Counter[tuple[int, int]]) -> set[int]:
        """All but what is filled still, or only lost voxels to another segment: nobody drew that anew."""
        filled = {t for t, its in self.then.items() if its.checksum == self.found[t].checksum}
        if not filled and len(self.recorded) >= MANY:  # this is not the grid on which the checksums were taken
            return self.drawn
        lost = {t: its.area - self.found[t].area for t, its in self.then.items()}
        return set(self.found) - filled - {t for t, area in lost.items() if 0 < area <= gained[self.axis, t]}


def _seen(segmentation: Segmentation, segment: Segment) -> _Seen | None:
    """None without the tags."""
    recorded = parse_filled_tag(segment.tags.get(FILLED_TAG))
    if recorded is None or SLICES_TAG not in segment.tags:
        return None
    axis, drawn, absent = _tagged(segmentation, segment)
    return _Seen(axis, drawn, absent, recorded, _drawings(segmentation, segment, axis))


def _named(segment: Segment, seen: _Seen | None, gained: Counter[tuple[int, int]]) -> Segment:
    tags = {name: value for name, value in segment.tags.items() if name != FILLED_TAG}
    if seen is not None:
        drawn = seen.now_drawn(gained)
        known = MuscleAnnotation(segment.name, dict.fromkeys(drawn), frozenset(seen.absent - drawn))
        tags[SLICES_TAG] = slices_tag(known, seen.axis)
    return replace(segment, tags=tags)


def _told(segmentation: Segmentation, segment: Segment) -> Segment:
    axis, drawn, _ = _tagged(segmentation, segment)
    filled = {t: its for t, its in _drawings(segmentation, segment, axis).items() if t not in drawn}
    return replace(segment, tags=segment.tags | {FILLED_TAG: filled_tag(filled)})


def _parsed(its: int | list[int]) -> Drawing:
    return Drawing(*map(int, its)) if isinstance(its, list) else Drawing(int(its), 0)


def _tagged(segmentation: Segmentation, segment: Segment) -> tuple[int, set[int], set[int]]:
    return parse_slices_tag(segment.tags[SLICES_TAG], f"{segmentation.source}, segment '{segment.name}'")


def _drawings(segmentation: Segmentation, segment: Segment, axis: int) -> dict[int, Drawing]:
    slices = enumerate(np.moveaxis(segmentation.layers[segment.layer], axis, 0))
    masks = ((t, part == segment.value) for t, part in slices)
    return {t: drawing(mask) for t, mask in masks if mask.any()}
