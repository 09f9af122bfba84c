"""Fine-tuning on the volume at hand: each lesson hides one drawn slice and asks for it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from MusclePropLib.core.device import autocast, on_device, training_dtype
from MusclePropLib.core.guided.augment import augmented
from MusclePropLib.core.guided.inputs import Clip
from MusclePropLib.core.network import Network

CLIPS_PER_STEP = 2
LEARNING_RATE = 2e-4


def correction_loss(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Cross-entropy and soft Dice (squared denominators) where `counts` says that the truth is known."""
    known = counts.sum().clamp(min=1)
    entropy = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * counts).sum() / known
    chance = torch.sigmoid(logits) * counts
    truth = target * counts
    overlap = (chance * truth).sum()
    dice = 1 - (2 * overlap + 1) / ((chance**2).sum() + (truth**2).sum() + 1)
    return dice + 2 * entropy


@torch.no_grad()
def go_back(network: Network, towards: Network, share: float) -> None:
    """Bring the network's weights a share of the way to another's (Wortsman et al., CVPR 2022)."""
    for own, other in zip(network.parameters(), towards.parameters(), strict=True):
        own.lerp_(other, share)


class FineTuner:
    """One network's fine-tuning, in portions: call `run` as often as there is time.

    Lessons are drawn at random and augmented; the same seed and numbers of steps give the same network on a CPU.
    """

    def __init__(self, network: Network, lessons: Sequence[Clip], device: torch.device, seed: int) -> None:
        self.network, self.lessons, self.device = network.to(device), lessons, device
        groups = network.parameter_groups()
        self._parameters = [*groups["shared"], *groups["segmentation"]]
        self._optimiser = torch.optim.Adam(self._parameters, lr=LEARNING_RATE)
        self._rng = np.random.default_rng(seed)
        self._dtype = training_dtype(device)
        self._scaler = torch.amp.GradScaler(enabled=self._dtype is torch.float16)
        self.loss = float("nan")

    def run(self, steps: int, go_on: Callable[[], bool] = lambda: True) -> None:
        """Take up to `steps` steps, fewer when `go_on` says so; `loss` is the mean over them."""
        self.network.train()
        losses = []
        for _ in range(steps):
            if not go_on():
                break
            losses.append(self._step())
        if losses:
            self.loss = float(torch.stack(losses).mean())

    def _step(self) -> Tensor:
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for _ in range(CLIPS_PER_STEP):
            loss = self._loss(augmented(self._rng, self.lessons[self._rng.integers(len(self.lessons))]))
            self._scaler.scale(loss / CLIPS_PER_STEP).backward()
            total += loss.detach() / CLIPS_PER_STEP
        self._scaler.unscale_(self._optimiser)
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        return total

    def _loss(self, clip: Clip) -> Tensor:
        inputs, draft, inside, target, counts = (on_device(a, self.device) for a in vars(clip).values())
        with autocast(self.device, self._dtype):
            correction = self.network(inputs).logits[:, 0]
        return correction_loss(correction.float() * inside + draft, target, counts * inside)
