"""The network's correction of a whole stack, gap by gap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch

from MusclePropLib.core.device import Plan, autocast, inference_dtype
from MusclePropLib.core.guided.inputs import corrected, draft_logits, make_clip
from MusclePropLib.core.network import Network
from MusclePropLib.core.priors.stack import MuscleStack

LONGER = 2
"""So many times longer than in training may clips be: no activations are kept."""


@torch.inference_mode()
def correct_stack(
    network: Network,
    stack: MuscleStack,
    draft: str,
    others: np.ndarray | None,
    plan: Plan,
    only: int | None = None,
) -> np.ndarray:
    """Corrected logits (n, rows, columns) float32 on every place of the stack, or (rows, columns) `only` on one.

    `plan` says where to compute, and how many slices at once. The network is to be on its device.
    """
    network.eval()
    dtype = inference_dtype(plan.device)
    logits = draft_logits(stack.drafts[draft]).astype(np.float32)
    for places in gap_clips(sorted(stack.known), len(stack.slices), LONGER * plan.frames):
        if only is not None and only not in places:
            continue
        with autocast(plan.device, dtype):
            logits[places] = corrected(network, make_clip(stack, places, draft, others), plan.device).cpu().numpy()
    return logits if only is None else logits[only]


def gap_clips(known: list[int], count: int, longest: int) -> Iterator[np.ndarray]:
    """Places of clips that cover all that is not known: each from one known place to the next, or on to an end.

    A gap longer than `longest` is covered by interleaved clips, each with both of its ends: the steps are larger, and
    the network sees from one known slice to the other at once.
    """
    ends = sorted({0, *known, count - 1})
    unknown = set(range(count)) - set(known)
    for first, last in pairwise(ends):
        if unknown.isdisjoint(range(first, last + 1)):
            continue
        inner = np.arange(first + 1, last)
        parts = max(1, -(-len(inner) // (longest - 2)))
        for part in range(parts):
            yield np.concatenate([[first], inner[part::parts], [last]])
