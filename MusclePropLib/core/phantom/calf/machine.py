"""The scanner: from echoes to grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.phantom.calf.speckle import Beam, average_looks, envelope, log_compress
from MusclePropLib.core.phantom.calf.tissue import Echoes

_NOISE_GAIN = 0.2  # dB/mm; the time gain lifts the noise with depth


@dataclass(frozen=True)
class Machine:
    """Settings: beam and averaging of the detected picture (mm); gain, dynamic range and noise at the top (dB);
    `loss` (dB/mm) is what deep tissue loses although the time gain is turned up."""

    beam: Beam
    looks: tuple[float, float]
    gain: float
    dynamic_range: float
    loss: float
    noise: float

    def picture(
        self,
        seen: Echoes,
        scatterers: np.ndarray,
        missed: np.ndarray,
        spacing: tuple[float, float],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Grey levels uint8 (rows, columns) from complex `scatterers`; `missed` is the loss in dB without contact."""
        depth = np.arange(len(missed), dtype=np.float32)[:, None] * np.float32(spacing[0])
        through = _amplitude(-(seen.loss + self.loss * depth**2 / (depth + 30.0) + missed))
        noise = _amplitude(self.noise + _NOISE_GAIN * depth) * rng.standard_normal(missed.shape, dtype=np.float32)
        field = scatterers * (_amplitude(seen.scatter) * through) + (seen.sheet * through + noise)
        detected = average_looks(envelope(field, self.beam, spacing), self.looks, spacing)
        return log_compress(detected, self.gain, self.dynamic_range)


def draw_machine(rng: np.random.Generator) -> Machine:
    """Random settings; the beam and the averaging were fitted to real frames by Testing/benchmarks."""
    beam = Beam(*(width * rng.uniform(0.85, 1.2) for width in (0.14, 0.38, 2.0)))
    return Machine(
        beam=beam,
        looks=(0.2 * rng.uniform(0.85, 1.2), 0.42 * rng.uniform(0.85, 1.2)),
        gain=rng.normal(-20.0, 2.0),
        dynamic_range=rng.uniform(52, 62),
        loss=rng.uniform(0.42, 0.55),
        noise=rng.uniform(-60, -54),
    )


def _amplitude(decibel: np.ndarray) -> np.ndarray:
    return np.exp(np.float32(np.log(10) / 20) * decibel)
