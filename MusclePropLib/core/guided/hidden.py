"""Hidden-slice tasks: leave one drawn slice out, work from the others, and compare with what the expert drew there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from MusclePropLib.core.guided.inputs import CLIP_SLICES, Clip, make_clip, thinned
from MusclePropLib.core.priors.area import with_areas
from MusclePropLib.core.priors.distance import signed_distance
from MusclePropLib.core.priors.stack import MuscleStack, build_stack


@dataclass
class HiddenTask:
    """One drawn slice, hidden.

    `fields` holds each draft's signed distance (rows, columns) on the hidden slice and `truth` what was drawn there,
    both in crop pixels; `clip` is the network's lesson, with `place` the hidden slice in it. `reach` (mm) says how far
    the known slices were, `beyond` that they were all on one side, `tapering` that the nearest on one side was absent.
    `pixel_area` and `drawn_area` in square millimetres; the latter counts what lies outside the window, too.
    """

    muscle: int
    slice_index: int
    stack: MuscleStack
    place: int
    truth: np.ndarray
    reach: float
    beyond: bool
    tapering: bool
    pixel_area: float
    drawn_area: float
    others: np.ndarray | None = None
    fields: dict[str, np.ndarray] = field(default_factory=dict)

    def clip(self, draft: str, limit: int = CLIP_SLICES) -> Clip:
        """The lesson: the gap around the hidden slice, thinned to `limit`; only the hidden slice counts in the loss."""
        places = thinned(0, len(self.stack.slices) - 1, limit, keep=self.place)
        clip = make_clip(self.stack, places, draft, self.others)
        clip.target = np.zeros_like(clip.draft)
        clip.counts = np.zeros_like(clip.draft)
        here = int(np.flatnonzero(places == self.place)[0])
        clip.target[here] = np.clip(self.truth + 0.5, 0, 1)
        clip.counts[here] = clip.inside[here]
        return clip

    def resized(self, field: np.ndarray) -> np.ndarray:
        """A candidate's field (rows, columns) with the area half-way between the expected and the drawn one.

        With no slice hidden, expected areas err about half as much (measured on calves and on organs in CT). Beyond
        the known slices the field stays as it is.
        """
        if self.beyond:
            return field
        area = (self.stack.areas[self.place] + np.count_nonzero(self.truth > 0)) / 2
        return with_areas(field[None], np.array([area]))[0]


def hideable(drawn: Mapping[int, np.ndarray]) -> list[int]:
    """Drawn slices that can be hidden in turn: all of them, unless there is but one."""
    return sorted(drawn) if len(drawn) > 1 else []


def hidden_task(
    hidden: int,
    array: np.ndarray,
    positions: np.ndarray,
    spacing: tuple[float, float],
    drawn: Mapping[int, np.ndarray],
    absent: frozenset[int],
    slices: np.ndarray,
    muscle: int = 0,
    finest: int | None = None,
    wider: bool = False,
) -> HiddenTask:
    """The task of one drawn slice, which must not be the only one; the other arguments as `build_stack`.

    Everything, the crop window included, is made anew without the hidden slice, so nothing of it leaks into the task.
    """
    rest = {t: mask for t, mask in drawn.items() if t != hidden}
    fence = sorted({*rest, *absent} - {hidden})
    before = [t for t in fence if t < hidden]
    after = [t for t in fence if t > hidden]
    first, last = (before[-1] if before else hidden), (after[0] if after else hidden)
    beyond = not before or not after
    tapering = not beyond and (first not in rest or last not in rest)
    if first not in rest and last not in rest:
        first = max((t for t in rest if t < hidden), default=first)
        last = min((t for t in rest if t > hidden), default=last)
    inside = slices[(slices >= first) & (slices <= last)]
    stack = build_stack(array, positions, spacing, rest, absent - {hidden}, inside, finest, wider)
    place = int(np.flatnonzero(inside == hidden)[0])
    return HiddenTask(
        muscle=muscle,
        slice_index=hidden,
        stack=stack,
        place=place,
        truth=signed_distance(drawn[hidden], stack.frame, place),
        reach=reach(positions, fence, hidden),
        beyond=beyond,
        tapering=tapering,
        pixel_area=(stack.frame.step[0] * spacing[0]) ** 2,
        drawn_area=float(np.count_nonzero(drawn[hidden])) * spacing[0] * spacing[1],
        fields={name: draft[place] for name, draft in stack.drafts.items()},
    )


def reach(positions: np.ndarray, known: list[int], slice_index: int) -> float:
    """Effective distance (mm) to the known slices: d1 d2 / (d1 + d2) between two, d beyond the last.

    The variance of a random walk that is pinned at both ends (a Brownian bridge) grows with this product.
    """
    here = positions[slice_index]
    before = [abs(here - positions[t]) for t in known if t <= slice_index]
    after = [abs(here - positions[t]) for t in known if t >= slice_index]
    if not before or not after:
        return float(min(before or after))
    one, two = min(before), min(after)
    return 0.0 if one + two == 0 else float(one * two / (one + two))
