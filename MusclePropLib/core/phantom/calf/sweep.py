"""How the probe was moved: the pose of each frame, its pressure and contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.phantom.calf.wobble import Wobble

_DRIFT = (80.0, 260.0)  # mm; wavelengths of the hand's slow wandering
_GEL = 6.0  # mm between the picture's upper edge and the skin
_NO_CONTACT = 40.0  # dB


@dataclass(frozen=True)
class Sweep:
    """Per frame (N,): level, lateral and depth offset in mm, tilt in rad, pressure as the strain at the skin.

    `contact` (N, 2): left and right end of the probe's contact as shares of the leg's half-width; `slant` (N, 2): how
    far they move aside with every mm of depth.
    """

    z: np.ndarray
    lateral: np.ndarray
    depth: np.ndarray
    tilt: np.ndarray
    pressure: np.ndarray
    contact: np.ndarray
    slant: np.ndarray

    def frame(
        self, index: int, shape: tuple[int, int], spacing: tuple[float, float], reach: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lateral position and depth in the leg (mm) of a frame's pixels, and their loss beside the contact (dB).

        All are (rows, columns); `reach` is the leg's half-width in mm there.
        """
        down = np.arange(shape[0], dtype=np.float32)[:, None] * np.float32(spacing[0])
        across = (np.arange(shape[1], dtype=np.float32) - (shape[1] - 1) / 2)[None, :] * np.float32(spacing[1])
        cosine, sine = np.float32(np.cos(self.tilt[index])), np.float32(np.sin(self.tilt[index]))
        pivot = down[-1, 0] / 3
        u = cosine * across + sine * (down - pivot) + np.float32(self.lateral[index])
        v = cosine * (down - pivot) - sine * across + pivot + np.float32(self.depth[index])
        left, right = (np.float32(reach * self.contact[index, s]) + self.slant[index, s] * down for s in (0, 1))
        missed = _NO_CONTACT * np.clip(np.maximum(left - across, across - right) / 4.0, 0, 1)
        return u, v, missed.astype(np.float32)


def draw_sweep(rng: np.random.Generator, frames: int, start: float, spacing: float) -> Sweep:
    """A hand-held sweep of `frames` nominally `spacing` mm apart from level `start`.

    Slow drift is a function of millimetres, so sweeps of fewer slices drift as far; jitter is drawn frame by frame.
    """
    nominal = start + spacing * np.arange(frames)

    def course(drift: float, jitter: float) -> np.ndarray:
        return drift * Wobble(rng, _DRIFT)(nominal) + jitter * np.clip(rng.standard_normal(frames), -2.5, 2.5)

    return Sweep(
        z=nominal + course(0.0, 0.2),
        lateral=course(2.0, 0.25),
        depth=course(0.7, 0.12) - _GEL,
        tilt=np.deg2rad(course(1.5, 0.25)),
        pressure=np.clip(0.18 + course(0.06, 0.02), 0.02, 0.4),
        contact=np.stack([course(0.03, 0.005) - 0.98, course(0.03, 0.005) + 0.98], axis=1),
        slant=np.stack([course(0.05, 0.0), course(0.05, 0.0)], axis=1),
    )
