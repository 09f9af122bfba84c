"""What the correcting network sees: an image, the priors and where the known slices are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from MusclePropLib.core.device import on_device
from MusclePropLib.core.network import Network, NetworkConfig
from MusclePropLib.core.priors.frame import FAR
from MusclePropLib.core.priors.stack import INTERPOLATED, MuscleStack

CHANNELS = (
    *("image", "draft", "interpolated", "forward", "backward", "likelihood", "others", "between", "gap"),
    *("image forward", "image backward"),
)
IMAGES, FORWARD, BACKWARD = (
    [place for place, name in enumerate(CHANNELS) if word in name] for word in ("image", "forward", "backward")
)
BETWEEN = CHANNELS.index("between")
CLIP_SLICES = 12
"""Slices of a training clip; a longer gap is thinned, which the network also meets when it corrects."""

DISTANCE_SCALE, DISTANCE_LIMIT = 8.0, 2.0
LOGIT_SCALE, LOGIT_LIMIT = 0.5, 6.0


def guided_config() -> NetworkConfig:
    """The network of guided propagation: one logit map, zero at first, skip connections added for speed on CPUs."""
    return NetworkConfig(in_channels=len(CHANNELS), classes=1, skips="add", zero_last=True)


@dataclass
class Clip:
    """Some slices of a muscle's stack, in order, ready for the network.

    `inputs` (n, len(CHANNELS), rows, columns) and `draft` logits (n, rows, columns), float32. For training, `target`
    holds the mask's share of each pixel and `counts` (n, rows, columns) weighs pixels in the loss, zero where unknown.
    `inside` (n, rows, columns) is 1 on the slice and 0 outside, where there is nothing to correct by.
    """

    inputs: np.ndarray
    draft: np.ndarray
    inside: np.ndarray
    target: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    counts: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    def shortened(self, limit: int) -> Clip:
        """At most `limit` of a lesson's slices, the first and the last among them."""
        places = thinned(0, len(self.inputs) - 1, limit)
        return Clip(*(array[places] for array in vars(self).values()))


def draft_logits(distance: np.ndarray) -> np.ndarray:
    """Signed distances in crop pixels as logits: half a unit per pixel, certain from twelve pixels on."""
    return np.clip(distance * LOGIT_SCALE, -LOGIT_LIMIT, LOGIT_LIMIT)


def make_clip(stack: MuscleStack, places: np.ndarray, draft: str, others: np.ndarray | None) -> Clip:
    """The clip of some places of a stack; `draft` names the draft to be corrected.

    `others` (n, rows, columns) is the signed distance of the other muscles on all places of the stack, or None.
    """
    shape = (len(places), *stack.images.shape[1:])
    chosen = stack.drafts[draft][places]
    inside = stack.inside[places].astype(np.float32)
    away = np.full(shape, FAR, np.float32) if others is None else others[places]
    layers = [
        stack.images[places] * inside,
        _scaled(chosen),
        _scaled(stack.drafts[INTERPOLATED][places]),
        _scaled(stack.carried_ways[0][places]),
        _scaled(stack.carried_ways[1][places]),
        stack.likelihood[places] * inside / 2,
        _scaled(away),
        np.broadcast_to(2 * stack.between[places, None, None] - 1, shape),
        np.broadcast_to(np.minimum(stack.gap[places, None, None], 1), shape),
        *(image[places] * inside for image in stack.carried_images),
    ]
    return Clip(np.stack(layers, axis=1).astype(np.float32), draft_logits(chosen), inside)


def corrected(network: Network, clip: Clip, device: torch.device) -> Tensor:
    """Logits (n, rows, columns) on the device: the draft's plus the network's correction."""
    inputs, draft, inside = (on_device(a, device) for a in (clip.inputs, clip.draft, clip.inside))
    return network(inputs).logits[:, 0].float() * inside + draft


def thinned(first: int, last: int, limit: int, keep: int | None = None) -> np.ndarray:
    """At most `limit` places from `first` to `last`, both included, evenly spread, with `keep` among them."""
    places = np.unique(np.linspace(first, last, min(limit, last - first + 1)).round().astype(int))
    if keep is not None and keep not in places:
        inner = places[1:-1]
        if len(inner):
            places[1 + np.argmin(np.abs(inner - keep))] = keep
        else:
            places = np.insert(places, 1, keep)
    return places


def _scaled(distance: np.ndarray) -> np.ndarray:
    return np.clip(distance / DISTANCE_SCALE, -DISTANCE_LIMIT, DISTANCE_LIMIT)
