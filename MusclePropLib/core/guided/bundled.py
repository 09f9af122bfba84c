"""The weights that ship with the extension, a file of one's own, or none."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.guided.inputs import CHANNELS, guided_config
from MusclePropLib.core.network import Network
from MusclePropLib.core.outcome import BUNDLED, NO_WEIGHTS
from MusclePropLib.core.training import build_network
from MusclePropLib.core.weights import load_weights

NAME = "guided.safetensors"
BESIDE = Path(__file__).resolve().parents[3] / "Resources" / "Weights" / NAME
"""In the repository and in the extension."""


def identity(weights: str, seed: int) -> tuple:
    """Equals an earlier value as long as `pretrained` answers the same network."""
    if weights == NO_WEIGHTS:
        return weights, seed
    path = _path(weights)
    found = path.stat() if path.is_file() else None
    return weights, found and (found.st_size, found.st_mtime_ns)


def pretrained(weights: str, seed: int) -> tuple[Network, str]:
    """The network named by `Settings.weights` and its checksum ("none" for an untrained one).

    Raises InputError if the file is not there or is not a network for guided propagation.
    """
    if weights == NO_WEIGHTS:
        return build_network(lambda: Network(guided_config()), seed), NO_WEIGHTS
    path = _path(weights)
    if weights == BUNDLED and not path.is_file():
        raise InputError(f"{path}: the weights are not installed; install MusclePropLib again")
    loaded = load_weights(path)
    config = loaded.network.config
    if config.in_channels != len(CHANNELS) or config.classes != 1:
        raise InputError(f"{path}: these weights are not for guided propagation but for muscleprop train")
    return loaded.network, loaded.checksum


def _path(weights: str) -> Path:
    if weights != BUNDLED:
        return Path(weights)
    return BESIDE if BESIDE.is_file() else _installed()


def _installed() -> Path:
    """Where pip has put the weights, which depends on how it was called; BESIDE if it has not."""
    try:
        files = metadata.files("MusclePropLib") or []
    except metadata.PackageNotFoundError:
        files = []
    return next((Path(file.locate()).resolve() for file in files if file.name == NAME), BESIDE)
