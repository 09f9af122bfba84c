"""Randomness that is smooth along the axis of a stack, and the motion of tissue and hand made of it.

Lengths in the plane are pixels, lengths along the axis are slices. In-plane coordinates are float32
(slices, size, size), counted from the middle of the crop.
"""

from __future__ import annotations

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]  # rows and columns of tissue positions


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One value whose logarithm is uniform between log(low) and log(high)."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def slice_positions(rng: np.random.Generator, slices: int) -> np.ndarray:
    """Positions of the slices along the axis, evenly spaced or, as in a freehand sweep, at an uneven speed."""
    steps = np.exp(rng.uniform(0, 0.7) * rng.standard_normal(slices)) if rng.random() < 0.5 else np.ones(slices)
    return np.cumsum(steps / steps.mean())


def mixing(positions: np.ndarray, length: float) -> np.ndarray:
    """Matrix (positions, nodes) turning white noise on the nodes into correlated values of unit variance.

    The correlation of two positions `d` apart is exp(-d^2 / (2 length^2)).
    """
    if length < 0.5:
        return np.eye(len(positions), dtype=np.float32)
    nodes = np.arange(positions[0] - 2 * length, positions[-1] + 3 * length, length)
    weights = np.exp(-(((positions[:, None] - nodes) / length) ** 2))
    return (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)


def white_noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Uniform noise of zero mean and unit variance in 256 steps: a fifth of the time of a normal deviate."""
    levels = np.frombuffer(rng.bytes(int(np.prod(shape))), np.uint8).reshape(shape)
    return (levels.astype(np.float32) - np.float32(127.5)) * np.float32(1 / 73.9)


def smooth_paths(rng: np.random.Generator, mix: np.ndarray, count: int) -> np.ndarray:
    """`count` random functions of the slice, (count, slices), zero mean and unit variance over realisations."""
    return rng.standard_normal((count, mix.shape[1]), dtype=np.float32) @ mix.T


def smooth_field(rng: np.random.Generator, mix: np.ndarray, size: int, length: float) -> np.ndarray:
    """Random (slices, size, size) of unit variance, smooth over `length` pixels and along the axis as `mix` says."""
    plane = mixing(np.arange(size), length)
    nodes = plane.shape[1]
    lattice = (mix @ white_noise(rng, mix.shape[1], nodes * nodes)).reshape(-1, nodes, nodes)
    return plane @ lattice @ plane.T


def hand_jitter(rng: np.random.Generator, slices: int, size: int) -> np.ndarray:
    """In-plane motion of the frame: float32 (3, slices), shift in rows and columns (pixels) and rotation (radians)."""
    strength = 0.0 if rng.random() < 0.35 else log_uniform(rng, 0.001, 0.02) * size
    walk = np.cumsum(rng.uniform(0, 0.6) * rng.standard_normal((3, slices)), axis=1)
    motion = strength * (rng.standard_normal((3, slices)) + walk - walk.mean(axis=1, keepdims=True))
    motion *= [[rng.uniform(0.3, 1)], [rng.uniform(0.3, 1)], [rng.uniform(0, 1.0) / size]]
    limit = np.array([[0.1 * size], [0.1 * size], [0.25]])
    return np.clip(motion, -limit, limit).astype(np.float32)


def tissue_coordinates(rng: np.random.Generator, mix: np.ndarray, size: int) -> Pair:
    """Where each pixel lies in the tissue: (rows, columns), after hand jitter and a smooth deformation."""
    shift_y, shift_x, turn = hand_jitter(rng, mix.shape[0], size)[:, :, None, None]
    line = np.arange(size, dtype=np.float32) - (size - 1) / 2
    y, x = line[:, None], line
    cos, sin = np.cos(turn), np.sin(turn)
    strength, length = rng.uniform(0, 0.04) * size, rng.uniform(0.15, 0.5) * size
    rows = cos * y + sin * x + shift_y + strength * smooth_field(rng, mix, size, length)
    columns = cos * x - sin * y + shift_x + strength * smooth_field(rng, mix, size, length)
    return rows, columns
