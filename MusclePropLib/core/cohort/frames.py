"""The working grid: every frame of a cohort at one pixel size, padded or cropped to one size, never squashed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class FrameGrid:
    """Square pixels of `spacing` mm, `rows` x `columns` of them, about the middle of the frame."""

    spacing: float = 0.8
    rows: int = 128
    columns: int = 160

    def image(self, frame: np.ndarray, pixel: tuple[float, float]) -> np.ndarray:
        """A frame (rows, columns) of `pixel` mm as float32 on this grid; zero where there was no picture."""
        return _centred(_resized(frame.astype(np.float32), self._scaled(frame, pixel)), (self.rows, self.columns))

    def mask(self, mask: np.ndarray, pixel: tuple[float, float]) -> np.ndarray:
        """A bool mask on this grid: pixels of which the mask covers at least half."""
        covered = _resized(mask.astype(np.float32), self._scaled(mask, pixel))
        return _centred(covered, (self.rows, self.columns)) >= 0.5

    def _scaled(self, frame: np.ndarray, pixel: tuple[float, float]) -> tuple[int, int]:
        return tuple(max(1, round(n * size / self.spacing)) for n, size in zip(frame.shape, pixel, strict=True))


def _resized(frame: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Averages over areas when shrinking, so that speckle does not alias; linear when enlarging."""
    if frame.shape == shape:
        return frame
    shrinks = shape[0] * shape[1] < frame.size
    return cv2.resize(frame, shape[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _centred(frame: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    result = np.zeros(shape, frame.dtype)
    source, target = zip(*(_overlap(n, wanted) for n, wanted in zip(frame.shape, shape, strict=True)), strict=True)
    result[target] = frame[source]
    return result


def _overlap(length: int, wanted: int) -> tuple[slice, slice]:
    """Where the middle `wanted` of `length` lie, in the source and in the target."""
    count = min(length, wanted)
    there, here = (length - count) // 2, (wanted - count) // 2
    return slice(there, there + count), slice(here, here + count)
