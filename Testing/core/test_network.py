"""The network: shapes, variants, and what each part may and may not do."""

import pytest
import torch

from MusclePropLib.core.network import VARIANTS, Network, NetworkConfig

SMALL = {"base_maps": 4, "levels": 3, "norm_groups": 2}


def small(**changes) -> Network:
    torch.manual_seed(0)
    return Network(NetworkConfig(**{**SMALL, **changes})).eval()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (17, 23), (1, 5)])
def test_output_has_the_frames_own_size(variant, rows, columns):
    output = small(variant=variant, in_channels=2, classes=3)(torch.rand(5, 2, rows, columns), reconstruct=True)
    assert output.logits.shape == (5, 3, rows, columns)
    if variant.startswith("unet-s-r"):
        assert output.reconstruction.shape == (5, 1, rows, columns)
    else:
        assert output.reconstruction is None


def test_adding_skips_is_the_smaller_network():
    joined, added = (small(skips=skips) for skips in ("concatenate", "add"))
    assert added(torch.rand(3, 1, 9, 9)).logits.shape == (3, 4, 9, 9)
    assert sum(p.numel() for p in added.parameters()) < sum(p.numel() for p in joined.parameters())


@torch.no_grad()
@pytest.mark.parametrize(("variant", "reaches"), [("unet-s-r-clstm", True), ("unet-s-r", False)])
@pytest.mark.parametrize(("touched", "seen"), [(0, -1), (-1, 0)])
def test_only_the_recurrence_carries_a_slice_to_the_far_end(variant, reaches, touched, seen):
    network = small(variant=variant)
    clip = torch.rand(7, 1, 16, 16)
    changed = clip.clone()
    changed[touched] = 1.0 - changed[touched]
    before, after = network(clip).logits, network(changed).logits
    assert not torch.allclose(before[touched], after[touched])
    assert torch.equal(before[seen], after[seen]) != reaches


@torch.no_grad()
def test_joined_clips_do_not_see_each_other():
    network = small()
    clips = torch.rand(3, 4, 1, 16, 16)
    joined = network(clips.flatten(0, 1), sequences=3).logits.unflatten(0, (3, 4))
    for clip, logits in zip(clips, joined, strict=True):
        torch.testing.assert_close(network(clip).logits, logits, rtol=1e-4, atol=1e-5)


def test_zero_last_gives_exactly_zero_and_can_learn():
    network = small(in_channels=8, classes=1, zero_last=True)
    logits = network(torch.rand(3, 8, 16, 16)).logits
    assert torch.count_nonzero(logits) == 0
    logits.sum().backward()
    assert network.segmentation.last.weight.grad.abs().sum() > 0


def test_parameter_groups_cover_every_parameter_once():
    for variant in VARIANTS:
        network = small(variant=variant)
        grouped = [id(p) for group in network.parameter_groups().values() for p in group]
        assert sorted(grouped) == sorted(id(p) for p in network.parameters())


def test_checkpointing_changes_memory_and_not_gradients():
    clip = torch.rand(4, 1, 16, 16)
    gradients = []
    for checkpointing in (False, True):
        network = small()
        network.checkpointing = checkpointing
        output = network(clip, reconstruct=True)
        (output.logits.square().mean() + output.reconstruction.mean()).backward()
        gradients.append([p.grad for p in network.parameters()])
    for plain, saved in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, saved)


def test_skipped_decoders_cost_nothing_and_say_so():
    network = small()
    clip = torch.rand(2, 1, 8, 8)
    assert network(clip).reconstruction is None
    only = network(clip, reconstruct=True, segment=False)
    assert only.logits is None and only.reconstruction is not None


def test_separable_variant_is_much_smaller_than_the_plain_one():
    sizes = {v: sum(p.numel() for p in Network(NetworkConfig(variant=v)).parameters()) for v in VARIANTS}
    assert sizes["unet-s"] < sizes["unet"] / 4
    assert sizes["unet-s"] < sizes["unet-s-r"] < sizes["unet-s-r-clstm"]


def test_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="unet-x"):
        NetworkConfig(variant="unet-x")
