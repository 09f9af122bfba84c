"""Neighbours that meet share the room so that each keeps the area that its drawn slices lead to expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.assemble import Placed
from MusclePropLib.core.guided.slivers import slivers
from MusclePropLib.core.priors.frame import SIZE, CropFrame

ROUNDS = 3
LARGEST_SHIFT = 3.0
"""Unweighted logits that a muscle gains or gives at most on a slice: six pixels of border."""

CERTAIN = 1e12

LARGEST_ROOM = 640
"""Pixels along a window of all muscles: a vessel beside a leg would have it in pixels far smaller than a voxel."""

CONTEST = 3.0
"""How sharply a muscle drawn nearby prevails over one drawn far away (measured on simulated calves)."""


def contested(
    placed: Sequence[Placed], areas: Sequence[np.ndarray], reaches: Sequence[np.ndarray], annotations: Annotations
) -> list[Placed]:
    """The muscles' logits, weighted and with one offset per slice each, so that a plain maximum shares the room fairly.

    Where two meet, the one that is known better has its way: the smaller its distance `reaches` (n,) mm to its known
    slices and the smaller its window, the more its logits weigh. Each muscle has its area when alone; where two claim
    the same pixels one would lose some, so an offset gives it the expected `areas` (n,) in crop pixels of its own
    frame, nan where nothing is expected. A muscle that meets no other is left as if it were alone.
    """
    if len(placed) < 2:
        return list(placed)
    weights = _weights(placed, reaches)
    weighted = [replace(p, logits=p.logits * w[:, None, None]) for p, w in zip(placed, weights, strict=True)]
    for place, t in enumerate(placed[0].frame.slices):
        room = _Room.around(placed, place)
        fields = np.stack([room.field(part, m, int(t)) for part, m in zip(weighted, annotations.muscles, strict=True)])
        wanted = [room.pixels(part, area[place]) for part, area in zip(placed, areas, strict=True)]
        free = [
            index
            for index, muscle in enumerate(annotations.muscles)
            if np.isfinite(wanted[index]) and int(t) not in muscle.drawn and placed[index].valid[place]
        ]
        limits = LARGEST_SHIFT * weights[:, place]
        meeting = _Meeting(
            fields, [room.window(p, m, int(t)) for p, m in zip(weighted, annotations.muscles, strict=True)]
        )
        shifts = meeting.shifts(wanted, free, limits)
        found = meeting.slivers(shifts, [room.pixels(part, 1.0) for part in placed])
        for index, sliver in found.items():
            fields[index][sliver] = -CERTAIN
            weighted[index].logits[place][room.crop(sliver, placed[index])] = -limits[index]
        if found:
            shifts = meeting.shifts(wanted, free, limits)
        for index, shift in shifts.items():
            weighted[index].logits[place] += shift
    return weighted


def _weights(placed: Sequence[Placed], reaches: Sequence[np.ndarray]) -> np.ndarray:
    """Weights (muscles, n), 1 for the muscle that is known least on a slice."""
    spread = np.stack([(r + 1) ** CONTEST * p.frame.step[0] for p, r in zip(placed, reaches, strict=True)])
    return (spread.max(axis=0) / spread).astype(np.float32)


@dataclass(frozen=True)
class _Room:
    """One window on a slice that holds those of all muscles, in pixels of the finest, or LARGEST_ROOM of them.

    `low` is its corner and `step` the pixel's size, both (row, column) in voxels; `place` the slice's in the frames.
    """

    place: int
    low: np.ndarray
    step: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def around(cls, placed: Sequence[Placed], place: int) -> _Room:
        centres = np.array([part.frame.centres[place] for part in placed])
        halves = np.array([SIZE / 2 * np.array(part.frame.step) for part in placed])
        low, high = (centres - halves).min(axis=0), (centres + halves).max(axis=0)
        finest = np.min([part.frame.step for part in placed], axis=0)
        step = np.maximum(finest, (high - low).max() / LARGEST_ROOM)
        rows, columns = np.ceil((high - low) / step).astype(int)
        return cls(place, low, step, (int(rows), int(columns)))

    def pixels(self, part: Placed, area: float) -> float:
        """An area in crop pixels of a muscle's frame, in pixels of this window."""
        return float(area * np.prod(part.frame.step) / np.prod(self.step))

    def field(self, part: Placed, muscle: MuscleAnnotation, t: int) -> np.ndarray:
        """The muscle's logits here, (rows, columns); certain where they are known, or where it cannot be."""
        drawn = muscle.drawn.get(t)
        field = np.full(self.shape, -CERTAIN, np.float32)
        if drawn is not None:
            rows, columns = (
                np.clip(np.round(self.low[axis] + self.step[axis] * np.arange(n)), 0, drawn.shape[axis] - 1).astype(int)
                for axis, n in enumerate(self.shape)
            )
            return np.where(drawn[np.ix_(rows, columns)], CERTAIN, field)
        if part.valid[self.place]:
            values, where = self._frame(part).paste(part.logits[self.place], self.place, self.shape)
            field[where] = values
        return field

    def window(self, part: Placed, muscle: MuscleAnnotation, t: int) -> tuple[slice, slice]:
        """(rows, columns) outside which `field` is certain that the muscle is not."""
        if t in muscle.drawn:
            return slice(0, self.shape[0]), slice(0, self.shape[1])
        if not part.valid[self.place]:
            return slice(0, 0), slice(0, 0)
        return self._frame(part).covered(self.place, self.shape)

    def crop(self, mask: np.ndarray, part: Placed) -> np.ndarray:
        """A mask (rows, columns) of this window in the muscle's own crop, (SIZE, SIZE) bool."""
        frame = self._frame(part)
        return frame.warp(mask.astype(np.float32), frame.matrix(self.place)) > 0.5

    def _frame(self, part: Placed) -> CropFrame:
        scale = tuple(np.array(part.frame.step) / self.step)
        return replace(part.frame, centres=(part.frame.centres - self.low) / self.step, step=scale)


@dataclass(frozen=True)
class _Meeting:
    """The muscles' logits `fields` (muscles, rows, columns) in one room, and the `windows` outside which each is not.

    All is looked at in a muscle's own window and with the muscles that reach into it: a body has dozens of structures.
    """

    fields: np.ndarray
    windows: Sequence[tuple[slice, slice]]

    def slivers(self, shifts: Mapping[int, float], areas: Sequence[float]) -> dict[int, np.ndarray]:
        """Slivers (rows, columns) of the muscles that have any; `areas` are those of their crop pixels."""
        found = {}
        for index, shift in shifts.items():
            window = self.windows[index]
            own = self.fields[index][window] + shift
            alone, won = np.zeros((2, *self.fields.shape[1:]), bool)
            alone[window] = own > 0
            won[window] = alone[window] & (own > self._rivals(shifts, index))
            sliver = slivers(alone, won, float(np.sqrt(areas[index])))
            if sliver.any():
                found[index] = sliver
        return found

    def shifts(self, wanted: Sequence[float], free: Sequence[int], limits: np.ndarray) -> dict[int, float]:
        """The offsets of the muscles `free`, with which each has as many pixels as are `wanted`, within +-`limits`."""
        if len(free) == 0 or len(self.fields) < 2:
            return {}
        shifts = dict.fromkeys(free, 0.0)
        for _ in range(ROUNDS):
            for index in free:
                lead = self.fields[index][self.windows[index]] - np.maximum(self._rivals(shifts, index), 0)
                count = int(np.clip(round(wanted[index]), 1, self.fields[index].size - 1))
                shifts[index] = -level_of(lead, count, float(limits[index]))
        return shifts

    def _rivals(self, shifts: Mapping[int, float], index: int) -> np.ndarray:
        """The largest of the other muscles' logits in a muscle's window, (rows, columns)."""
        window = self.windows[index]
        near = [j for j, other in enumerate(self.windows) if j != index and _meet(window, other)]
        nobody = np.full_like(self.fields[index][window], -CERTAIN)
        return np.max([nobody, *(self.fields[j][window] + shifts.get(j, 0.0) for j in near)], axis=0)


def _meet(one: tuple[slice, slice], other: tuple[slice, slice]) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))


def level_of(lead: np.ndarray, count: int, limit: float) -> float:
    """The `count`-th largest value of `lead`, within +-`limit`; only what lies between needs to be sorted."""
    close = lead[np.abs(lead) < limit]
    rank = count - np.count_nonzero(lead >= limit)
    if not 0 < rank <= len(close):
        return limit if rank <= 0 else -limit
    return float(np.partition(close, len(close) - rank)[len(close) - rank])
