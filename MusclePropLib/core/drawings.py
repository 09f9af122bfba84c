"""Checksums by which a slice that a propagation filled is known again, until somebody changes it.

The tag `MuscleProp.Filled` holds one for every slice that was accepted in Slicer: a slice that differs from it is the
expert's own, whoever changed it (paint, erase, undo, another module, another program).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from MusclePropLib.core.annotations import SLICES_TAG, MuscleAnnotation, parse_slices_tag, slices_tag
from MusclePropLib.core.segments import Segment, Segmentation

FILLED_TAG = "MuscleProp.Filled"


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


def filled_tag(checksums: Mapping[int, int]) -> str:
    """Value of the tag: JSON of slice and checksum."""
    return json.dumps({str(t): checksums[t] for t in sorted(checksums)})


def parse_filled_tag(value: str | None) -> dict[int, int] | None:
    """Slices and checksums; None if there is no such tag, or one that is damaged."""
    try:
        return None if value is None else {int(t): int(crc) for t, crc in json.loads(value).items()}
    except (ValueError, AttributeError, TypeError):
        return None


def with_filled_slices_named(segmentation: Segmentation) -> Segmentation:
    """The same with `MuscleProp.Slices` as `MuscleProp.Filled` and the voxels say, and without the latter.

    What is changed or written from here on would not agree with the checksums. Raises InputError if a tag
    `MuscleProp.Slices` is damaged.
    """
    segments = [_named(segmentation, segment) for segment in segmentation.segments]
    return replace(segmentation, segments=segments)


def _named(segmentation: Segmentation, segment: Segment) -> Segment:
    recorded = parse_filled_tag(segment.tags.get(FILLED_TAG))
    tags = {name: value for name, value in segment.tags.items() if name != FILLED_TAG}
    if recorded is not None and SLICES_TAG in tags:
        what = f"{segmentation.source}, segment '{segment.name}'"
        axis, drawn, absent = parse_slices_tag(tags[SLICES_TAG], what)
        found = _checksums(segmentation, segment, axis)
        still_filled = {t for t, crc in found.items() if recorded.get(t) == crc}
        if still_filled or not recorded:  # none of many: this is not the grid on which they were taken
            drawn = set(found) - still_filled
        known = MuscleAnnotation(segment.name, dict.fromkeys(drawn), frozenset(absent - drawn))
        tags[SLICES_TAG] = slices_tag(known, axis)
    return replace(segment, tags=tags)


def _checksums(segmentation: Segmentation, segment: Segment, axis: int) -> dict[int, int]:
    slices = enumerate(np.moveaxis(segmentation.layers[segment.layer], axis, 0))
    masks = ((t, part == segment.value) for t, part in slices)
    return {t: drawing(mask).checksum for t, mask in masks if mask.any()}
