"""Losses that learn from partial annotation: what is drawn, what is excluded, and nothing from what is unknown.

Shapes: logits, masks and negatives are (slices, classes, rows, columns); `known` is (slices, classes), true where the
class is drawn or absent on that slice. Every loss is a scalar tensor, stable for logits of any size, exactly zero (and
without gradient) where there is no evidence, and never waits for the device.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def reconstruction_loss(reconstruction: Tensor, image: Tensor) -> Tensor:
    """Mean square error over the clip. (The paper's eq. 1 prints the difference without its square.)"""
    return F.mse_loss(reconstruction, image)


def dice_loss(probabilities: Tensor, masks: Tensor, known: Tensor, epsilon: float = 1.0) -> Tensor:
    """One minus soft Dice with squared denominators (Milletari et al. 2016; the paper's eq. 2).

    Sums run over all known slices of the clip, so that a slice with a sliver of muscle does not weigh as much as a full
    one; the mean is over the classes known on any of them. `epsilon` (pixels) defines Dice where all slices are absent.
    """
    weight = known.to(probabilities.dtype)
    seen, truth = probabilities * weight[..., None, None], masks * weight[..., None, None]
    over = (0, 2, 3)
    dice = (2 * (seen * truth).sum(over) + epsilon) / (seen.square().sum(over) + truth.square().sum(over) + epsilon)
    present = weight.amax(0)
    return ((1 - dice) * present).sum() / present.sum().clamp_min(1)


def known_cross_entropy(logits: Tensor, masks: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy per class, mean over the pixels of the known slices. This is what teaches absence."""
    weight = known.to(logits.dtype)
    target = masks.to(logits.dtype)
    per_slice = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((2, 3))
    return (per_slice * weight).sum() / weight.sum().clamp_min(1)


def negative_loss(logits: Tensor, negatives: Tensor, known: Tensor) -> Tensor:
    """-log(1 - p), mean over the negative pixels of the unknown slices: p falls there and moves nowhere else."""
    where = _on_unknown(negatives, known, logits.dtype)
    return (F.softplus(logits) * where).sum() / where.sum().clamp_min(1)


def paper_negative_loss(logits: Tensor, negatives: Tensor, known: Tensor, detach: bool = True) -> Tensor:
    """The paper's eq. 3: soft Dice between prediction and negative mask, to be made small.

    As printed (`detach=False`) it is also made small by raising p wherever nothing is negative, which inflates the
    denominator; with the denominator detached only the overlap is pushed down.
    """
    where = _on_unknown(negatives, known, logits.dtype)
    probabilities = torch.sigmoid(logits) * (1 - known.to(logits.dtype))[..., None, None]
    total = where.sum() + probabilities.square().sum()
    overlap = 2 * (probabilities * where).sum()
    return overlap / (total.detach() if detach else total).clamp_min(1)


def partial_label_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """Negative log-likelihood of "the class is one of these", mean over the pixels where any class is excluded.

    `allowed` (slices, classes, rows, columns), bool, with at least one class per pixel. One class left is ordinary
    cross-entropy; all of them left is no evidence. Classes exclude each other (softmax).
    """
    remaining = torch.logsumexp(logits.masked_fill(~allowed, -torch.inf), 1)
    evidence = (~allowed.all(1)).to(logits.dtype)
    return ((torch.logsumexp(logits, 1) - remaining) * evidence).sum() / evidence.sum().clamp_min(1)


def one_against_rest(logits: Tensor) -> Tensor:
    """Softmax logits as binary ones: sigmoid of the result is the softmax, class by class (at least two classes)."""
    others = logits.unsqueeze(1).expand(-1, logits.shape[1], -1, -1, -1)
    own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)[None, :, :, None, None]
    return logits - torch.logsumexp(others.masked_fill(own, -torch.inf), 2)


def _on_unknown(negatives: Tensor, known: Tensor, dtype: torch.dtype) -> Tensor:
    """Negative pixels as numbers, without those of known slices, where the mask itself is the better teacher."""
    return negatives.to(dtype) * (1 - known.to(dtype))[..., None, None]
