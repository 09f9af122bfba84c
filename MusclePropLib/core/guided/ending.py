"""Where a muscle ends beyond the outermost drawn slices: where the network no longer believes its own mask."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from MusclePropLib.core.guided.choice import own_error
from MusclePropLib.core.guided.hidden import HiddenTask

BELIEF = 0.55
"""Share of the Dice that a network expects of its masks between the drawn slices; where it expects less, there is no
muscle any more (measured on simulated calves). Where the image tells little it is unsure of all its masks, and no
muscle has ended for that."""

THICK = 0.5
"""Share of the mean drawn area from which on a muscle is no mere tip, in which a network need not believe."""


def error_at_end(logits: np.ndarray, known: Collection[int]) -> float:
    """Error (1 - Dice) that the network expects of its own mask from which on a muscle has ended.

    `logits` are the network's (n, rows, columns), `known` places among them; it is measured from the first to the last.
    """
    return 1 - BELIEF * (1 - own_error(logits[min(known) : max(known) + 1]))


def ended_beyond(logits: np.ndarray, known: Collection[int]) -> np.ndarray:
    """Places (n,) bool beyond the outermost `known` ones from where, going outwards, the muscle first has ended.

    What the network's `logits` (n, rows, columns) show behind its end is something else.
    """
    gone, limit = np.zeros(len(logits), bool), error_at_end(logits, known)
    for outwards in (np.arange(min(known) - 1, -1, -1), np.arange(max(known) + 1, len(logits))):
        gone[outwards] = np.logical_or.accumulate([own_error(logits[place]) >= limit for place in outwards])
    return gone


def has_lost(
    logits: np.ndarray, known: Collection[int], tasks: Sequence[HiddenTask], hidden: Sequence[np.ndarray]
) -> bool:
    """Whether the network would have taken the muscle to be over on an outer slice where the expert drew it.

    `hidden` are its logits (rows, columns) on the hidden slice of each of `tasks`; the others as `ended_beyond`. What
    such a network says of the muscle's end is not to be relied upon.
    """
    limit = error_at_end(logits, known)
    thick = THICK * np.mean([task.drawn_area for task in tasks]) if tasks else 0.0
    return any(
        task.beyond and task.drawn_area >= thick and own_error(field[None]) >= limit
        for task, field in zip(tasks, hidden, strict=True)
    )
