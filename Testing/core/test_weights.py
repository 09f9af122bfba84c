"""Weights survive the round trip, and a file that is none says so."""

import hashlib
import os

import pytest
import torch
from safetensors.torch import save_file

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.network import Network, NetworkConfig
from MusclePropLib.core.training import build_network
from MusclePropLib.core.weights import initialise, load_weights, save_weights

SMALL = NetworkConfig(classes=2, base_maps=4, levels=3, norm_groups=2)


def test_round_trip(tmp_path):
    path, network = tmp_path / "w.safetensors", Network(SMALL).eval()
    save_weights(path, network, {"labels": ["GM"], "seed": 3})
    loaded, metadata, checksum = load_weights(path)
    clip = torch.rand(3, 1, 13, 17)
    assert loaded.config == SMALL and not loaded.training
    assert torch.equal(loaded(clip).logits, network(clip).logits)
    assert metadata == {"labels": ["GM"], "seed": 3}
    assert checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def damaged(path):
    save_weights(path, Network(SMALL), {})
    path.write_bytes(path.read_bytes()[:-100])


def poisoned(path):
    network = Network(SMALL)
    network.segmentation.last.bias.data[0] = torch.nan
    save_weights(path, network, {})


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_text("weights", encoding="utf-8"), "not a file of MuscleProp weights"),
        (lambda path: save_file({"a": torch.zeros(1)}, path), "not a file of MuscleProp weights"),
        (damaged, "not a file of MuscleProp weights"),
        (poisoned, "not finite"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, make, fault):
    make(tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=rf"w\.safetensors: .*{fault}"):
        load_weights(tmp_path / "w.safetensors")


@pytest.mark.skipif(os.name == "nt", reason="no such permissions")
def test_colleagues_may_read_what_they_may_read_of_other_files(tmp_path):
    save_weights(tmp_path / "w.safetensors", Network(SMALL), {})
    (tmp_path / "other").touch()
    assert (tmp_path / "w.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_initialise_takes_what_fits():
    source = build_network(lambda: Network(SMALL), 1)
    target = build_network(lambda: Network(NetworkConfig(classes=4, base_maps=4, levels=3, norm_groups=2)), 2)
    left = initialise(target, source)
    assert left == ["segmentation.last.bias", "segmentation.last.weight"]
    for name, tensor in source.encoder.state_dict().items():
        assert torch.equal(target.encoder.state_dict()[name], tensor)
