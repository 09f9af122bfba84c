"""Random views of a clip that leave its task the same."""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.guided.inputs import BACKWARD, BETWEEN, FORWARD, IMAGES, Clip


def augmented(rng: np.random.Generator, clip: Clip) -> Clip:
    """The clip mirrored, turned by quarters, read from its other end, and with other grey values, each at random."""
    clip = _other_greys(rng, clip)
    if rng.random() < 0.5:
        clip = read_backwards(clip)
    turns, mirror = int(rng.integers(4)), rng.random() < 0.5
    arrays = [np.rot90(a, turns, axes=(-2, -1)) for a in vars(clip).values()]
    return Clip(*(a[..., ::-1] for a in arrays)) if mirror else Clip(*arrays)


def read_backwards(clip: Clip) -> Clip:
    """The clip from its last slice to its first; what was carried forward then comes backward."""
    inputs = clip.inputs[::-1].copy()
    inputs[:, FORWARD + BACKWARD] = inputs[:, BACKWARD + FORWARD]
    inputs[:, BETWEEN] *= -1
    return Clip(inputs, clip.draft[::-1], clip.inside[::-1], clip.target[::-1], clip.counts[::-1])


def _other_greys(rng: np.random.Generator, clip: Clip) -> Clip:
    inputs = clip.inputs.copy()
    inputs[:, IMAGES] = inputs[:, IMAGES] * rng.uniform(0.7, 1.4) + rng.uniform(-0.3, 0.3)
    return Clip(inputs, clip.draft, clip.inside, clip.target, clip.counts)
