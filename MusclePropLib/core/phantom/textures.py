"""Random textures that live in the tissue: they are sampled at tissue coordinates, so they move with it."""

from __future__ import annotations

import cv2
import numpy as np

from .motion import Pair, log_uniform, mixing, white_noise


def noise_stack(rng: np.random.Generator, mix: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """White in the plane, correlated along the axis: float32 (slices, rows, columns), unit variance."""
    return (mix @ white_noise(rng, mix.shape[1], rows * columns)).reshape(-1, rows, columns)


def sample(stack: np.ndarray, at: Pair, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Values of `stack` (slices, rows, columns[, channels]) at coordinates counted from its middle, mirrored beyond."""
    y, x = (a + np.float32((extent - 1) / 2) for a, extent in zip(at, stack.shape[1:3], strict=True))
    border = cv2.BORDER_REFLECT_101
    return np.stack([cv2.remap(s, x[i], y[i], interpolation, borderMode=border) for i, s in enumerate(stack)])


def blur(stack: np.ndarray, sigma_y: float, sigma_x: float) -> np.ndarray:
    """Every slice of `stack` (slices, rows, columns[, channels]) blurred in the plane, sigmas in pixels."""
    return np.stack([cv2.GaussianBlur(s, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y) for s in stack])


def cloud(rng: np.random.Generator, mix: np.ndarray, at: Pair, grain: tuple[float, float], turn: float) -> np.ndarray:
    """Smooth noise of about unit variance, `grain` pixels between independent values across and along `turn`."""
    (y, x), size = at, at[0].shape[2]
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    across, along = (cos * y - sin * x) / grain[0], (sin * y + cos * x) / grain[1]
    lattice = noise_stack(rng, mix, *(int(1.5 * size / g) + 6 for g in grain))
    return sample(lattice, (across, along), cv2.INTER_CUBIC)


def layer(rng: np.random.Generator, positions: np.ndarray, at: Pair, length: float) -> np.ndarray:
    """One random kind of tissue texture: clouds, streaks, blobs, vessels or sheets; about unit size."""
    kind = rng.choice(["cloud", "streak", "streak", "blob", "vessel", "sheet"])
    fine = log_uniform(rng, 5.0 if kind == "sheet" else 2.0, 14.0)
    stretch = log_uniform(rng, 2.0, 7.0) if kind in ("streak", "sheet") else log_uniform(rng, 1.0, 1.8)
    turn = rng.normal(0, 0.3) if rng.random() < 0.4 else rng.uniform(0, np.pi)  # tissue often lies along the skin
    noise = cloud(rng, mixing(positions, length), at, (fine, fine * stretch), turn)
    if kind in ("cloud", "streak"):
        return noise
    if kind == "sheet":  # the zero level of smooth noise: connected curves that wander from slice to slice
        return 3.0 * np.exp(-np.square(noise / rng.uniform(0.15, 0.35))) - 0.5
    edge = rng.uniform(0.8, 1.8) if kind == "vessel" else rng.uniform(-0.3, 0.8)
    height = 2.0 if rng.random() < 0.5 else -2.0
    return height / (1 + np.exp(np.clip((edge - noise) * rng.uniform(3, 12), -30, 30)))


def tissue(rng: np.random.Generator, positions: np.ndarray, at: Pair, layers: int, length: float) -> np.ndarray:
    """Sum of `layers` random layers of falling strength, float32 (slices, size, size)."""
    total = np.zeros(at[0].shape, np.float32)
    for order in range(layers):
        total += rng.uniform(0.3, 1.0) * 0.7**order * layer(rng, positions, at, length * rng.uniform(0.5, 1.5))
    return total
