"""Lessons for pretraining: hidden-slice tasks on an endless stream of simulated structures."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from MusclePropLib.core.guided.augment import augmented
from MusclePropLib.core.guided.inputs import CLIP_SLICES, Clip, make_clip, thinned
from MusclePropLib.core.guided.muscle import TELLING
from MusclePropLib.core.guided.subjects import random_structure
from MusclePropLib.core.phantom.structures import Structure
from MusclePropLib.core.priors import flow
from MusclePropLib.core.priors.distance import bracket, outline_distance, signed_distance
from MusclePropLib.core.priors.stack import BOTH, CARRIED, INTERPOLATED, MEAN, WALKED, MuscleStack, build_stack

FAIR_DRAFT, POOR_SHARE = 0.7, 0.2
"""Most drafts of real volumes are good; lessons with a poorer one are mostly left out, lest it learns to distrust."""

HABIT_SHARE, EDGE_SHARE = 0.5, 0.25

DRAFTS = (CARRIED, MEAN, INTERPOLATED)
DRAFT_SHARES = (0.5, 0.3, 0.2)

WALK_SHARE = 0.5
"""Of the lessons where grey levels tell the drawn borders well enough for a random walk, how many begin from one."""

GAPS, WAITING = 2, 16
"""Lessons from one structure, at most, and how many wait to be mixed with those of others."""


class Lessons(IterableDataset):
    """Clips without end, as the tensors of a `Clip`: the same for the same seed and number of workers."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        waiting: list[Clip] = []
        while True:
            for clip in simulated_clips(rng):
                if _draft_dice(clip) > FAIR_DRAFT or rng.random() < POOR_SHARE:
                    waiting.append(clip)
            while len(waiting) > WAITING:
                clip = waiting.pop(int(rng.integers(len(waiting))))
                yield tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in vars(clip).values())


def simulated_clips(rng: np.random.Generator) -> list[Clip]:
    """Lessons from one structure, each on another gap; none where the random annotation pattern left nothing to learn.

    A structure and its flow take longer to make than a lesson to learn, hence more than one from each.
    """
    structure = _drawn_by_habit(rng, _cut_off(rng, random_structure(rng)))
    count = len(structure.mask)
    drawn, absent = _annotation_pattern(rng, structure)
    if drawn is None:
        return []
    positions = np.arange(count) * np.exp(rng.uniform(np.log(0.5), np.log(6)))
    stack = build_stack(structure.image, positions, (1.0, 1.0), drawn, absent, np.arange(count))
    others = _others(rng, structure, stack)
    gaps = [_clip_places(rng, sorted([*drawn, *absent]), count) for _ in range(GAPS)]
    different = {places.tobytes(): places for places in gaps if places is not None}
    return [augmented(rng, _lesson(rng, structure, stack, places, others)) for places in different.values()]


def _lesson(
    rng: np.random.Generator, structure: Structure, stack: MuscleStack, places: np.ndarray, others: np.ndarray | None
) -> Clip:
    clip = make_clip(stack, places, _draft(rng, stack), others)
    clip.target = np.stack([stack.frame.sample(structure.mask[p], p) for p in places])
    unknown = np.array([p not in stack.known for p in places], np.float32)
    clip.counts = np.broadcast_to(unknown[:, None, None], clip.target.shape)
    return clip


def _draft(rng: np.random.Generator, stack: MuscleStack) -> str:
    """Which draft is to be corrected: now and then a random walk, where a tool would take it to be of use."""
    if stack.plainness > TELLING and rng.random() < WALK_SHARE:
        if WALKED not in stack.drafts:
            stack.add_walk()
        return WALKED if rng.random() < 0.5 else BOTH
    return str(rng.choice(DRAFTS, p=DRAFT_SHARES))


def _drawn_by_habit(rng: np.random.Generator, structure: Structure) -> Structure:
    """Sometimes the same structure outlined otherwise: a constant way inside, outside or beside the visible border.

    Experts differ in which edge they follow, and a mask may come from another modality. Only the drawn slices tell;
    what the network must learn is to keep their relation to the image, not to snap to the strongest edge.
    """
    if rng.random() > HABIT_SHARE:
        return structure
    extent = np.sqrt(np.count_nonzero(structure.mask, axis=(1, 2)).max())
    shift = rng.normal(0, 0.07 * extent, 2)
    grow = float(np.clip(rng.normal(0, 0.06 * extent), -0.12 * extent, 0.12 * extent))
    mask = np.zeros_like(structure.mask)
    matrix = np.array([[1, 0, shift[1]], [0, 1, shift[0]]])
    size = mask.shape[:0:-1]
    for t in np.flatnonzero(structure.mask.any(axis=(1, 2))):
        distance = outline_distance(structure.mask[t])
        mask[t] = cv2.warpAffine(distance, matrix, size, borderMode=cv2.BORDER_REPLICATE) > -grow
    return Structure(structure.image, mask, structure.others & ~mask)


def _cut_off(rng: np.random.Generator, structure: Structure) -> Structure:
    """Sometimes the same structure seen by a probe too narrow for it: up to half of its width lies off the image."""
    if rng.random() > EDGE_SHARE:
        return structure
    axis = int(rng.integers(1, 3))
    held = np.flatnonzero(structure.mask.any(axis=(0, 3 - axis)))
    first, last = int(held[0]), int(held[-1])
    lost = int(rng.uniform(0, 0.5) * (last - first))
    kept = slice(first + lost, None) if rng.random() < 0.5 else slice(0, last + 1 - lost)
    view = (slice(None), kept) if axis == 1 else (slice(None), slice(None), kept)
    return Structure(structure.image[view], structure.mask[view], structure.others[(slice(None), *view)])


def _annotation_pattern(
    rng: np.random.Generator, structure: Structure
) -> tuple[dict[int, np.ndarray] | None, frozenset[int]]:
    """Two to six drawn slices (rarely one), and now and then empty ones that the expert called absent."""
    filled = structure.mask.any(axis=(1, 2))
    present = np.flatnonzero(filled)
    count = int(rng.choice([1, 2, 3, 4, 6], p=[0.03, 0.2, 0.25, 0.27, 0.25]))
    if len(present) < 8:
        return None, frozenset()
    ends = [present[0], present[-1]] if rng.random() < 0.5 and count > 1 else []
    inner = rng.choice(present, size=count - len(ends), replace=False)
    drawn = {int(t): structure.mask[t] for t in [*ends, *inner]}
    empty = np.flatnonzero(~filled)
    gone = rng.choice(empty, size=1) if len(empty) and rng.random() < 0.3 else []
    return drawn, frozenset(int(t) for t in gone)


def _draft_dice(clip: Clip) -> float:
    """Dice of the draft on the unknown slices that hold the structure: one that goes on beyond its end may be good."""
    counted = (clip.counts > 0) & (clip.target > 0.5).any(axis=(1, 2), keepdims=True)
    draft, truth = ((plane > level) & counted for plane, level in ((clip.draft, 0), (clip.target, 0.5)))
    return 2 * float((draft & truth).sum()) / max(float(draft.sum() + truth.sum()), 1.0)


def _clip_places(rng: np.random.Generator, known: list[int], count: int) -> np.ndarray | None:
    """A gap between known slices, or from the last one to the end, that holds a random unknown slice."""
    unknown = np.setdiff1d(np.arange(count), known)
    if not len(unknown):
        return None
    before, after = bracket(known, int(rng.choice(unknown)))
    first = 0 if before is None else before
    last = count - 1 if after is None else after
    return thinned(first, last, CLIP_SLICES)


def _others(rng: np.random.Generator, structure: Structure, stack: MuscleStack) -> np.ndarray | None:
    """The neighbours as another muscle's prior would show them: carried from a few slices; or not annotated at all."""
    if not len(structure.others) or rng.random() < 0.3:
        return None
    union = structure.others[: rng.integers(1, len(structure.others) + 1)].any(axis=0)
    present = np.flatnonzero(union.any(axis=(1, 2)))
    if len(present) < 2:
        return None
    known = rng.choice(present, size=min(len(present), int(rng.integers(2, 5))), replace=False)
    fields = {int(t): signed_distance(union[t], stack.frame, int(t)) for t in known}
    ways = flow.carried_both_ways(fields, len(stack.slices), flow.neighbour_flows(stack.images, stack.finest))
    return (ways[0] + ways[1]) / 2
