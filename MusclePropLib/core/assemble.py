"""From fields in crop windows to one label map on the volume's grid, with the expert's slices exactly as drawn."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.priors.frame import CropFrame

TOGETHER = 16
"""Slices that one thread puts together, one after the other in the same memory."""


@dataclass(frozen=True)
class Placed:
    """One muscle's logits (n, SIZE, SIZE) in the windows of a frame; `valid` (n,) where it may appear at all."""

    frame: CropFrame
    logits: np.ndarray
    valid: np.ndarray


def assemble(placed: Sequence[Placed], annotations: Annotations, positions: np.ndarray, step: int = 1) -> np.ndarray:
    """Labels uint8 (slices, rows, columns), muscle i as i + 1; every `step`-th row and column only.

    The muscles meet in a softmax with a background of logit zero, so the largest positive logit has the voxel. What
    is known overrules it: masks as drawn, nothing where a muscle is absent, nobody else inside a drawn mask.
    """
    slices, rows, columns = annotations.shape
    labels = np.zeros((slices, -(-rows // step), -(-columns // step)), np.uint8)
    frames = [_strided(p.frame, step) for p in placed]

    def fill(several: range) -> None:
        best = np.empty(labels.shape[1:], np.float32)
        for t in several:
            best.fill(0)
            for index, (part, frame) in enumerate(zip(placed, frames, strict=True)):
                muscle = annotations.muscles[index]
                if t in muscle.drawn or t in muscle.absent:
                    continue
                found = _field_on(part, frame, t, positions)
                if found is not None:
                    _claim(labels[t], best, index + 1, *found, labels.shape[1:])
            _apply_known(labels[t], annotations, t, step)

    with ThreadPoolExecutor() as pool:
        list(pool.map(fill, (range(t, min(t + TOGETHER, slices)) for t in range(0, slices, TOGETHER))))
    return labels


def _field_on(part: Placed, frame: CropFrame, t: int, positions: np.ndarray) -> tuple[np.ndarray, CropFrame] | None:
    """The muscle's logits on a slice with the window that they belong to; interpolated on slices that were skipped."""
    after = int(np.searchsorted(frame.slices, t))
    if after < len(frame.slices) and frame.slices[after] == t:
        if not part.valid[after]:
            return None
        return part.logits[after], CropFrame(
            frame.slices[after : after + 1], frame.centres[after : after + 1], frame.step
        )
    if after == 0 or after == len(frame.slices) or not (part.valid[after - 1] and part.valid[after]):
        return None
    low, high = positions[frame.slices[after - 1]], positions[frame.slices[after]]
    # A probe that rests trembles: slices between the two may lie before or behind both.
    share = float(np.clip((positions[t] - low) / (high - low), 0, 1)) if high != low else 0.5
    logits = (1 - share) * part.logits[after - 1] + share * part.logits[after]
    centre = (1 - share) * frame.centres[after - 1] + share * frame.centres[after]
    return logits, CropFrame(np.array([t]), centre[None], frame.step)


def _claim(
    plane: np.ndarray, best: np.ndarray, label: int, logits: np.ndarray, window: CropFrame, shape: tuple[int, int]
) -> None:
    values, where = window.paste(logits, 0, shape, positive=True)
    ahead = values > best[where]
    np.copyto(best[where], values, where=ahead)
    np.copyto(plane[where], label, where=ahead)


def _apply_known(plane: np.ndarray, annotations: Annotations, t: int, step: int) -> None:
    explicit = annotations.not_muscle.get(t)
    if explicit is not None:
        plane[explicit[::step, ::step]] = 0
    for index, muscle in enumerate(annotations.muscles):
        mask = muscle.drawn.get(t)
        if mask is not None:
            plane[mask[::step, ::step]] = index + 1


def _strided(frame: CropFrame, step: int) -> CropFrame:
    return CropFrame(frame.slices, frame.centres / step, (frame.step[0] / step, frame.step[1] / step))
