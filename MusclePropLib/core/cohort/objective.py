"""From drawn clips to tensors, and from logits to the loss of a cohort training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from MusclePropLib.core.cohort.clips import Clip
from MusclePropLib.core.device import on_device
from MusclePropLib.core.losses import dice_loss, one_against_rest, paper_negative_loss, partial_label_loss

NEGATIVES = ("on", "off", "paper")


class Batch(NamedTuple):
    """Clips of equal length, end to end: image (clips * slices, 1, rows, columns) and what is known of it."""

    image: Tensor
    masks: Tensor
    negatives: Tensor
    known: Tensor
    allowed: Tensor
    clips: int


def make_batch(clips: Sequence[Clip], negatives: str, device: torch.device) -> Batch:
    """Join clips; with `negatives` "on", what was drawn of other segments counts against a label that is unknown."""
    parts = [(c.image, c.masks, c.negatives, c.known, c.allowed(negatives == "on")) for c in clips]
    joined = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Batch(*(on_device(array, device) for array in joined), len(clips))


def cohort_loss(logits: Tensor, batch: Batch, negatives: str) -> Tensor:
    """Mean over the clips of Dice and partial-label loss; with `negatives` "paper", plus its eq. 3.

    Clip by clip, so that it makes no difference how many of them one process holds.
    """
    split = (tensor.chunk(batch.clips) for tensor in (logits, batch.masks, batch.negatives, batch.known, batch.allowed))
    losses = []
    for z, masks, excluded, known, allowed in zip(*split, strict=True):
        loss = dice_loss(z.softmax(1)[:, 1:], masks, known) + partial_label_loss(z, allowed)
        if negatives == "paper":
            loss = loss + paper_negative_loss(one_against_rest(z)[:, 1:], excluded, known)
        losses.append(loss)
    return torch.stack(losses).mean()
