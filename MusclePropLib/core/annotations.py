"""What the expert has said: for each muscle and slice *drawn*, *absent* or *unknown*, and what follows from it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import IO

import numpy as np
from scipy import ndimage

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.steps import Steps

SLICES_TAG = "MuscleProp.Slices"
NOT_MUSCLE = "Not muscle"
NOT_MUSCLE_TAG = "MuscleProp.NotMuscle"
FEW = 5  # slices are drawn, and not the height of a body, if a segment is five times as many pixels wide
DENSE = 0.9  # share of filled slices from which gaps are taken for the anatomy's and not for slices left out
BLOCK = 10  # so many slices in a row, on the average, may have been drawn, however small the segment is
THIN = 1 / 3  # and more of them, if they are no more than this share of its pixels in a row along the other axes

Profiles = tuple[np.ndarray, np.ndarray, np.ndarray]


class State(Enum):
    """What is known of one muscle on one slice."""

    UNKNOWN = 0
    DRAWN = 1
    ABSENT = 2


@dataclass
class MuscleAnnotation:
    """One muscle's drawn slices: `drawn` maps a slice to its (rows, columns) bool mask, never empty."""

    name: str
    drawn: Mapping[int, np.ndarray] = field(default_factory=dict)
    absent: frozenset[int] = frozenset()
    color: tuple[float, float, float] = (0.5, 0.7, 0.4)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def drawn_slices(self) -> list[int]:
        """Sorted indices of the drawn slices."""
        return sorted(self.drawn)

    def state(self, slice_index: int) -> State:
        """Drawn wins over absent: a mask is the stronger statement."""
        if slice_index in self.drawn:
            return State.DRAWN
        return State.ABSENT if slice_index in self.absent else State.UNKNOWN


@dataclass
class Annotations:
    """The annotations of one volume, slices first.

    `shape` is (slices, rows, columns) with the propagation axis moved to the front; `axis` is where that axis stands
    in the stored array. Only drawn slices are held, so an annotation costs a few masks and not a label map.
    """

    shape: tuple[int, int, int]
    muscles: list[MuscleAnnotation]
    not_muscle: Mapping[int, np.ndarray] = field(default_factory=dict)
    axis: int = 0

    def known_slices(self) -> list[int]:
        """Sorted slices that at least one muscle is drawn on."""
        return sorted({t for m in self.muscles for t in m.drawn})

    def positive(self, muscle: int, slice_index: int) -> np.ndarray:
        """Known mask (rows, columns) of the muscle: the drawn one, empty where it is absent or unknown."""
        drawn = self.muscles[muscle].drawn.get(slice_index)
        return np.zeros(self.shape[1:], bool) if drawn is None else drawn

    def negative(self, muscle: int, slice_index: int) -> np.ndarray:
        """Pixels (rows, columns) where the muscle certainly is not.

        Everything but the mask where the muscle is drawn or absent; otherwise the other muscles' drawn masks, their
        union eroded by one pixel because two contours of one border never agree exactly, and the explicit negatives.
        """
        own = self.muscles[muscle]
        if own.state(slice_index) is not State.UNKNOWN:
            return ~self.positive(muscle, slice_index)
        others = np.zeros(self.shape[1:], bool)
        for index, other in enumerate(self.muscles):
            if index != muscle and slice_index in other.drawn:
                others |= other.drawn[slice_index]
        if others.any():
            others = ndimage.binary_erosion(others)
        explicit = self.not_muscle.get(slice_index)
        return others if explicit is None else others | explicit

    def validate(self, source: str = "the annotation") -> None:
        """Raise InputError unless every muscle is drawn on some slice and every mask fits the grid."""
        if not self.muscles or not any(m.drawn for m in self.muscles):
            raise InputError(f"{source}: no slice is drawn; outline at least one muscle on at least one slice")
        for muscle in self.muscles:
            if not muscle.drawn:
                raise InputError(f"{source}: segment '{muscle.name}' is drawn on no slice")
            slices = [*muscle.drawn, *muscle.absent]
            if min(slices) < 0 or max(slices) >= self.shape[0]:
                raise InputError(f"{source}: segment '{muscle.name}' names slices outside the volume")
            if any(mask.shape != self.shape[1:] for mask in muscle.drawn.values()):
                raise InputError(f"{source}: segment '{muscle.name}' has a mask of another size than the volume")


def slices_tag(muscle: MuscleAnnotation, axis: int) -> str:
    """Value of the `MuscleProp.Slices` tag: JSON without `|`, which Slicer cuts tag values at."""
    return json.dumps({"axis": axis, "drawn": muscle.drawn_slices, "absent": sorted(muscle.absent)})


def parse_slices_tag(value: str, source: str) -> tuple[int, set[int], set[int]]:
    """(axis, drawn, absent) of a `MuscleProp.Slices` tag; InputError if it is not what `slices_tag` writes."""
    try:
        data = json.loads(value)
        axis, drawn, absent = int(data["axis"]), set(map(int, data["drawn"])), set(map(int, data["absent"]))
    except (ValueError, KeyError, TypeError, OverflowError) as fault:
        raise InputError(f"{source}: the tag {SLICES_TAG} is damaged ({fault})") from fault
    if axis not in (0, 1, 2):
        raise InputError(f"{source}: the tag {SLICES_TAG} names axis {axis}, which is not 0, 1 or 2")
    return axis, drawn, absent


def is_not_muscle(name: str, tags: Mapping[str, str]) -> bool:
    """Whether a segment of this name and tags is explicit negative evidence."""
    return name.strip().casefold() == NOT_MUSCLE.casefold() or tags.get(NOT_MUSCLE_TAG) == "1"


def extents(labels: np.ndarray, value: int | bool = True) -> Profiles:
    """Along each axis of the (a0, a1, a2) map, which slices hold `value`; looks at one slice at a time."""
    filled = tuple(np.zeros(n, bool) for n in labels.shape)
    for t, part in enumerate(labels):
        mask = part == value
        if mask.any():
            filled[0][t] = True
            filled[1][:] |= mask.any(axis=1)
            filled[2][:] |= mask.any(axis=0)
    return filled


def sparse_axis(masks: Sequence[np.ndarray]) -> int:
    """The axis across which the slices of the (a0, a1, a2) bool masks were drawn; see `axis_of_gaps`."""
    return axis_of_gaps([extents(mask) for mask in masks])


def axis_of_gaps(filled: Sequence[Profiles]) -> int:
    """The axis across which slices were drawn, from the `extents` of each segment.

    A drawn slice is dense within itself. So the axis is the one with far fewer filled slices than the others (one or a
    few slices), else one with clear gaps between the filled slices of a segment, else, for dense label maps, 0. There
    are gaps between a pair of bones and between two legs, too, but each of these is about as thick as it is long and
    wide, while drawn slices are few in a row: see BLOCK and THIN. Of several such axes it is the one with the fewest
    slices in a row. Gaps are counted per segment: slices drawn in turn, one for this muscle and one for that, leave
    none together.
    """
    measured = np.array([[(f.sum(), _span(f), _runs(f)) for f in profiles] for profiles in filled])
    counts, spans, rows = (measured[..., kind] for kind in range(3))
    total = counts.sum(axis=0)
    fewest = np.argsort(total, kind="stable")
    if total[fewest[0]] * FEW <= total[fewest[1]]:
        return int(fewest[0])
    usual = total / rows.sum(axis=0)
    others = np.array([np.delete(usual, axis).min() for axis in range(3)])
    gaps = counts < DENSE * spans
    divided, parts = (np.where(gaps, each, 0).sum(axis=0) for each in (counts, rows))
    in_a_row = np.where(parts, divided / np.maximum(1, parts), np.inf)
    drawn = in_a_row <= np.maximum(BLOCK, THIN * others)
    return int(np.argmin(np.where(drawn, in_a_row, np.inf)))


def _span(filled: np.ndarray) -> int:
    where = np.flatnonzero(filled)
    return int(where[-1] - where[0] + 1) if len(where) else 0


def _runs(filled: np.ndarray) -> int:
    """How many rows of neighbouring filled slices there are."""
    return int(np.count_nonzero(np.diff(filled.astype(np.int8), prepend=0) == 1))


def save_annotations(annotations: Annotations, path: Path) -> None:
    """Write to one `.npz` (no pickles), the job folder's form."""
    for _ in annotations_written(annotations, path):
        pass


def annotations_written(annotations: Annotations, path: Path) -> Steps:
    """The same slice by slice, a step each."""
    head = {
        "shape": annotations.shape,
        "axis": annotations.axis,
        "not_muscle": sorted(annotations.not_muscle),
        "muscles": [
            {
                "name": m.name,
                "color": m.color,
                "tags": m.tags,
                "drawn": m.drawn_slices,
                "absent": sorted(m.absent),
            }
            for m in annotations.muscles
        ],
    }
    stacks = {f"drawn{index}": muscle.drawn for index, muscle in enumerate(annotations.muscles)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("head.npy", "w") as stream:
            np.lib.format.write_array(stream, np.array(json.dumps(head)), allow_pickle=False)
        for name, masks in {**stacks, "not_muscle": annotations.not_muscle}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                yield from _stack_written(stream, masks, annotations.shape)


def load_annotations(path: Path) -> Annotations:
    """Read what `save_annotations` wrote."""
    with np.load(path, allow_pickle=False) as stacks:
        head = json.loads(str(stacks["head"]))
        shape = tuple(head["shape"])
        muscles = [
            MuscleAnnotation(
                name=item["name"],
                drawn=_unstack(stacks[f"drawn{index}"], item["drawn"], shape),
                absent=frozenset(item["absent"]),
                color=tuple(item["color"]),
                tags=dict(item["tags"]),
            )
            for index, item in enumerate(head["muscles"])
        ]
        explicit = _unstack(stacks["not_muscle"], head["not_muscle"], shape)
    return Annotations(shape, muscles, explicit, head["axis"])


def _stack_written(stream: IO[bytes], masks: Mapping[int, np.ndarray], shape: tuple[int, int, int]) -> Steps:
    """As np.save of all masks one on another, eight pixels to a byte."""
    stack = {"descr": "|u1", "fortran_order": False, "shape": (len(masks), shape[1], -(-shape[2] // 8))}
    np.lib.format.write_array_header_1_0(stream, stack)
    for t in sorted(masks):
        stream.write(np.packbits(masks[t], axis=-1).tobytes())
        yield


def _unstack(packed: np.ndarray, slices: Sequence[int], shape: tuple[int, int, int]) -> dict[int, np.ndarray]:
    masks = np.unpackbits(packed, axis=-1, count=shape[2]).astype(bool)
    return {int(t): masks[i] for i, t in enumerate(slices)}
