"""What a trained network makes of volumes on which nothing is annotated, and how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from MusclePropLib.core.cohort.prepared import PreparedCase
from MusclePropLib.core.device import autocast, inference_dtype
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.metrics import Scores, score
from MusclePropLib.core.network import Network


@torch.inference_mode()
def predict(network: Network, images: np.ndarray, slices: int, step: int = 1) -> np.ndarray:
    """Classes (slices, rows, columns) uint8 of a stack of frames, of which only a clip at a time is in memory.

    Clips are `slices` slices, `step` apart, as in training; each slice is taken from the clip in whose middle it lies.
    """
    device = next(network.parameters()).device
    network.eval()
    labels = np.zeros(images.shape, np.uint8)
    for wanted, keep in _windows(len(images), slices, step):
        clip = torch.from_numpy(images[wanted].astype(np.float32)[:, None]).to(device)
        with autocast(device, inference_dtype(device)):
            logits = network(clip).logits
        labels[wanted[keep]] = logits[keep].argmax(1).to(torch.uint8).cpu().numpy()
    return labels


def known_dice(prediction: np.ndarray, case: PreparedCase, labels: Sequence[str]) -> dict[str, float]:
    """3D Dice of each label over the slices on which it is known; labels unknown everywhere are left out."""
    scores = {}
    for value, label in enumerate(labels, 1):
        known = case.knows(label)
        if known.any():
            found, truth = prediction[known] == value, case.mask(label)[known]
            total = int(found.sum()) + int(truth.sum())
            scores[label] = 2 * int((found & truth).sum()) / total if total else 1.0
    return scores


def mean_dice(scores: Sequence[dict[str, float]], labels: Sequence[str]) -> dict:
    """`dice`, the mean over the labels of each one's mean over the cases, and these as `dice LABEL` ("" if unknown).

    At least one of the labels must be known in at least one case.
    """
    means: dict[str, float | str] = {}
    for label in labels:
        values = [score[label] for score in scores if label in score]
        means[f"dice {label}"] = sum(values) / len(values) if values else ""
    seen = [value for value in means.values() if value != ""]
    return {"dice": sum(seen) / len(seen), **means}


def full_scores(prediction: np.ndarray, case: PreparedCase, labels: Sequence[str], spacing: float) -> dict[str, Scores]:
    """All metrics of each label on the working grid of `spacing` mm; slices on which it is unknown do not count."""
    apart = float(np.median(np.abs(np.diff(case.positions))))
    geometry = Geometry.from_spacing(prediction.shape, (apart, spacing, spacing))
    scores = {}
    for value, label in enumerate(labels, 1):
        known = case.knows(label)
        if known.any():
            unknown = np.flatnonzero(~known)
            scores[label] = score(prediction == value, case.mask(label), geometry, unknown, case.positions)
    return scores


def _windows(count: int, slices: int, step: int) -> Iterator[tuple[np.ndarray, slice]]:
    """Overlapping clips that cover all slices: indices of each, and which part of it to keep."""
    for offset in range(min(step, count)):
        track = np.arange(offset, count, step)
        length, done = min(slices, len(track)), 0
        stride = max(1, length // 2)
        for start in [*range(0, len(track) - length, stride), len(track) - length]:
            last = start + length == len(track)
            end = length if last else (length + stride) // 2
            yield track[start : start + length], slice(done - start, end)
            done = start + end
