"""What one muscle's windows show: the images, and the drawn shapes among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from MusclePropLib.core.priors import flow
from MusclePropLib.core.priors.distance import signed_distance
from MusclePropLib.core.priors.drift import following
from MusclePropLib.core.priors.frame import CropFrame, frame_around

ARRIVED = 0.5
"""Mean Dice of carried shapes with the drawn ones, up to which it is chance that one flow carries better."""


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

    def flows(self, finest: int) -> flow.Flows:
        """Flow between the slices. The fine one is kept: it is tried against the coarse one, and mostly used."""
        return self._fine_flows if finest == flow.FINE else flow.neighbour_flows(self.images, finest)

    @cached_property
    def _fine_flows(self) -> flow.Flows:
        return flow.neighbour_flows(self.images, flow.FINE)


def muscle_crops(
    array: np.ndarray,
    positions: np.ndarray,
    spacing: tuple[float, float],
    drawn: Mapping[int, np.ndarray],
    slices: np.ndarray,
    wider: bool = False,
) -> MuscleCrops:
    """The crops of a muscle on `slices` of a volume, of which at least one is drawn; arguments as `build_stack`."""
    frame = following(frame_around(drawn, slices, positions, spacing, wider), array, drawn)
    images = np.stack([frame.sample(array[t], i) for i, t in enumerate(slices)])
    inside = np.stack([frame.inside(i, array.shape[1:]) for i in range(len(slices))])
    mean, spread = images[inside].mean(), images[inside].std()
    images = (images - mean) / (spread if spread > 0 else 1.0)
    place = {int(t): i for i, t in enumerate(slices)}
    shapes = {place[t]: signed_distance(mask, frame, place[t]) for t, mask in drawn.items() if t in place}
    return MuscleCrops(frame, images, inside, shapes)


def suited_scale(muscles: Sequence[MuscleCrops]) -> int:
    """The finest scale whose flow carries the known shapes of all muscles of a volume better onto each other.

    Each shape is carried to the known places next to it; the coarse flow has to get there at all, and be better by more
    than the standard error of the mean difference in Dice. One scale for all of them, for it is the image that it
    suits: by a single muscle's few gaps the wrong one often wins.
    """
    several = [crops for crops in muscles if len(crops.shapes) > 1]
    if not several:
        return flow.FINE
    by_fine, by_coarse = (
        np.concatenate([flow.carried_dice(crops.shapes, crops.flows(scale)) for crops in several])
        for scale in (flow.FINE, flow.COARSE)
    )
    gains = by_coarse - by_fine
    better = by_coarse.mean() > ARRIVED and gains.mean() > gains.std() / np.sqrt(len(gains))
    return flow.COARSE if better else flow.FINE
