"""What fills a simulated crop: textures, contrasts and borders of the target and its neighbours."""

from __future__ import annotations

import numpy as np

from .motion import Pair, log_uniform, mixing
from .shapes import angular_profile, at_angle
from .textures import blur, tissue


def fill(
    rng: np.random.Generator,
    positions: np.ndarray,
    distance: np.ndarray,
    neighbours: list[np.ndarray],
    angle: np.ndarray,
    at: Pair,
) -> np.ndarray:
    """Log echogenicity or tissue intensity, (slices, size, size).

    `distance` and `neighbours` are pixels to the borders of the target and of the others, negative inside; `angle` is
    each pixel's direction from the target's centre; textures are sampled at the tissue positions `at`.
    """
    length = log_uniform(rng, 6.0, 100.0)
    echo = tissue(rng, positions, at, rng.integers(1, 4), length)
    other_texture = tissue(rng, positions, at, rng.integers(1, 3), length) - echo
    swap = float(rng.choice([0.0, rng.uniform(0.3, 1.0), 1.0]))
    visible = border_visibility(rng, positions, angle)
    sharp = rng.uniform(0.3, 1.2)
    soft = sharp + (1 - visible) * rng.uniform(0, 6)
    contrast, line, width = random_contrast(rng), random_line(rng), rng.uniform(0.6, 1.8)
    echo = echo + inside(distance, soft) * (swap * other_texture + contrast)
    echo += line * visible * border(distance, width)
    for neighbour in neighbours:
        level = contrast if rng.random() < 0.5 else random_contrast(rng)
        echo += inside(neighbour, sharp) * (rng.random() * swap * other_texture + level)
        echo += rng.uniform(0, 1) * line * border(neighbour, width)
    return echo


def inside(distance: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """1 inside, 0 outside, changing over about `width` pixels."""
    return 1 / (1 + np.exp(np.clip(distance / width, -20, 20)))


def border(distance: np.ndarray, width: float) -> np.ndarray:
    """1 on the border, falling to 0 within about `width` pixels."""
    return np.exp(-np.square(distance / width))


def random_contrast(rng: np.random.Generator) -> float:
    """Mean level of a structure against its surroundings: next to none, moderate or strong, of either sign."""
    size = rng.choice([rng.uniform(0, 0.2), rng.uniform(0.3, 1.2), rng.uniform(1.0, 3.0)], p=[0.2, 0.45, 0.35])
    return float(size * rng.choice([-1, 1]))


def random_line(rng: np.random.Generator) -> float:
    """Brightness of the border itself: none, a bright fascia or, seldom, a dark rim."""
    return float(rng.choice([0.0, rng.uniform(0.5, 3.0), -rng.uniform(0.3, 1.5)], p=[0.35, 0.55, 0.1]))


def border_visibility(rng: np.random.Generator, positions: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Share of the border's signs left in each direction from the centre, 0..1, (slices, size, size)."""
    if rng.random() < 0.35:
        return np.ones_like(angle)
    profile = 2.5 * angular_profile(rng, mixing(positions, log_uniform(rng, 4, 40)), 1, 3) + rng.uniform(-0.5, 2.0)
    return at_angle(1 / (1 + np.exp(-2 * profile)), angle)


def bone(rng: np.random.Generator, echo: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """The target as bone: bright where it faces the probe (row 0), shadow below; the far side leaves no sign."""
    facing = np.clip(-np.gradient(distance, axis=1), 0, 1) ** rng.uniform(0.5, 2.0)
    bright = rng.uniform(1.5, 4.0) * facing * border(distance, rng.uniform(0.8, 2.5))
    passed = np.cumsum(distance < 0, axis=1, dtype=np.float32)
    passed = blur(passed, 0.3, log_uniform(rng, 0.3, 4.0))  # beams have a width
    depth = log_uniform(rng, 0.2, 12.0)  # mostly dark at once: a shadow that deepens slowly would show where bone ends
    return echo + bright - rng.uniform(2.0, 6.0) * (1 - np.exp(-passed / depth))


def in_air(rng: np.random.Generator, echo: np.ndarray, body: np.ndarray, structures: list[np.ndarray]) -> np.ndarray:
    """`echo` replaced by an even dark level outside the body and the structures (distances, negative inside)."""
    nearest = np.minimum.reduce([body, *(s - rng.uniform(0, 4) for s in structures)])
    level = float(echo.min()) - rng.uniform(0, 1)
    return level + inside(nearest, 0.5) * (echo - level)
