"""What the scanner makes of the tissue: ultrasound or a plain scan (MR, CT), with its faults."""

from __future__ import annotations

import cv2
import numpy as np

from .shapes import Pair, log_uniform, mixing, smooth_paths
from .textures import noise_stack, sample


def blur(stack: np.ndarray, sigma_y: float, sigma_x: float) -> np.ndarray:
    """Every slice of `stack` (slices, rows, columns[, channels]) blurred in the plane, sigmas in pixels."""
    return np.stack([cv2.GaussianBlur(s, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y) for s in stack])


def ultrasound(rng: np.random.Generator, positions: np.ndarray, echo: np.ndarray, at: Pair) -> np.ndarray:
    """B-mode image of log echogenicity `echo`: scatterers moved by the tissue, point spread, log compression."""
    size = echo.shape[2]
    mix = mixing(positions, log_uniform(rng, 0.3, 10.0))
    extent = int(1.4 * size)
    scatterers = np.stack([noise_stack(rng, mix, extent, extent) for _ in range(2)], axis=-1)
    field = sample(scatterers, at) * np.exp(0.5 * echo)[..., None]
    axial = log_uniform(rng, 0.5, 1.5)
    field = blur(field, axial, axial * rng.uniform(1.0, 2.5))
    power = np.square(field).sum(axis=-1)
    looks = rng.uniform(0, 1.5)  # averaging of the detected image, as when a frame is reduced to the crop
    if looks > 0.3:
        power = blur(power, looks, looks)
    floor = np.median(power) * 10 ** rng.uniform(-3, -1)
    return np.log(power + np.float32(floor))


def plain_scan(rng: np.random.Generator, positions: np.ndarray, echo: np.ndarray) -> np.ndarray:
    """MR- or CT-like image of `echo`: blur, partial volume between slices, Gaussian or Rician noise."""
    image = blur(echo, *(2 * [rng.uniform(0.4, 1.3)]))
    image = image / max(float(image.std()), 1e-3)
    noise = log_uniform(rng, 0.02, 0.5) * rng.standard_normal((2, *echo.shape), dtype=np.float32)
    if rng.random() < 0.5:
        noise[0] = blur(noise[0], 0.7, 0.7)
    if rng.random() < 0.5:
        return image + noise[0]
    return np.hypot(image - np.float32(np.percentile(image[::4], rng.uniform(0, 20))) + noise[0], noise[1])


def smooth_bias(rng: np.random.Generator, positions: np.ndarray, size: int) -> np.ndarray:
    """Slow intensity change over the crop and along the axis, (slices, size, size), about unit size."""
    lattice = smooth_paths(rng, mixing(positions, rng.uniform(3, 30)), 9).reshape(3, 3, -1)
    return np.stack(
        [
            cv2.resize(np.ascontiguousarray(lattice[..., s]), (size, size), interpolation=cv2.INTER_CUBIC)
            for s in range(len(positions))
        ]
    )


def column_shadows(rng: np.random.Generator, positions: np.ndarray, size: int) -> np.ndarray:
    """Attenuation (slices, size, size) <= 0 in columns that lost contact or lie under gas, deepening with the row."""
    lattice = noise_stack(rng, mixing(positions, log_uniform(rng, 0.5, 10)), 1, rng.integers(4, 12))
    columns = np.concatenate([cv2.resize(row, (size, 1), interpolation=cv2.INTER_CUBIC) for row in lattice])
    depth = np.clip((np.arange(size) / size - rng.uniform(-0.5, 0.5)) * 3, 0, 1)
    return -(np.clip(columns - rng.uniform(0.5, 1.5), 0, None)[:, None, :] * depth[:, None]).astype(np.float32)


def field_of_view(rng: np.random.Generator, slices: int, size: int) -> np.ndarray:
    """Bool (slices, size, size): inside the part that was scanned; a straight edge that swings a little."""
    line = np.arange(size) - (size - 1) / 2
    turn = rng.uniform(0, 2 * np.pi) + 0.05 * np.cumsum(rng.standard_normal(slices)) * rng.random()
    reach = size * (rng.uniform(0.25, 0.45) + 0.01 * rng.random() * rng.standard_normal(slices))
    cos, sin = np.cos(turn)[:, None, None], np.sin(turn)[:, None, None]
    return cos * line[:, None] + sin * line < reach[:, None, None]


def acquisition_faults(rng: np.random.Generator, positions: np.ndarray, image: np.ndarray, echoes: bool) -> np.ndarray:
    """Bias, attenuation, shadows, gain steps, gamma, partial field of view; then zero mean and unit variance."""
    slices, size = image.shape[0], image.shape[2]
    image = (image - image.mean()) / max(float(image.std()), 1e-6)
    image = image + rng.uniform(0, 0.6) * smooth_bias(rng, positions, size)
    if echoes:
        image = image - rng.uniform(-0.5, 2.0) * np.linspace(-0.5, 0.5, size, dtype=np.float32)[:, None]
        if rng.random() < 0.35:
            image = image + rng.uniform(0.5, 3.0) * column_shadows(rng, positions, size)
    gain = log_uniform(rng, 0.01, 0.4) * rng.standard_normal((2, slices, 1, 1), dtype=np.float32)
    image = image * (1 + 0.3 * gain[0]) + gain[1]
    low, high = np.percentile(image[::4], [1, 99.5])
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1) ** log_uniform(rng, 0.6, 1.8)
    if rng.random() < 0.2:
        image = image * field_of_view(rng, slices, size)
    return ((image - image.mean()) / max(float(image.std()), 1e-6)).astype(np.float32)
