"""Trained networks as files: safetensors, with what the network is made of and where it comes from in the header."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.network import Network, NetworkConfig

_HEADER = "muscleprop"
FORMAT = 1


class Weights(NamedTuple):
    """A network with its weights, in evaluation mode on the CPU; the recipe; and the file's SHA-256."""

    network: Network
    metadata: dict
    checksum: str


def save_weights(path: str | Path, network: Network, metadata: dict) -> None:
    """Write the network's tensors, its configuration and `metadata` (JSON-able) to one file, whole or not at all."""
    header = json.dumps({"format": FORMAT, "config": network.config.as_dict(), "metadata": metadata})
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replacing(Path(path)) as part:
        part.write_bytes(save(tensors, {_HEADER: header}))  # save_file would hide it from colleagues


def load_weights(path: str | Path) -> Weights:
    """Read what `save_weights` wrote. Raises InputError, naming the file, for anything else."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})[_HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        network = Network(NetworkConfig(**header["config"]))
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as fault:
        raise InputError(f"{path}: not a file of MuscleProp weights, or of another version") from fault
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise InputError(f"{path}: the weights hold values that are not finite")
    return Weights(network.eval(), header["metadata"], hashlib.sha256(path.read_bytes()).hexdigest())


def initialise(network: Network, source: Network) -> list[str]:
    """Copy every tensor of `source` that fits `network` by name and shape; returns the names left as they were.

    So weights of one muscle begin the training of another, and a variant with fewer parts that of one with more.
    """
    own, given = network.state_dict(), source.state_dict()
    fitting = {name: t for name, t in given.items() if name in own and own[name].shape == t.shape}
    network.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys())
