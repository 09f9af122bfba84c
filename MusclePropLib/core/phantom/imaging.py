"""What the scanner makes of the tissue: ultrasound or a plain scan (MR, CT), with its faults."""

from __future__ import annotations

import numpy as np

from .motion import Pair, log_uniform, mixing, smooth_field, white_noise
from .textures import blur, noise_stack, sample


def standardised(image: np.ndarray) -> np.ndarray:
    """`image` with zero mean and unit variance."""
    return (image - image.mean()) / max(float(image.std()), 1e-6)


def ultrasound(rng: np.random.Generator, positions: np.ndarray, echo: np.ndarray, at: Pair) -> np.ndarray:
    """B-mode image of log echogenicity `echo`: scatterers moved by the tissue, point spread, log compression."""
    extent = int(1.3 * echo.shape[2])
    mix = speckle_mixing(rng, positions)
    scatterers = np.stack([noise_stack(rng, mix, extent, extent) for _ in range(2)], axis=-1)
    amplitude = np.exp(rng.uniform(0.4, 1.1) * echo)
    axial = log_uniform(rng, 0.5, 1.3)
    field = blur(sample(scatterers, at) * amplitude[..., None], axial, axial * rng.uniform(1.0, 2.5))
    speckled, clean = np.square(field).sum(axis=-1), np.square(amplitude)
    share = rng.uniform(0.15, 1)  # compounding and the scanner's filters leave only a share of the speckle
    power = share * speckled / speckled.mean() + (1 - share) * clean / clean.mean()
    looks = rng.uniform(0.3, 2.0)  # averaging of the detected image, as when a frame is reduced to the crop
    power = blur(power, looks, looks)
    return np.log(power + np.float32(np.median(power[::4, ::2, ::2]) * 10 ** rng.uniform(-3, -1)))


def speckle_mixing(rng: np.random.Generator, positions: np.ndarray) -> np.ndarray:
    """Mixing matrix of speckle: part is new within a slice or two (beam width), part lasts (coarse scatterers)."""
    lasting = np.sqrt(rng.random())
    short, long = log_uniform(rng, 0.3, 3.0), log_uniform(rng, 3.0, 30.0)
    parts = [np.sqrt(1 - lasting) * mixing(positions, short), np.sqrt(lasting) * mixing(positions, long)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def plain_scan(rng: np.random.Generator, echo: np.ndarray) -> np.ndarray:
    """MR- or CT-like image of `echo`: blur, averaging of neighbouring slices, Gaussian or Rician noise."""
    sigma = rng.uniform(0.4, 1.3)
    image = standardised(blur(echo, sigma, sigma))
    if rng.random() < 0.3:  # thick slices
        image[1:-1] = 0.5 * image[1:-1] + 0.25 * (image[:-2] + image[2:])
    noise = log_uniform(rng, 0.02, 0.5) * white_noise(rng, 2, *echo.shape)
    if rng.random() < 0.5:
        noise[0] = blur(noise[0], 0.7, 0.7)
    if rng.random() < 0.5:
        return image + noise[0]
    return np.hypot(image - image[::4, ::2, ::2].min() + noise[0], noise[1])


def column_shadows(rng: np.random.Generator, positions: np.ndarray, size: int) -> np.ndarray:
    """Attenuation (slices, size, size) <= 0 in columns that lost contact or lie under gas, deepening with the row."""
    across = mixing(np.arange(size), rng.uniform(0.03, 0.15) * size)
    columns = noise_stack(rng, mixing(positions, log_uniform(rng, 0.5, 20)), 1, across.shape[1]) @ across.T
    depth = np.clip((np.arange(size, dtype=np.float32) / size - rng.uniform(-0.5, 0.5)) * 3, 0, 1)
    return -np.clip(columns - rng.uniform(0.5, 1.5), 0, None) * depth[:, None]


def field_of_view(rng: np.random.Generator, slices: int, size: int) -> np.ndarray:
    """Bool (slices, size, size): inside the part that was scanned; a straight edge that may swing a little."""
    line = np.arange(size) - (size - 1) / 2
    turn = rng.uniform(0, 2 * np.pi) + 0.03 * rng.random() * np.cumsum(rng.standard_normal(slices))
    reach = size * (rng.uniform(0.25, 0.45) + 0.01 * rng.random() * rng.standard_normal(slices))
    cos, sin = np.cos(turn)[:, None, None], np.sin(turn)[:, None, None]
    return cos * line[:, None] + sin * line < reach[:, None, None]


def with_faults(rng: np.random.Generator, positions: np.ndarray, image: np.ndarray, echoes: bool) -> np.ndarray:
    """Bias, attenuation, shadows, gain steps, gamma, partial field of view; then zero mean and unit variance."""
    slices, size = image.shape[0], image.shape[2]
    bias_mix = mixing(positions, rng.uniform(8, 60))
    image = standardised(image) + rng.uniform(0, 0.6) * smooth_field(rng, bias_mix, size, rng.uniform(0.2, 0.6) * size)
    if echoes:
        image = image - rng.uniform(-0.5, 3.0) * np.linspace(-0.5, 0.5, size, dtype=np.float32)[:, None]
        if rng.random() < 0.35:
            image = image + rng.uniform(0.5, 3.0) * column_shadows(rng, positions, size)
    gain = log_uniform(rng, 0.01, 0.3) * rng.standard_normal((2, slices, 1, 1), dtype=np.float32)
    image = image * (1 + 0.3 * gain[0]) + gain[1]
    low, high = np.percentile(image[::4, ::2, ::2], [1, 99.5])
    image = np.clip((image - float(low)) / max(float(high - low), 1e-6), 0, 1) ** log_uniform(rng, 0.6, 1.8)
    if rng.random() < 0.4:
        image = image * field_of_view(rng, slices, size)
    return standardised(image).astype(np.float32)
