"""Random walker (Grady 2006, in scikit-image), each muscle against all else, from the drawn slices as seeds.

On the drawn masks' surroundings only, and reduced in the slice plane: at full size it takes minutes and gigabytes. The
walker's `BETA` was chosen on the brain volume of the benchmark, in its favour; on ultrasound no value makes it good.
"""

from __future__ import annotations

import warnings

import cv2
import numpy as np
from scipy import ndimage
from skimage.segmentation import random_walker

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.rivals.seeds import INSIDE, seeds_of
from MusclePropLib.core.volumes import Volume

BETA = 10000.0
LARGEST = 64  # rows or columns after the reduction
MARGIN = 0.1  # of the drawn masks' extent


def run(volume: Volume, annotations: Annotations) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle, empty outside its surroundings."""
    return [_walked(volume.array, annotations, muscle) for muscle in range(len(annotations.muscles))]


def _walked(array: np.ndarray, annotations: Annotations, muscle: int) -> np.ndarray:
    box = _surroundings(annotations, muscle)
    image, seeds = array[box], seeds_of(annotations, muscle)[box]
    step = max(1, -(-max(image.shape[1:]) // LARGEST))
    small = np.stack([cv2.blur(plane.astype(np.float32), (step, step))[::step, ::step] for plane in image])
    small = (small - small.min()) / max(float(np.ptp(small)), 1e-6)
    inside = _probability(small, seeds[:, ::step, ::step])
    result = np.zeros(annotations.shape, bool)
    size = image.shape[:0:-1]
    result[box] = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in inside]) > 0.5
    return result


def _probability(image: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    if not (seeds == INSIDE).any():
        return np.zeros(image.shape, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-image asks for pyamg or UMFPACK, which would only make it quicker
        found = random_walker(image, seeds.astype(int), beta=BETA, mode="cg_j", tol=1e-3, return_full_prob=True)
    return found[0].astype(np.float32)


def _surroundings(annotations: Annotations, muscle: int) -> tuple[slice, slice, slice]:
    """All slices, and the drawn masks' bounding box with a margin."""
    union = np.logical_or.reduce(list(annotations.muscles[muscle].drawn.values()))
    rows, columns = ndimage.find_objects(union.astype(np.uint8))[0]
    margins = (round(MARGIN * (s.stop - s.start)) for s in (rows, columns))
    plane = [slice(max(0, s.start - m), s.stop + m) for s, m in zip((rows, columns), margins, strict=True)]
    return slice(None), *plane
