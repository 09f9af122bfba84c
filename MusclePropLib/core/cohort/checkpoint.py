"""A training in one file, from which it goes on to the same numbers: network, average, both optimisers, progress."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.optim.swa_utils import AveragedModel

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.training import AlternateTrainer

_HEADER = "progress"


def save_checkpoint(path: Path, trainer: AlternateTrainer, average: AveragedModel, progress: dict) -> None:
    """Write all tensors and `progress` (JSON-able); a kill leaves the file before or the file after."""
    tensors = {f"network/{name}": tensor for name, tensor in trainer.network.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in average.state_dict().items()}
    for name, optimiser in trainer.optimisers.items():
        for index, entries in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": value for key, value in entries.items()}
    header = {_HEADER: json.dumps(progress), "scaler": json.dumps(trainer.scaler.state_dict())}
    with replacing(path) as part:
        part.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, header))


def load_checkpoint(path: Path, trainer: AlternateTrainer, average: AveragedModel) -> None:
    """Put trainer and average where they were when the checkpoint was written."""
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        trainer.scaler.load_state_dict(json.loads(file.metadata()["scaler"]))
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        part, key = name.split("/", 1)
        parts.setdefault(part, {})[key] = tensor
    try:
        trainer.network.load_state_dict(parts.pop("network"))
        average.load_state_dict(parts.pop("average"))
        for name, optimiser in trainer.optimisers.items():
            optimiser.load_state_dict(_nested(parts.pop(name, {}), optimiser.state_dict()["param_groups"]))
    except (KeyError, RuntimeError, ValueError) as fault:
        raise InputError(f"{path}: this checkpoint is of another network") from fault


def read_progress(path: Path) -> dict:
    """The `progress` of a checkpoint, without its tensors."""
    with _opened(path) as file:
        return json.loads((file.metadata() or {}).get(_HEADER, "{}"))


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, "pt")
    except (SafetensorError, FileNotFoundError) as fault:
        raise InputError(f"{path}: there is no checkpoint to go on from, or it is damaged") from fault


def _nested(flat: dict[str, torch.Tensor], groups: list[dict]) -> dict:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in flat.items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = tensor
    return {"state": state, "param_groups": groups}
