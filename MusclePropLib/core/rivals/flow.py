"""Masks carried from the known slices on either side by dense optical flow, and blended by distance.

DIS flow (Kroeger et al. 2016, in OpenCV) between neighbouring slices on the full frame. Coordinates are chained, so a
mask is resampled once however far it travels. `carry="masks"` warps the mask and takes signed distances on the
target slice; `carry="distances"` warps the drawn mask's signed distances, which are smoother but no longer distances
after a stretch.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.rivals.gaps import Gap, blend, gaps, known_masks, signed_distance
from MusclePropLib.core.volumes import Volume

KEPT_BYTES = 2 << 30


def run(volume: Volume, annotations: Annotations, carry: str = "masks") -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle. Beyond the outermost known slices masks are carried on.

    Raises InputError unless `carry` is "masks" or "distances".
    """
    if carry not in ("masks", "distances"):
        raise InputError(f"flow carries masks or distances, not '{carry}'")
    frames = _to_bytes(volume.array)
    carrier = _Carrier(frames, volume.geometry.spacing[1:], carry)
    results = [np.zeros(annotations.shape, bool) for _ in annotations.muscles]
    for muscle, result in enumerate(results):
        known = known_masks(annotations, muscle)
        for gap in gaps(list(known), len(result)):
            carrier.fill(result, known, gap)
    return results


class _Carrier:
    """Carries masks by the flow between neighbouring frames, which muscles share as far as memory allows."""

    def __init__(self, frames: np.ndarray, pixel: tuple[float, float], carry: str) -> None:
        self._frames, self._pixel, self._distances = frames, pixel, carry == "distances"
        self._engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flows: dict[tuple[int, int], np.ndarray] = {}
        rows, columns = frames.shape[1:]
        self._grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(np.float32)

    def fill(self, result: np.ndarray, known: dict[int, np.ndarray], gap: Gap) -> None:
        """Set the slices of one gap."""
        slices = range(gap.first, gap.last + 1)
        forward = self._carried(known, gap.before, slices)
        backward = self._carried(known, gap.after, slices[::-1])
        for t in slices:
            result[t] = blend(forward.get(t), backward.get(t), gap.share(t))

    def _carried(self, known: dict[int, np.ndarray], start: int | None, slices: range) -> dict[int, np.ndarray]:
        """Signed distances of the mask of `start` on each of `slices`, which lead away from it; empty ones left out."""
        if start is None or not known[start].any():
            return {}
        source = signed_distance(known[start], self._pixel) if self._distances else known[start].astype(np.float32)
        border = cv2.BORDER_REPLICATE if self._distances else cv2.BORDER_CONSTANT
        carried = {}
        for t, where in zip(slices, self._coordinates(start, slices), strict=True):
            moved = cv2.remap(source, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=border)
            field = moved if self._distances else signed_distance(moved > 0.5, self._pixel)
            if field is not None:
                carried[t] = field
        return carried

    def _coordinates(self, start: int, slices: range) -> Iterator[np.ndarray]:
        """For each of `slices`, where its pixels lie on `start`: (rows, columns, 2) in (x, y)."""
        where, previous = self._grid, start
        for t in slices:
            onto = self._grid + self._flow(t, previous)
            where = cv2.remap(where, onto[..., 0], onto[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            yield where
            previous = t

    def _flow(self, here: int, there: int) -> np.ndarray:
        if (here, there) in self._flows:
            return self._flows[here, there]
        flow = self._engine.calc(self._frames[here], self._frames[there], None)
        if flow.nbytes * len(self._flows) < KEPT_BYTES:
            self._flows[here, there] = flow
        return flow


def _to_bytes(array: np.ndarray) -> np.ndarray:
    """The stack as uint8, one contrast window for all: a window per slice would itself look like motion."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    low, high = float(array.min()), float(array.max())
    return ((array.astype(np.float32) - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)
