"""Pretraining of the correcting network on simulated structures: `muscleprop pretrain`."""

from __future__ import annotations

import copy
import csv
import hashlib
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.guided.finetune import correction_loss, go_back
from MusclePropLib.core.guided.inputs import guided_config
from MusclePropLib.core.guided.lessons import Lessons
from MusclePropLib.core.network import Network
from MusclePropLib.core.training import build_network

LOGGED_EVERY, SAVED_EVERY = 100, 200
"""Steps from one row of the curve to the next, and from one checkpoint."""


@dataclass(frozen=True)
class Recipe:
    """How the bundled weights are made; `steps` of `batch` clips each, learning rate warmed up, then a cosine.

    `kept` is the share of the weights that it began with in those that come out.
    """

    steps: int = 6000
    batch: int = 2
    learning_rate: float = 1.5e-3
    warm_up: int = 100
    averaging: float = 0.998
    reconstruct_every: int = 8
    reconstruction_rate: float = 0.3
    seed: int = 0
    kept: float = 0.0


def pretrain(
    recipe: Recipe,
    checkpoint: Path,
    workers: int = 1,
    report: Callable[[int, dict[str, float]], None] | None = None,
    initial: Network | None = None,
) -> Network:
    """Train, resuming from `checkpoint` if it is there; returns the averaged network. Curves go beside it as CSV.

    `initial` gives the weights to begin with; without it they are random. A run that goes on meets other lessons than
    one that was never broken off. Raises InputError if the weights do not fit, or the checkpoint is damaged or of
    another recipe or beginning.
    """
    network = build_network(lambda: Network(guided_config()), recipe.seed)
    if initial is not None:
        _begin_with(network, initial)
    beginning = copy.deepcopy(network)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.averaging))
    groups = network.parameter_groups()
    segmenting = torch.optim.Adam([*groups["shared"], *groups["segmentation"]], lr=recipe.learning_rate)
    rebuilding = torch.optim.Adam([*groups["shared"], *groups["reconstruction"]], lr=recipe.learning_rate)
    state = {"network": network, "average": average, "segmenting": segmenting, "rebuilding": rebuilding}
    identity = {"recipe": asdict(recipe), "beginning": _checksum(beginning)}
    done = _resume(checkpoint, state, identity)
    curve = checkpoint.with_suffix(".csv")
    before = _cut_log(curve, done)
    lessons = iter(
        DataLoader(
            Lessons(recipe.seed + 1000 * done),
            batch_size=None,
            num_workers=workers,
            prefetch_factor=8 if workers else None,
        )
    )
    sums, began = {"loss": 0.0, "draft": 0.0, "rebuilt": 0.0}, time.monotonic()
    for step in range(done, recipe.steps):
        rate = _rate(recipe, step)
        for optimiser, factor in ((segmenting, 1.0), (rebuilding, recipe.reconstruction_rate)):
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
        segmenting.zero_grad(set_to_none=True)
        for _ in range(recipe.batch):
            inputs, draft, inside, target, counts = next(lessons)
            counts = counts * inside
            loss = correction_loss(network(inputs).logits[:, 0] * inside + draft, target, counts)
            (loss / recipe.batch).backward()
            sums["loss"] += loss.item() / recipe.batch
            sums["draft"] += correction_loss(draft, target, counts).item() / recipe.batch
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        segmenting.step()
        if step % recipe.reconstruct_every == 0:
            rebuilding.zero_grad(set_to_none=True)
            rebuilt = F.mse_loss(network(inputs, reconstruct=True, segment=False).reconstruction, inputs[:, :1])
            rebuilt.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            rebuilding.step()
            sums["rebuilt"] += rebuilt.item() * recipe.reconstruct_every
        average.update_parameters(network)
        if (step + 1) % LOGGED_EVERY == 0:
            means = {name: value / LOGGED_EVERY for name, value in sums.items()}
            sums = dict.fromkeys(sums, 0.0)
            _log(curve, {"step": step + 1, "seconds": before + time.monotonic() - began, **means})
            if report:
                report(step + 1, means)
        if (step + 1) % SAVED_EVERY == 0 or step + 1 == recipe.steps:
            _save(checkpoint, state, step + 1, identity)
    go_back(average.module, beginning, recipe.kept)
    return average.module


def can_begin_with(initial: Network) -> bool:
    """Whether a network is of the kind that guided propagation uses, with no more input channels."""
    config, channels = guided_config(), initial.config.in_channels
    return channels <= config.in_channels and replace(config, in_channels=channels) == initial.config


def _begin_with(network: Network, initial: Network) -> None:
    """Take over weights, also those of a network with fewer input channels; the others count for nothing at first."""
    if not can_begin_with(initial):
        raise InputError("the weights to begin with are of another kind of network than that of guided propagation")
    own = network.state_dict()
    for name, given in initial.state_dict().items():
        if given.dim() == 2:  # the weights of a matrix product, (outputs, inputs)
            own[name][:, given.shape[1] :] = 0
            own[name][:, : given.shape[1]] = given
        else:
            own[name][: len(given)] = given


def _checksum(network: Network) -> str:
    return hashlib.sha256(save(network.state_dict())).hexdigest()


def _rate(recipe: Recipe, step: int) -> float:
    warm = min(1.0, (step + 1) / recipe.warm_up)
    falling = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * step / recipe.steps)).item())
    return recipe.learning_rate * warm * max(falling, 0.01)


def _save(path: Path, state: dict, step: int, identity: dict) -> None:
    held = {name: part.state_dict() for name, part in state.items()} | {"step": step, "identity": identity}
    with replacing(path) as part:
        torch.save(held, part)


def _resume(path: Path, state: dict, identity: dict) -> int:
    if not path.exists():
        return 0
    try:
        held = torch.load(path, weights_only=True)
        before = held["identity"]
    except (OSError, RuntimeError, ValueError, LookupError, pickle.UnpicklingError, EOFError) as fault:
        raise InputError(f"{path}: no checkpoint of a pretraining ({fault}); remove it to begin anew") from fault
    if before != identity:
        raise InputError(f"{path} is of another recipe or other weights to begin from; remove it or train elsewhere")
    for name, part in state.items():
        part.load_state_dict(held[name])
    return held["step"]


def _cut_log(path: Path, done: int) -> float:
    """Keep of an earlier run's rows those up to step `done`, from which it goes on; returns the seconds until then."""
    if not path.exists():
        return 0.0
    with path.open(newline="", encoding="utf-8") as file:
        kept = [row for row in csv.DictReader(file) if int(row["step"]) <= done]
    if not kept:
        path.unlink()
        return 0.0
    with replacing(path) as part:
        for row in kept:
            _log(part, row)
    return float(kept[-1]["seconds"])


def _log(path: Path, row: Mapping[str, float | str]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if fresh:
            writer.writeheader()
        writer.writerow(row)
