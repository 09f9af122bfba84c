"""One muscle's crops with everything that the known slices say about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from MusclePropLib.core.priors import appearance, flow
from MusclePropLib.core.priors.area import expected_areas, with_areas
from MusclePropLib.core.priors.crops import MuscleCrops, muscle_crops, suited_scale
from MusclePropLib.core.priors.distance import bracket, interpolate, weight_between
from MusclePropLib.core.priors.frame import FAR, CropFrame

CARRIED, INTERPOLATED, MEAN, WALKED, BOTH = "carried", "interpolated", "mean", "walked", "walked and carried"
"""The drafts: by optical flow, between the drawn shapes, their mean, by a random walk, its mean with the first."""

FAINT, FAINTNESS = "faint", 0.2
"""A draft that says little, and the share of the carried one's signed distances in it (measured on organs in CT and MR
and on simulated calves, drawn on two slices)."""

FEWEST_PIXELS = 20

RIM, FEWEST_ON_RIM, OVERFLOWING = 2, 4, 1 / 3
"""Breadth of a window's rim in pixels, how many of them a mask has on it that leaves the window, and the share of
slices on which a muscle does that whose window is too small. In the benchmarks it is under a quarter or nearly half."""


@dataclass
class MuscleStack:
    """Crops of one muscle, (n, SIZE, SIZE), and its priors as signed distances in crop pixels.

    `inside` says which pixels lie on the slice at all; outside, `images` repeats the slice's edge, for the flow's sake.
    `known` maps places in the stack to the signed distance of the drawn mask, or FAR where the muscle is absent.
    `between` (n,) is the share of the way from the known slice before to the one after; `gap` (n,) the distance to
    the nearest known slice in units of the window's side; `possible` (n,) is False where the muscle is known to be
    absent, there or from there on, or expected to have ended; `areas` (n,) are the expected ones in pixels.
    `carried_ways` are the two one-sided flow stacks, `carried_images` the drawn slices' images carried along with them,
    and `finest` the scale of their flow.
    """

    frame: CropFrame
    images: np.ndarray
    inside: np.ndarray
    known: dict[int, np.ndarray]
    between: np.ndarray
    gap: np.ndarray
    possible: np.ndarray
    finest: int
    carried_ways: tuple[np.ndarray, np.ndarray]
    carried_images: tuple[np.ndarray, np.ndarray]
    areas: np.ndarray
    drafts: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def slices(self) -> np.ndarray:
        """Slice index of each place."""
        return self.frame.slices

    @cached_property
    def likelihood(self) -> np.ndarray:
        """What grey levels alone say, (n, rows, columns); made when first asked for, after the first preview."""
        return appearance.likelihood_ratio(self.images, self.known)

    @property
    def overflows(self) -> bool:
        """Whether the muscle, as flow carries it, is larger than its window on many slices between the drawn ones.

        A window is as wide as the drawn outlines tell. Between slices through a vessel that runs along the stack it
        may run across it, and between a muscle's tips lies its belly.
        """
        drawn = [place for place, distance in self.known.items() if distance.max() > FAR]
        if len(drawn) < 2:
            return False
        between = np.zeros(len(self.slices), bool)
        between[min(drawn) : max(drawn)] = True
        between[list(self.known)] = False
        rim = np.ones(self.images.shape[1:], bool)
        rim[RIM:-RIM, RIM:-RIM] = False
        touching = ((self.drafts[CARRIED][between] > 0) & self.inside[between] & rim).sum(axis=(1, 2)) >= FEWEST_ON_RIM
        return np.count_nonzero(touching) > OVERFLOWING * len(touching)

    @property
    def plainness(self) -> float:
        """Mean of `told_apart` over the known places: 0 if none of them has the area for it."""
        told = [self.told_apart(place, distance) for place, distance in self.known.items()]
        told = [share for share in told if share is not None]
        return float(np.mean(told)) if told else 0.0

    def add_walk(self) -> None:
        """Add the random walk to the drafts, once; it takes longer than the others together."""
        if WALKED in self.drafts:
            return
        self.drafts[WALKED] = appearance.walked(self.images, self.known)
        self.drafts[BOTH] = self.filling((self.drafts[WALKED] + self.drafts[CARRIED]) / 2)

    def add_faint(self) -> None:
        """Add the carried draft as a guess that is easily overruled, but on the known slices."""
        self.drafts[FAINT] = FAINTNESS * self.drafts[CARRIED]
        for place, distance in self.known.items():
            self.drafts[FAINT][place] = distance

    def filling(self, field: np.ndarray) -> np.ndarray:
        """A field (n, rows, columns), shifted on every unknown place to enclose the area that is expected there."""
        return with_areas(field, self.areas, self.known)

    def told_apart(self, place: int, distance: np.ndarray) -> float | None:
        """Balanced share of the pixels near a border that grey levels put on the right side of it.

        `distance` (rows, columns) is the signed distance to the border on a place; None where the area is too small.
        """
        ratio = self.likelihood[place]
        inside, outside = ratio[distance > 1], ratio[(distance < -1) & (distance > -12)]
        if min(len(inside), len(outside)) < FEWEST_PIXELS:
            return None
        return 0.5 * (float((inside > 0).mean()) + float((outside <= 0).mean()))


def build_stack(
    array: np.ndarray,
    positions: np.ndarray,
    spacing: tuple[float, float],
    drawn: Mapping[int, np.ndarray],
    absent: frozenset[int] | set[int],
    slices: np.ndarray,
    finest: int | None = None,
    wider: bool = False,
) -> MuscleStack:
    """Crops and priors of a muscle on `slices` of a volume.

    `array` (slices, rows, columns) of any dtype; `positions` (mm) of all of its slices; `spacing` (row, column) mm;
    `drawn` and `absent` as annotated, of which those outside `slices` only help to place the window. `slices` must hold
    at least one drawn slice. `finest` is the scale of the flow, by default the one that suits this muscle better;
    `wider` asks for windows that show more than the usual ones.
    """
    crops = muscle_crops(array, positions, spacing, drawn, slices, wider)
    if finest is None:
        finest = suited_scale([crops])
    return stack_of(crops, positions, spacing, drawn, absent, finest)


def stack_of(
    crops: MuscleCrops,
    positions: np.ndarray,
    spacing: tuple[float, float],
    drawn: Mapping[int, np.ndarray],
    absent: frozenset[int] | set[int],
    finest: int,
) -> MuscleStack:
    """A muscle's crops with its priors; the other arguments as `build_stack`."""
    frame, images, shapes, slices = crops.frame, crops.images, crops.shapes, crops.frame.slices
    place = {int(t): i for i, t in enumerate(slices)}
    empty = [place[t] for t in absent if t in place and t not in drawn]
    along = positions[slices]
    between, nearest = _between(sorted([*shapes, *empty]), along)
    seen = {at: np.stack([shape, images[at]], axis=-1) for at, shape in shapes.items()}
    carried_ways = flow.carried_both_ways(seen, len(slices), crops.flows(finest))
    ways, carried_images = ([way[..., layer] for way in carried_ways] for layer in (0, 1))
    interpolated = interpolate(shapes, range(len(slices)), along)
    shares = _between(sorted(shapes), along)[0]
    carried = flow.blend(*ways, shares)
    taper = _taper(shapes, empty, along)
    off = np.minimum(taper, -FAR)[:, None, None]
    areas = expected_areas(dict.fromkeys(absent, 0.0) | _drawn_areas(drawn, shapes, frame), positions, slices)
    drafts = {CARRIED: carried, INTERPOLATED: interpolated, MEAN: (carried + interpolated) / 2}
    known_places = [*shapes, *empty]
    return MuscleStack(
        frame=frame,
        images=images,
        inside=crops.inside,
        known=shapes | {i: np.full(images.shape[1:], FAR, np.float32) for i in empty},
        between=between,
        gap=nearest / (frame.step[0] * spacing[0] * images.shape[1]),
        possible=np.isfinite(taper) & ~(areas < 1),
        finest=finest,
        carried_ways=(ways[0] - off, ways[1] - off),
        carried_images=tuple(carried_images),
        areas=areas,
        drafts={name: with_areas(draft - off, areas, known_places) for name, draft in drafts.items()},
    )


def _drawn_areas(
    drawn: Mapping[int, np.ndarray], shapes: Mapping[int, np.ndarray], frame: CropFrame
) -> dict[int, float]:
    """Area in crop pixels of every drawn slice, within the stack or not.

    A shape that the slice's edge cuts off is counted in the crop, where it goes on beyond the edge, as its drafts do.
    """
    places = {int(t): place for place, t in enumerate(frame.slices)}
    pixel = frame.step[0] * frame.step[1]
    return {
        t: float(np.count_nonzero(shapes[places[t]] > 0)) if t in places and _cut_off(mask) else mask.sum() / pixel
        for t, mask in drawn.items()
    }


def _cut_off(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _between(known: list[int], along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the way to the next known slice (0 or 1 beyond the last ones) and mm to the nearest."""
    share = np.empty(len(along), np.float32)
    nearest = np.abs(along[:, None] - along[None, known]).min(axis=1).astype(np.float32)
    for place in range(len(along)):
        before, after = bracket(known, place)
        if before is None or after is None:
            share[place] = 1.0 if before is None else 0.0
        else:
            share[place] = weight_between(before, after, place, along)
    return share, nearest


def _taper(shapes: Mapping[int, np.ndarray], absent: list[int], along: np.ndarray) -> np.ndarray:
    """How much (n,) to take off the signed distances on the way to slices where the muscle is absent.

    The muscle shrinks from its last drawn slice so that it ends where the expert says that it is gone: there the
    whole depth of the drawn shape has been taken off. Infinite where the muscle cannot be: on absent slices, and
    beyond those that no drawn slice follows.
    """
    taken = np.zeros(len(along), np.float32)
    drawn = np.array(sorted(shapes))
    for gone in absent:
        for nearest in (drawn[drawn < gone][-1:], drawn[drawn > gone][:1]):
            for side in nearest:
                low, high = sorted((int(side), gone))
                share = np.abs(along[low : high + 1] - along[side]) / max(abs(along[gone] - along[side]), 1e-6)
                depth = float(shapes[int(side)].max()) + 1
                taken[low : high + 1] = np.maximum(taken[low : high + 1], share * depth)
    for gone in absent:
        taken[gone if (drawn < gone).any() else 0 : gone + 1 if (drawn > gone).any() else len(along)] = np.inf
    return taken
