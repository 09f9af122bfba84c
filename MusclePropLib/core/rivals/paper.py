"""The paper's network trained from scratch on the drawn slices of this one volume.

Gonzalez Duque et al. 2020 train it on a cohort; this is what it is worth to somebody who has a single recording. All of
it is the cohort training's: network, clips, augmentation, partial-label likelihood and alternate steps, for a bounded
number of steps instead of until a validation set says stop, since one volume leaves none.
"""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import torch

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.cohort.cases import Case
from MusclePropLib.core.cohort.clips import Sampler
from MusclePropLib.core.cohort.evaluation import predict
from MusclePropLib.core.cohort.frames import FrameGrid
from MusclePropLib.core.cohort.objective import cohort_loss, make_batch
from MusclePropLib.core.cohort.prepared import PreparedCase
from MusclePropLib.core.cohort.settings import FitSettings
from MusclePropLib.core.device import choose_device
from MusclePropLib.core.network import Network
from MusclePropLib.core.training import AlternateTrainer, Rates, build_network
from MusclePropLib.core.volumes import Volume

LARGEST = (128, 160)
"""Rows and columns that a frame has at most on the working grid, those of the cohort training."""


def run(
    volume: Volume, annotations: Annotations, steps: int = 150, seconds: float = 900.0, **settings: object
) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle, after at most `steps` steps or `seconds` of processor time.

    `settings` are those of the cohort training, `core.cohort.settings.FitSettings`.
    """
    fit, device = FitSettings(**settings), choose_device()
    case = _prepared(volume, annotations)
    network = build_network(lambda: Network(fit.network(1 + len(case.names))), fit.seed).to(device)
    trainer = AlternateTrainer(network, Rates(fit.learning_rate, fit.reconstruction))
    sampler = Sampler([case], case.names, [case.known], fit.slices, fit.spacing, fit.augment)
    began = time.process_time()
    for step in range(steps):
        batch = make_batch([sampler.draw(np.random.default_rng([fit.seed, step]))], fit.negatives, device)
        trainer.step(batch.image, lambda logits, batch=batch: cohort_loss(logits, batch, fit.negatives))
        if time.process_time() - began > seconds:
            break
    with torch.no_grad():
        labels = predict(network, case.images, fit.slices, case.step(fit.spacing))
    return [_at_full_size(labels == value, annotations.shape) for value in range(1, len(case.names) + 1)]


def _prepared(volume: Volume, annotations: Annotations) -> PreparedCase:
    """The volume and what is drawn of it as the cohort training has its cases, but in memory."""
    pixel, muscles = volume.geometry.spacing[1:], annotations.muscles
    extent = [count * size for count, size in zip(volume.array.shape[1:], pixel, strict=True)]
    spacing = max(*(length / most for length, most in zip(extent, LARGEST, strict=True)), *pixel)
    grid = FrameGrid(spacing, *(max(1, round(length / spacing)) for length in extent))
    low, high = np.percentile(volume.array[::4, ::2, ::2], (0.5, 99.5))
    images = np.stack(
        [grid.image(((f.astype(np.float32) - low) / max(high - low, 1e-6)).clip(0, 1), pixel) for f in volume.array]
    )
    bits = np.zeros(images.shape, np.uint16)
    known = np.zeros((len(muscles), len(images)), bool)
    for index, muscle in enumerate(muscles):
        known[index, [*muscle.drawn, *muscle.absent]] = True
        for t, mask in muscle.drawn.items():
            bits[t] |= grid.mask(mask, pixel).astype(np.uint16) << np.uint16(index)
    case = Case("volume", "volume", Path(), Path())
    names = tuple(muscle.name for muscle in muscles)
    return PreparedCase(case, names, images.astype(np.float16), bits, known, np.asarray(volume.slice_positions()))


def _at_full_size(mask: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    resized = (cv2.resize(plane.astype(np.float32), shape[:0:-1], interpolation=cv2.INTER_LINEAR) for plane in mask)
    return np.stack(list(resized)) > 0.5
