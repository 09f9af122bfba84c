"""How the probe was moved: the path of each frame, its tilt, pressure and contact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.phantom.calf.wobble import Wobble

_DRIFT = (80.0, 260.0)  # mm; wavelengths of the hand's slow wandering


@dataclass(frozen=True)
class Sweep:
    """Per frame (N,): level, lateral and depth offset in mm, tilt in rad, pressure as the strain at the skin.

    `contact` (N, 2): left and right end of the probe's contact as shares of the leg's half-width;
    `slant` (N, 2): how far they move aside with every mm of depth.
    """

    z: np.ndarray
    lateral: np.ndarray
    depth: np.ndarray
    tilt: np.ndarray
    pressure: np.ndarray
    contact: np.ndarray
    slant: np.ndarray


def draw_sweep(rng: np.random.Generator, frames: int, start: float, spacing: float, top: float) -> Sweep:
    """A hand-held sweep of `frames` nominally `spacing` mm apart, the skin about `top` mm below the upper edge.

    Slow drift is a function of millimetres, so sweeps of fewer slices drift as far; jitter is drawn frame by frame.
    """
    nominal = start + spacing * np.arange(frames)

    def course(drift: float, jitter: float) -> np.ndarray:
        return drift * Wobble(rng, _DRIFT)(nominal) + jitter * np.clip(rng.standard_normal(frames), -2.5, 2.5)

    return Sweep(
        z=nominal + course(0.0, 0.2),
        lateral=course(2.0, 0.25),
        depth=course(0.7, 0.12) - top,
        tilt=np.deg2rad(course(1.5, 0.25)),
        pressure=np.clip(0.18 + course(0.06, 0.02), 0.02, 0.4),
        contact=np.stack([course(0.04, 0.005) - 0.96, course(0.04, 0.005) + 0.96], axis=1),
        slant=np.stack([course(0.05, 0.0), course(0.05, 0.0)], axis=1),
    )
