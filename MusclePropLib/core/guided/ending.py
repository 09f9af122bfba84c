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


def ended_beyond(
    logits: np.ndarray, known: Collection[int], tasks: Sequence[HiddenTask] = (), hidden: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """Places (n,) bool beyond the outermost `known` ones from where, going outwards, the muscle first has ended.

    What the network's `logits` (n, rows, columns) show behind its end is something else. `hidden` are its logits
    (rows, columns) on the hidden slice of each of `tasks`.
    """
    gone, limit = np.zeros(len(logits), bool), error_at_end(logits, known, tasks, hidden)
    for outwards in (np.arange(min(known) - 1, -1, -1), np.arange(max(known) + 1, len(logits))):
        gone[outwards] = np.logical_or.accumulate([own_error(logits[place]) > limit for place in outwards])
    return gone


def error_at_end(
    logits: np.ndarray, known: Collection[int], tasks: Sequence[HiddenTask] = (), hidden: Sequence[np.ndarray] = ()
) -> float:
    """Error (1 - Dice) that the network expects of its own mask beyond which a muscle has ended; as `ended_beyond`.

    More than the network expects from the first to the last of the `known` places, and more than on any outer hidden
    slice where the expert drew more than a tip: one that sees nothing even there never says that a muscle has ended.
    """
    limit = 1 - BELIEF * (1 - own_error(logits[min(known) : max(known) + 1]))
    thick = THICK * np.mean([task.drawn_area for task in tasks]) if tasks else 0.0
    outer = [own_error(f[None]) for t, f in zip(tasks, hidden, strict=True) if t.beyond and t.drawn_area >= thick]
    return max(limit, *outer) if outer else limit
