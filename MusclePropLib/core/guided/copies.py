"""Lessons for one or two drawn slices: copies of a drawn slice that change smoothly, with its mask."""

from __future__ import annotations

import cv2
import numpy as np

from MusclePropLib.core.guided.inputs import Clip, make_clip
from MusclePropLib.core.priors.frame import bounding_box
from MusclePropLib.core.priors.stack import CARRIED, build_stack

COPIES = 9
"""Slices of a lesson; the first is the drawn one, the last the copy that changed most."""

GRAIN = 0.25
"""Standard deviation of fresh noise per copy, in units of the slice's own: speckle does not move along."""


def lesson_from_copies(
    plane: np.ndarray, mask: np.ndarray, spacing: tuple[float, float], rng: np.random.Generator
) -> Clip:
    """A clip that starts at a drawn slice (rows, columns) and goes on with deformed copies of it, all of known truth.

    The deformation is smooth, up to some tenth of the muscle's extent, and grows evenly from copy to copy.
    """
    top, bottom, left, right = bounding_box(mask)
    extent = max(bottom - top, right - left, 8)
    shape = plane.shape
    field = _smooth_field(rng, shape, extent)
    rows, columns = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij")
    images, masks = [], []
    for share in np.linspace(0, 1, COPIES):
        y, x = (at + np.float32(share) * move for at, move in zip((rows, columns), field, strict=True))
        copy = cv2.remap(plane.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        grain = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), extent / 60)
        images.append(copy + (GRAIN * copy.std() / max(grain.std(), 1e-6) * grain if share else 0))
        masks.append(cv2.remap(mask.astype(np.float32), x, y, cv2.INTER_LINEAR) > 0.5)
    every = np.arange(COPIES)
    stack = build_stack(np.stack(images), every.astype(float), spacing, {0: mask}, frozenset(), every)
    clip = make_clip(stack, every, CARRIED, None)
    clip.target = np.stack([stack.frame.sample(m, i) for i, m in enumerate(masks)])
    clip.counts = np.ones_like(clip.target) * (every > 0)[:, None, None].astype(np.float32)
    return clip


def _smooth_field(rng: np.random.Generator, shape: tuple[int, int], extent: float) -> np.ndarray:
    """Displacements (2, rows, columns) in voxels, smooth over half the extent, some tenth of the extent large."""
    coarse = rng.standard_normal((2, *(int(np.ceil(n / (extent / 2))) + 3 for n in shape))).astype(np.float32)
    fields = [cv2.resize(c, shape[::-1], interpolation=cv2.INTER_CUBIC) for c in coarse]
    return (np.stack(fields) * rng.uniform(0.05, 0.15) * extent).astype(np.float32)
