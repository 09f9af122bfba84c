"""The paper's network trained from scratch on the drawn slices of this one volume.

Gonzalez Duque et al. 2020 train it on a cohort; this is what it is worth to somebody who has a single recording. All
of it is the cohort training's: network, clips, augmentation, partial-label likelihood, alternate steps and the running
mean of the weights, for a bounded number of steps instead of until a validation set says stop, since one volume leaves
none. One thing differs, in its favour on one volume: clips lie around drawn slices, for of clips around the many where
a muscle is absent it learns to find nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

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
    volume: Volume,
    annotations: Annotations,
    steps: int = 600,
    seconds: float = 900.0,
    base_maps: int = 8,
    **settings: object,
) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle, after at most `steps` steps or `seconds` of processor time.

    Half the maps of the cohort training on the first level: in equal time three muscles are learned better with them.
    `settings` are those of the cohort training, `core.cohort.settings.FitSettings`.
    """
    fit, device = FitSettings(base_maps=base_maps, **settings), choose_device()
    case = _prepared(volume, annotations)
    network = build_network(lambda: Network(fit.network(1 + len(case.names))), fit.seed).to(device)
    trainer = AlternateTrainer(network, Rates(fit.learning_rate, fit.reconstruction))
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(fit.averaging))
    around_drawn = replace(case, known=_drawn(annotations))
    sampler = Sampler([around_drawn], case.names, [case.known], fit.slices, fit.spacing, fit.augment)
    began = time.process_time()
    for step in range(steps):
        batch = make_batch([sampler.draw(np.random.default_rng([fit.seed, step]))], fit.negatives, device)
        trainer.step(batch.image, lambda logits, batch=batch: cohort_loss(logits, batch, fit.negatives))
        average.update_parameters(network)
        if time.process_time() - began > seconds:
            break
    with torch.no_grad():
        labels = predict(average.module, case.images, fit.slices, case.step(fit.spacing))
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
    known = _drawn(annotations)
    for index, muscle in enumerate(muscles):
        known[index, list(muscle.absent)] = True
        for t, mask in muscle.drawn.items():
            bits[t] |= grid.mask(mask, pixel).astype(np.uint16) << np.uint16(index)
    case = Case("volume", "volume", Path(), Path())
    names = tuple(muscle.name for muscle in muscles)
    return PreparedCase(case, names, images.astype(np.float16), bits, known, np.asarray(volume.slice_positions()))


def _drawn(annotations: Annotations) -> np.ndarray:
    """(muscles, slices), true where that muscle is drawn."""
    drawn = np.zeros((len(annotations.muscles), annotations.shape[0]), bool)
    for index, muscle in enumerate(annotations.muscles):
        drawn[index, list(muscle.drawn)] = True
    return drawn


def _at_full_size(mask: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    resized = (cv2.resize(plane.astype(np.float32), shape[:0:-1], interpolation=cv2.INTER_LINEAR) for plane in mask)
    return np.stack(list(resized)) > 0.5
