"""One optimisation step: reconstruction and segmentation in turn, each with its own Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from MusclePropLib.core.device import autocast, training_dtype
from MusclePropLib.core.losses import reconstruction_loss
from MusclePropLib.core.network import Network


@dataclass(frozen=True)
class Rates:
    """Step sizes. Adam ignores the scale of a loss, so `reconstruction` (a share of `learning_rate`) is its weight."""

    learning_rate: float = 1e-3
    reconstruction: float = 0.3
    clip_norm: float = 1.0


class StepLosses(NamedTuple):
    """Detached scalars on the device; reading them waits for it. `reconstruction` is None where none is trained."""

    segmentation: Tensor
    reconstruction: Tensor | None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's random numbers on the CPU from `seed` within the block, and as before after it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def build_network(network: Callable[[], Network], seed: int) -> Network:
    """A network whose initial weights depend on `seed` alone."""
    with seeded(seed):
        return network()


class AlternateTrainer:
    """Trains a network in turn on reconstruction and on segmentation.

    The two optimisers share the encoder and the recurrence and nothing else. The segmentation takes a fresh forward
    pass: the shared weights have moved since the reconstruction's. With `distributed`, gradients are averaged over the
    processes of torch's default group.
    """

    def __init__(self, network: Network, rates: Rates | None = None, distributed: bool = False) -> None:
        self.network, self.rates = network, rates or Rates()
        self.device = next(network.parameters()).device
        groups = network.parameter_groups()
        rate = self.rates.learning_rate
        self.optimisers = {"segmentation": torch.optim.Adam([*groups["shared"], *groups["segmentation"]], rate)}
        if groups["reconstruction"] and self.rates.reconstruction > 0:
            mine = [*groups["shared"], *groups["reconstruction"]]
            self.optimisers["reconstruction"] = torch.optim.Adam(mine, rate * self.rates.reconstruction)
        # Either decoder is idle in the other's turn, hence find_unused_parameters.
        self._model: nn.Module = (
            DistributedDataParallel(network, find_unused_parameters=True) if distributed else network
        )
        self._dtype = training_dtype(self.device)
        self.scaler = torch.amp.GradScaler(enabled=self._dtype is torch.float16)

    def step(
        self, clip: Tensor, loss: Callable[[Tensor], Tensor], image: Tensor | None = None, sequences: int = 1
    ) -> StepLosses:
        """Train on a clip (slices, channels, rows, columns) once.

        `loss` makes a scalar of the logits; `image` (slices, 1, rows, columns) is what to reconstruct, by default the
        first channel.
        """
        self.network.train()
        rebuilt = None
        if "reconstruction" in self.optimisers:
            target = clip[:, :1] if image is None else image
            rebuilt = self._turn(
                "reconstruction",
                lambda: reconstruction_loss(
                    self._model(clip, reconstruct=True, segment=False, sequences=sequences).reconstruction.float(),
                    target,
                ),
            )
        segmented = self._turn("segmentation", lambda: loss(self._model(clip, sequences=sequences).logits.float()))
        return StepLosses(segmented, rebuilt)

    def _turn(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        with autocast(self.device, self._dtype):
            loss = compute()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(optimiser)
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.rates.clip_norm)
        self.scaler.step(optimiser)
        self.scaler.update()
        return loss.detach()
