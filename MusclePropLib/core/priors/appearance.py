"""What the image itself says: the grey levels of inside and outside, and a random walk from the drawn slices."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import cv2
import numpy as np
from scipy import ndimage
from skimage.segmentation import random_walker

# Chances a little beyond 0 and 1, which are clipped. For good: to catch warnings for a while is not safe in threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"skimage\.")

BINS = 24
LIMIT = 3.0
"""Largest log-likelihood ratio that grey levels alone may claim."""

WALK_BETA = 10000.0
"""Contrast sensitivity of the random walk; with less it runs across borders (measured on organs in CT and MR)."""

LEAST_LINK = 1e-6
"""Of the weight between two pixels of equal grey: what is linked to no seed by more, is not reached from it."""


def likelihood_ratio(images: np.ndarray, known: Mapping[int, np.ndarray]) -> np.ndarray:
    """log p(grey | inside) - log p(grey | just outside) for crops (n, rows, columns), clipped to +-LIMIT.

    Joint histogram of two smoothing scales, learnt on the known slices (place -> signed distance in pixels).
    """
    fine, coarse = _quantised(images, 1.0), _quantised(images, 3.0)
    inside, outside = np.ones((BINS, BINS)), np.ones((BINS, BINS))
    for place, field in known.items():
        code = fine[place] * BINS + coarse[place]
        inside += _histogram(code[field > 1])
        outside += _histogram(code[(field < -1) & (field > -12)])
    smooth = [ndimage.gaussian_filter(h, 1.0) for h in (inside, outside)]
    ratio = np.log(smooth[0] / smooth[0].sum()) - np.log(smooth[1] / smooth[1].sum())
    return np.clip(ratio, -LIMIT, LIMIT).astype(np.float32)[fine, coarse]


def walked(images: np.ndarray, known: Mapping[int, np.ndarray]) -> np.ndarray:
    """Random walk (Grady, PAMI 2006; scikit-image) from the known slices: logits (n, rows, columns) in some 4 pixels.

    Run at half the crop's resolution. All of a known slice is seed: inside or outside.
    """
    half = np.stack([cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in images])
    low, high = np.percentile(half, (0.5, 99.5))
    half = np.clip((half - low) / max(high - low, 1e-6), 0, 1)
    seeds = np.zeros(half.shape, np.int32)
    for place, field in known.items():
        seeds[place] = np.where(cv2.resize(field, half.shape[:0:-1], interpolation=cv2.INTER_AREA) > 0, 1, 2)
    if not (seeds == 1).any() or not (seeds == 2).any():
        return np.full(images.shape, -4.0, np.float32)
    chance = np.clip((seeds == 1).astype(float) if seeds.all() else _walk(half, seeds), 0.01, 0.99)
    logits = (np.log(chance) - np.log1p(-chance)).astype(np.float32)
    return np.stack([cv2.resize(plane, images.shape[:0:-1], interpolation=cv2.INTER_LINEAR) for plane in logits])


def _walk(images: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Chance that a walk from each pixel meets an inside seed first."""
    if not images.std():  # the weights would be no numbers, with which the solver goes on for minutes
        return np.where(seeds == 0, 0.5, seeds == 1)
    inside, outside = (_is_linked(images, seeds, label) for label in (1, 2))
    if not (inside and outside):  # the solver would look for a way to them for minutes
        return np.where(seeds == 0, (1.0 + inside - outside) / 2, seeds == 1)
    return random_walker(images, seeds, beta=WALK_BETA, mode="cg_j", tol=1e-3, return_full_prob=True)[0]


def _is_linked(images: np.ndarray, seeds: np.ndarray, label: int) -> bool:
    """Whether any pixel without a seed is like a seed of that label on the slice beside it, by the walk's weights."""
    beside = ((seeds[:-1] == label) & (seeds[1:] == 0)) | ((seeds[1:] == label) & (seeds[:-1] == 0))
    steps = np.diff(images, axis=0)[beside] ** 2
    return bool((np.exp(-WALK_BETA / max(10 * images.std(), 1e-6) * steps) > LEAST_LINK).any())


def _quantised(images: np.ndarray, sigma: float) -> np.ndarray:
    smooth = np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in images])
    edges = np.quantile(smooth[:, ::4, ::4], np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, smooth.ravel()).reshape(images.shape)


def _histogram(codes: np.ndarray) -> np.ndarray:
    return np.bincount(codes, minlength=BINS * BINS).reshape(BINS, BINS)
