"""The stream of random structures used for pretraining: what every sample promises, whatever the seed."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MusclePropLib.core.phantom.structures import simulate_structure

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, slices=st.sampled_from([6, 15, 24]), size=st.sampled_from([48, 96]))
def test_every_sample_keeps_its_promises(seed, slices, size):
    structure = simulate_structure(np.random.default_rng(seed), slices, size)
    assert structure.image.shape == structure.mask.shape == (slices, size, size)
    assert structure.image.dtype == np.float32 and structure.mask.dtype == bool and structure.others.dtype == bool
    assert structure.others.shape[1:] == structure.mask.shape and len(structure.others) <= 2
    assert np.isfinite(structure.image).all()
    assert abs(structure.image.mean()) < 1e-3 and abs(structure.image.std() - 1) < 1e-3
    inner = slice(slices // 6 + 1, slices - slices // 6 - 1)
    assert structure.mask[inner].any(axis=(1, 2)).all()
    assert (structure.others.sum(axis=0) + structure.mask <= 1).all()


def test_a_seed_gives_the_same_sample_again():
    first, again = (simulate_structure(np.random.default_rng(5), 12, 64) for _ in range(2))
    other = simulate_structure(np.random.default_rng(6), 12, 64)
    for name in ("image", "mask", "others"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.image, other.image)


@pytest.fixture(scope="module")
def stream():
    return [simulate_structure(np.random.default_rng(seed), 16, 64) for seed in range(60)]


def test_sizes_fill_the_crop_variously(stream):
    fill = [np.sqrt(4 / np.pi * s.mask[4:12].sum(axis=(1, 2)).mean()) / 64 for s in stream]
    assert np.quantile(fill, 0.05) > 0.05 and np.quantile(fill, 0.95) < 0.6
    assert np.quantile(fill, 0.8) - np.quantile(fill, 0.2) > 0.1


def test_neighbours_often_touch_the_target(stream):
    touching = 0
    for s in stream:
        around = np.zeros_like(s.mask)
        around[:, 1:] |= s.mask[:, :-1]
        around[:, :-1] |= s.mask[:, 1:]
        around[:, :, 1:] |= s.mask[:, :, :-1]
        around[:, :, :-1] |= s.mask[:, :, 1:]
        touching += bool((around & s.others.any(axis=0)).any()) if len(s.others) else 0
    assert touching > 20
    assert sum(len(s.others) == 0 for s in stream) > 5


def test_some_structures_end_within_the_stack(stream):
    ended = sum(not s.mask[0].any() or not s.mask[-1].any() for s in stream)
    assert 5 < ended < 50


def test_the_tissue_moves_with_the_boundary(stream):
    """Optical flow must carry a mask better than leaving it in place does: the content is not mere new noise."""
    rows, columns = np.mgrid[:64, :64].astype(np.float32)
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gain = []
    for s in stream:
        low, high = np.percentile(s.image, [0.5, 99.5])
        planes = (np.clip((s.image - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        flow = engine.calc(planes[9], planes[6], None)
        before = s.mask[6].astype(np.float32)
        moved = cv2.remap(before, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR) > 0.5
        gain.append(_dice(moved, s.mask[9]) - _dice(s.mask[6], s.mask[9]))
    assert np.mean(gain) > 0.02


def _dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("seed", range(12))
def test_closed_structures_begin_and_end_within_the_stack(seed):
    present = simulate_structure(np.random.default_rng(seed), 24, closed=True).mask.any(axis=(1, 2))
    assert 8 <= present.sum() < 24
    assert (np.diff(np.flatnonzero(present)) == 1).all()
