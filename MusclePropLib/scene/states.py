"""What each segment's slices are: drawn by the expert, filled by a propagation, absent or unknown.

The states live in tags of the segment, so that undo, copies and files carry them. `MuscleProp.Slices` lists the
drawn and the absent slices. `MuscleProp.Filled` holds a checksum of every slice that an accepted propagation wrote: a
slice is the expert's own as soon as it differs, whoever changed it (paint, erase, undo, another module, an import),
unless it only lost voxels to another segment, which the area beside the checksum tells.
A third, `MuscleProp.Grid`, tells on how large a grid they were counted: on another, every slice would seem to differ.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import Any

import slicer
import vtk

from MusclePropLib.core.annotations import SLICES_TAG, MuscleAnnotation, State, parse_slices_tag, slices_tag
from MusclePropLib.core.drawings import FILLED_ON_TAG, FILLED_TAG, Drawing, filled_tag, parse_filled_tag
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segments import GRID_TAG
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.voxels import SegmentVoxels


@dataclass(frozen=True)
class SegmentStates:
    """The slices of one segment; `slices` are those that are not empty."""

    name: str
    color: tuple[float, float, float]
    slices: dict[int, Drawing]
    filled: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset()

    @property
    def drawn(self) -> frozenset[int]:
        """Slices that the expert vouches for."""
        return frozenset(self.slices) - self.filled

    def state(self, slice_index: int) -> State:
        """Drawn, absent or unknown; a filled slice is unknown, for it is no evidence."""
        if slice_index in self.drawn:
            return State.DRAWN
        return State.ABSENT if slice_index in self.absent else State.UNKNOWN


def read_states(segment: slicer.vtkSegment, voxels: SegmentVoxels) -> SegmentStates:
    """States of a segment as its tags and voxels give them.

    Where the tags count slices across another axis that were filled, none of these is taken for drawn.
    """
    slices = voxels.drawings()
    states = SegmentStates(name_of(segment), tuple(segment.GetColor()), slices)
    tag_axis, drawn, absent = _slices_tag(segment)
    if tag_axis != voxels.own_axis:
        return replace(states, filled=frozenset(slices)) if _is_elsewhere(segment, voxels) else states
    recorded = parse_filled_tag(get_tag(segment, FILLED_TAG))
    if recorded is None:
        filled = {t for t in slices if voxels.own_index(t) not in drawn}
    else:
        checksums = {voxels.own_index(t): its.checksum for t, its in recorded.items()}
        filled = {t for t, drawing in slices.items() if checksums.get(t) == drawing.checksum}
    absent = {voxels.own_index(t) for t in absent} - (set(slices) - filled)
    return replace(states, filled=frozenset(filled), absent=frozenset(absent))


def recorded_states(segment: slicer.vtkSegment, voxels: SegmentVoxels, now: SegmentStates) -> SegmentStates:
    """The segment as its tags have it, while nobody followed it: filled slices as they were, and drawn ones as `now`.

    Of the drawn ones no area is recorded. A segment without tags tells nothing: it counts as it is now.
    """
    axis, drawn, _ = _slices_tag(segment)
    if axis != voxels.own_axis:
        return now
    recorded = parse_filled_tag(get_tag(segment, FILLED_TAG)) or {}
    filled = {voxels.own_index(t): its for t, its in recorded.items() if its.area}
    kept = {t: its for t, its in now.slices.items() if voxels.own_index(t) in drawn}
    return replace(now, slices=filled | kept, filled=frozenset(filled))


def tagged_axis(segment: slicer.vtkSegment) -> int | None:
    """The axis along which the tags say that the segment was drawn; None if they do not say so."""
    axis, drawn, _ = _slices_tag(segment)
    return axis if drawn else None


def binding_axis(segment: slicer.vtkSegment) -> int | None:
    """The axis across which the tags count filled or absent slices; None if there are none, and any axis will do."""
    axis, _, absent = _slices_tag(segment)
    filled = parse_filled_tag(get_tag(segment, FILLED_TAG))
    return axis if absent or filled or filled is None else None  # without the tag, what is not drawn is filled


def counted_on(segment: slicer.vtkSegment) -> list[int] | None:
    """Sizes, in order, of the grid on which filled or absent slices are counted; None if there are none, or no tag."""
    value = get_tag(segment, GRID_TAG)
    if value is None or binding_axis(segment) is None:
        return None
    with contextlib.suppress(ValueError, TypeError):
        return [int(size) for size in json.loads(value)]
    return None


def check_axis(segment: slicer.vtkSegment, voxels: SegmentVoxels) -> None:
    """InputError if filled or absent slices are counted across another axis than that of the voxels' slices."""
    if _is_elsewhere(segment, voxels):
        raise InputError(
            f"segment '{name_of(segment)}' holds slices that were filled or marked absent across another axis; set "
            "'Slices across' to Automatic, or hide the segment"
        )


def write_states(segment: slicer.vtkSegment, voxels: SegmentVoxels, states: SegmentStates) -> None:
    """Bring the segment's tags up to date; a segment about which nothing is known gets none.

    Slices are counted along the label map's own axis, which goes into files with it. What is known of slices across
    another axis stays.
    """
    if not (states.slices or states.absent or segment.HasTag(SLICES_TAG)) or _is_elsewhere(segment, voxels):
        return
    own = voxels.own_index
    annotation = MuscleAnnotation(
        states.name, dict.fromkeys(map(own, states.drawn)), frozenset(map(own, states.absent))
    )
    segment.SetTag(SLICES_TAG, slices_tag(annotation, voxels.own_axis))
    segment.SetTag(FILLED_TAG, filled_tag({own(t): states.slices[t] for t in states.filled}))
    segment.RemoveTag(FILLED_ON_TAG)
    segment.SetTag(GRID_TAG, json.dumps(sorted(voxels.shape)))


def get_tag(segment: slicer.vtkSegment, name: str) -> str | None:
    """The tag's value, or None."""
    value = vtk.reference("")
    return str(value.get()) if segment.GetTag(name, value) else None


def read_record(segment: slicer.vtkSegment, voxels: SegmentVoxels) -> dict[str, Any]:
    """How the segment came about; empty if nothing is known of that, or the tag is damaged.

    The tag's confidence counts slices along the label map's own axis, the returned one those of `voxels`; there is none
    if these lie across another axis.
    """
    try:
        record = json.loads(get_tag(segment, PROVENANCE_TAG) or "{}")
    except ValueError:
        return {}
    if not isinstance(record, dict):
        return {}
    if _is_elsewhere(segment, voxels):
        record.pop("confidence", None)
    if voxels.backwards and isinstance(record.get("confidence"), list):
        record["confidence"] = record["confidence"][::-1]
    return record


def _is_elsewhere(segment: slicer.vtkSegment, voxels: SegmentVoxels) -> bool:
    axis = binding_axis(segment)
    return axis is not None and axis != voxels.own_axis


def _slices_tag(segment: slicer.vtkSegment) -> tuple[int | None, set[int], set[int]]:
    """Axis, drawn and absent slices of the tag; no axis if there is none, or one that is damaged."""
    value = get_tag(segment, SLICES_TAG)
    try:
        return (None, set(), set()) if value is None else parse_slices_tag(value, name_of(segment))
    except InputError:
        return None, set(), set()
