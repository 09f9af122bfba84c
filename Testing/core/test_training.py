"""The alternate step: what moves in which turn, and that a seed fixes everything."""

import pytest
import torch

from MusclePropLib.core.losses import partial_label_loss
from MusclePropLib.core.network import Network, NetworkConfig
from MusclePropLib.core.training import AlternateTrainer, Rates, build_network

SMALL = NetworkConfig(classes=2, base_maps=4, levels=3, norm_groups=2)


def task(seed: int = 0):
    """A bright disc on noise that drifts over the slices, and the loss of its full segmentation."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")
    truth = torch.stack([(rows - 12) ** 2 + (columns - 9 - t) ** 2 < 30 for t in range(6)])
    clip = 0.5 * truth[:, None] + 0.3 * torch.rand(6, 1, 24, 24, generator=generator)
    return clip, lambda logits: partial_label_loss(logits, torch.stack((~truth, truth), 1))


def snapshot(parameters) -> list[torch.Tensor]:
    return [p.detach().clone() for p in parameters]


def moved(before, after) -> bool:
    return any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_optimisers_share_exactly_encoder_and_recurrence():
    network = Network(SMALL)
    trainer = AlternateTrainer(network)
    owned = {
        name: {id(p) for group in optimiser.param_groups for p in group["params"]}
        for name, optimiser in trainer.optimisers.items()
    }
    shared = {id(p) for module in (network.encoder, network.recurrence) for p in module.parameters()}
    assert owned["segmentation"] & owned["reconstruction"] == shared
    assert owned["segmentation"] | owned["reconstruction"] == {id(p) for p in network.parameters()}


def test_each_turn_moves_its_own_decoder_and_both_move_the_encoder():
    network = build_network(lambda: Network(SMALL), 0)
    trainer = AlternateTrainer(network)
    clip, loss = task()
    states = []

    def recording(logits):
        states.append({name: snapshot(group) for name, group in network.parameter_groups().items()})
        return loss(logits)

    begin = {name: snapshot(group) for name, group in network.parameter_groups().items()}
    trainer.step(clip, recording)
    between = states[0]
    end = {name: snapshot(group) for name, group in network.parameter_groups().items()}
    assert moved(begin["shared"], between["shared"]) and moved(between["shared"], end["shared"])
    assert moved(begin["reconstruction"], between["reconstruction"])
    assert not moved(between["reconstruction"], end["reconstruction"])
    assert not moved(begin["segmentation"], between["segmentation"])
    assert moved(between["segmentation"], end["segmentation"])


@pytest.mark.parametrize("variant", ["unet-s", "unet-s-r-clstm"])
def test_training_lowers_both_losses(variant):
    network = build_network(lambda: Network(NetworkConfig(2 - 1, 2, 4, 3, variant, norm_groups=2)), 0)
    trainer = AlternateTrainer(network, Rates(learning_rate=5e-3))
    clip, loss = task()
    losses = [trainer.step(clip, loss) for _ in range(40)]
    assert losses[-1].segmentation < 0.3 * losses[0].segmentation
    if variant == "unet-s":
        assert losses[0].reconstruction is None
    else:
        assert losses[-1].reconstruction < 0.3 * losses[0].reconstruction


def test_a_seed_fixes_every_number():
    def run(seed):
        trainer = AlternateTrainer(build_network(lambda: Network(SMALL), seed))
        return [trainer.step(*task()).segmentation.item() for _ in range(5)]

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_building_leaves_torchs_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build_network(lambda: Network(SMALL), 1)
    assert torch.equal(torch.rand(3), expected)


def test_gradients_are_clipped():
    network = build_network(lambda: Network(SMALL), 0)
    trainer = AlternateTrainer(network, Rates(clip_norm=1e-3))
    clip, loss = task()
    trainer.step(clip, lambda logits: 1e6 * loss(logits))
    groups = network.parameter_groups()
    norm = torch.stack([p.grad.norm() for p in [*groups["shared"], *groups["segmentation"]]]).norm()
    assert norm <= 1.001e-3
