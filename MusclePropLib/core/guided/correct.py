"""The network's correction of a whole stack, gap by gap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch

from MusclePropLib.core.device import autocast, inference_dtype
from MusclePropLib.core.guided.inputs import CLIP_SLICES, corrected, draft_logits, make_clip
from MusclePropLib.core.network import Network
from MusclePropLib.core.priors.stack import MuscleStack

LONGEST = 2 * CLIP_SLICES


@torch.inference_mode()
def correct_stack(
    network: Network,
    stack: MuscleStack,
    draft: str,
    others: np.ndarray | None,
    device: torch.device,
    only: int | None = None,
) -> np.ndarray:
    """Corrected logits (n, rows, columns) float32 on every place of the stack, or (rows, columns) `only` on one."""
    network.eval()
    dtype = inference_dtype(device)
    logits = draft_logits(stack.drafts[draft]).astype(np.float32)
    for places in gap_clips(sorted(stack.known), len(stack.slices)):
        if only is not None and only not in places:
            continue
        with autocast(device, dtype):
            logits[places] = corrected(network, make_clip(stack, places, draft, others), device).cpu().numpy()
    return logits if only is None else logits[only]


def gap_clips(known: list[int], count: int) -> Iterator[np.ndarray]:
    """Places of clips that cover all that is not known: each from one known place to the next, or on to an end.

    A gap longer than LONGEST is covered by interleaved clips, each with both of its ends: the steps are larger, and
    the network sees from one known slice to the other at once.
    """
    ends = sorted({0, *known, count - 1})
    unknown = set(range(count)) - set(known)
    for first, last in pairwise(ends):
        if unknown.isdisjoint(range(first, last + 1)):
            continue
        inner = np.arange(first + 1, last)
        parts = max(1, -(-len(inner) // (LONGEST - 2)))
        for part in range(parts):
            yield np.concatenate([[first], inner[part::parts], [last]])
