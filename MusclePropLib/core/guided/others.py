"""Negative evidence: where the other muscles are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from MusclePropLib.core.guided.hidden import HiddenTask
from MusclePropLib.core.guided.muscle import MuscleWork
from MusclePropLib.core.priors.frame import FAR, CropFrame


def others_distance(work: MuscleWork, works: Sequence[MuscleWork], task: HiddenTask | None = None) -> np.ndarray | None:
    """Signed distance (n, rows, columns) of the other muscles' union in the frame of a muscle, or of one of its tasks.

    In a task, what was drawn of another muscle on the hidden slice must not help on it, since on slices that nobody
    drew it cannot: there its own stack without that slice is used, or, if it was drawn on no other, nothing of it. None
    when there is no other muscle.
    """
    rest = [other for other in works if other is not work]
    if not rest:
        return None
    stack = work.stack if task is None else task.stack
    union = np.full_like(stack.images, FAR)
    for other in rest:
        twins = [twin for twin in other.tasks if task is not None and twin.slice_index == task.slice_index]
        if task is not None and task.slice_index in other.annotation.drawn and not twins:
            continue
        field = _moved(stack.frame, other.stack.frame, other.stack.drafts[other.draft])
        for twin in twins:
            field |= _moved(stack.frame, twin.stack.frame, twin.stack.drafts[other.draft])
        for place, plane in field.items():
            np.maximum(union[place], plane, out=union[place])
    return union


def _moved(frame: CropFrame, other: CropFrame, field: np.ndarray) -> dict[int, np.ndarray]:
    """Planes of a field of `other` in `frame`, by place, for the slices that both have."""
    place = {int(t): i for i, t in enumerate(other.slices)}
    shared = ((i, place[int(t)]) for i, t in enumerate(frame.slices) if int(t) in place)
    return {i: frame.transfer(field[at], i, other, at) for i, at in shared}
