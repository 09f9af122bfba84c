"""What one muscle's windows show: the images, and the drawn shapes among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.priors.distance import signed_distance
from MusclePropLib.core.priors.drift import following
from MusclePropLib.core.priors.frame import CropFrame, frame_around


@dataclass(frozen=True)
class MuscleCrops:
    """The windows of one muscle on some slices of a volume.

    `images` (n, SIZE, SIZE) have mean 0 and standard deviation 1 over what lies on the slices, which `inside` tells;
    `shapes` maps places to the signed distances (SIZE, SIZE) of what is drawn there, in crop pixels.
    """

    frame: CropFrame
    images: np.ndarray
    inside: np.ndarray
    shapes: dict[int, np.ndarray]


def muscle_crops(
    array: np.ndarray,
    positions: np.ndarray,
    spacing: tuple[float, float],
    drawn: Mapping[int, np.ndarray],
    slices: np.ndarray,
) -> MuscleCrops:
    """The crops of a muscle on `slices` of a volume, of which at least one is drawn; arguments as `build_stack`."""
    frame = following(frame_around(drawn, slices, positions, spacing), array, drawn)
    images = np.stack([frame.sample(array[t], i) for i, t in enumerate(slices)])
    inside = np.stack([frame.inside(i, array.shape[1:]) for i in range(len(slices))])
    mean, spread = images[inside].mean(), images[inside].std()
    images = (images - mean) / (spread if spread > 0 else 1.0)
    place = {int(t): i for i, t in enumerate(slices)}
    shapes = {place[t]: signed_distance(mask, frame, place[t]) for t, mask in drawn.items() if t in place}
    return MuscleCrops(frame, images, inside, shapes)
