"""Clips for training: some neighbouring slices of one case, and what is known of each of their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from MusclePropLib.core.cohort.prepared import NOT_MUSCLE_BIT, PreparedCase

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class Clip:
    """Neighbouring slices of one case.

    `image` (slices, 1, rows, columns) float32; `masks` and `negatives` (slices, labels, rows, columns) bool; `known`
    (slices, labels), true where the label is drawn or absent. A label's masks and known slices are false, and its
    negatives those of the other segments, where it is unknown.
    """

    image: np.ndarray
    masks: np.ndarray
    negatives: np.ndarray
    known: np.ndarray

    def allowed(self, negatives: bool) -> np.ndarray:
        """(slices, 1 + labels, rows, columns): the classes that each pixel may have, background first.

        Without `negatives`, what was drawn of other segments says nothing of a label that is unknown on the slice.
        """
        unknown = ~self.known[:, :, None, None]
        foreground = self.masks | (
            unknown & ~self.negatives if negatives else np.broadcast_to(unknown, self.masks.shape)
        )
        return np.concatenate((~self.masks.any(1, keepdims=True), foreground), axis=1)


@dataclass(frozen=True)
class Sampler:
    """Random clips of `slices` slices about `spacing` mm apart, of cases of which part of the annotation is kept.

    `labels` are the classes; every other segment is negative evidence only. `kept` gives for each case the (labels,
    slices) that may be used. Everything random comes from the generator handed in.
    """

    cases: Sequence[PreparedCase]
    labels: tuple[str, ...]
    kept: Sequence[np.ndarray]
    slices: int
    spacing: float = 1.0
    augment: bool = True

    def draw(self, rng: np.random.Generator) -> Clip:
        """A clip around a slice on which anything was annotated before part of it was held back.

        So the clips are the same whatever share is kept, and comparisons of shares differ in nothing else.
        """
        index = int(rng.integers(len(self.cases)))
        case = self.cases[index]
        wanted = _around(int(rng.choice(np.flatnonzero(case.known.any(0)))), case, self, rng)
        if rng.random() < 0.5:
            wanted = wanted[::-1]
        image, bits = case.images[wanted].astype(np.float32), case.bits[wanted]
        if self.augment:
            image, bits = _augmented(image, bits, rng)
        return assemble(case, image, bits, self.kept[index][:, wanted], self.labels)


def _around(anchor: int, case: PreparedCase, sampler: Sampler, rng: np.random.Generator) -> np.ndarray:
    """Slices of a clip that holds `anchor`, inside the case; a case that is too short repeats its last slice."""
    step = case.step(sampler.spacing)
    first, last = anchor % step, len(case.images) - 1
    room = max(first, last - (last - first) % step - (sampler.slices - 1) * step)
    start = min(max(anchor - step * int(rng.integers(sampler.slices)), first), room)
    return (start + step * np.arange(sampler.slices)).clip(0, last)


def keep_share(case: PreparedCase, labels: tuple[str, ...], share: float, seed: int) -> np.ndarray:
    """(labels, slices): which known slices stay annotated, `share` of each label's, drawn at random.

    A smaller share is a subset of a larger one, and labels are thinned independently of each other.
    """
    known = np.zeros((len(labels), len(case.images)), bool)
    for row, label in enumerate(labels):
        slices = np.flatnonzero(case.knows(label))
        order = np.random.default_rng([seed, row, *case.case.name.encode()]).permutation(len(slices))
        count = max(1, round(share * len(slices))) if len(slices) else 0
        known[row, slices[order[:count]]] = True
    return known


def assemble(
    case: PreparedCase, image: np.ndarray, bits: np.ndarray, kept: np.ndarray, labels: tuple[str, ...]
) -> Clip:
    """A clip of frames `image` and `bits` (slices, rows, columns), of which `kept` (labels, slices) is known."""
    shape = (len(image), len(labels), *image.shape[1:])
    masks, negatives = np.zeros(shape, bool), np.zeros(shape, bool)
    usable = bits & ~_bits_of(case, labels)
    for row, label in enumerate(labels):
        if label in case.names:
            bit = np.uint16(1 << case.names.index(label))
            usable |= np.where(kept[row, :, None, None], bits & bit, 0).astype(np.uint16)
            masks[:, row] = usable & bit != 0
    for row, label in enumerate(labels):
        own = np.uint16(_bits_of(case, (label,)) | 1 << NOT_MUSCLE_BIT)
        for t in np.flatnonzero(~kept[row]):
            # Two contours of one border never agree exactly: the other muscle's outermost pixel proves nothing.
            others = cv2.erode(
                (usable[t] & ~own != 0).astype(np.uint8), _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0
            )
            negatives[t, row] = (others > 0) | (usable[t] >> np.uint16(NOT_MUSCLE_BIT) & 1 > 0)
    return Clip(image[:, None], masks, negatives, kept.T.copy())


def _bits_of(case: PreparedCase, labels: Sequence[str]) -> np.uint16:
    return np.uint16(sum(1 << case.names.index(label) for label in labels if label in case.names))


def _augmented(image: np.ndarray, bits: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turned, scaled and shifted alike on all slices, with another gain and contrast.

    Not mirrored: medial and lateral are told apart by the side they lie on.
    """
    rows, columns = image.shape[1:]
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), rng.uniform(-10, 10), rng.uniform(0.9, 1.1))
    matrix[:, 2] += rng.uniform(-0.06, 0.06, 2) * (columns, rows)
    gamma, gain, offset = np.exp(rng.normal(0, 0.2)), np.exp(rng.normal(0, 0.1)), rng.normal(0, 0.03)
    size = (columns, rows)
    turned = np.stack([cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_LINEAR) for frame in image])
    moved = np.stack([cv2.warpAffine(frame, matrix, size, flags=cv2.INTER_NEAREST) for frame in bits])
    return (gain * turned.clip(0, 1) ** gamma + offset).astype(np.float32), moved
