"""Random textures that live in the tissue: they are sampled at tissue coordinates, so they move with it."""

from __future__ import annotations

import cv2
import numpy as np

from .shapes import Pair, log_uniform, mixing


def noise_stack(rng: np.random.Generator, mix: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """White in the plane, correlated along the axis: float32 (slices, rows, columns), unit variance."""
    white = rng.standard_normal((mix.shape[1], rows * columns), dtype=np.float32)
    return (mix @ white).reshape(-1, rows, columns)


def sample(stack: np.ndarray, at: Pair, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Values of `stack` (slices, rows, columns[, channels]) at coordinates counted from its middle, mirrored beyond."""
    middle_y, middle_x = (stack.shape[1] - 1) / 2, (stack.shape[2] - 1) / 2
    return np.stack(
        [
            cv2.remap(s, x + middle_x, y + middle_y, interpolation, borderMode=cv2.BORDER_REFLECT_101)
            for s, y, x in zip(stack, *at, strict=True)
        ]
    )


def cloud(rng: np.random.Generator, mix: np.ndarray, at: Pair, grain: tuple[float, float], turn: float) -> np.ndarray:
    """Smooth noise of unit variance with `grain` pixels between independent values across and along `turn`."""
    size = at[0].shape[2]
    y, x = at
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    scaled = ((cos * y - sin * x) / grain[0], (sin * y + cos * x) / grain[1])
    lattice = noise_stack(rng, mix, *(int(1.5 * size / g) + 6 for g in grain))
    return sample(lattice, scaled, cv2.INTER_CUBIC)


def layer(rng: np.random.Generator, positions: np.ndarray, at: Pair, length: float) -> np.ndarray:
    """One random kind of tissue texture: clouds, streaks, blobs, vessels or sheets; about zero mean and unit size."""
    kind = rng.choice(["cloud", "streak", "blob", "vessel", "sheet"])
    fine = log_uniform(rng, 2.0, 14.0)
    stretch = log_uniform(rng, 1.0, 1.8) if kind in ("cloud", "blob", "vessel") else log_uniform(rng, 2.0, 7.0)
    noise = cloud(rng, mixing(positions, length), at, (fine, fine * stretch), rng.uniform(0, np.pi))
    if kind in ("cloud", "streak"):
        return noise
    if kind == "sheet":  # the zero level of smooth noise: connected curves that wander from slice to slice
        return 3.0 * np.exp(-((noise / rng.uniform(0.1, 0.3)) ** 2)) - 0.5
    edge = rng.uniform(0.8, 1.8) if kind == "vessel" else rng.uniform(-0.3, 0.8)
    return float(rng.choice([-2.0, 2.0])) / (1 + np.exp(np.clip((edge - noise) * rng.uniform(3, 12), -30, 30)))


def tissue(rng: np.random.Generator, positions: np.ndarray, at: Pair, layers: int, length: float) -> np.ndarray:
    """Sum of `layers` random layers of falling strength, float32 (slices, size, size)."""
    total = np.zeros(at[0].shape, np.float32)
    for order in range(layers):
        total += rng.uniform(0.3, 1.0) * 0.7**order * layer(rng, positions, at, length * rng.uniform(0.6, 1.5))
    return total
