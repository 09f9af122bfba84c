"""An endless stream of random structures with known truth, to pretrain the following of a boundary along slices.

No anatomy is meant: shapes, neighbours, contrast, texture, motion and scanner are drawn at random, so that what is
left to learn is how a border goes on from one slice to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .imaging import acquisition_faults, plain_scan, ultrasound
from .shapes import (
    Located,
    Pair,
    Tube,
    angular_profile,
    at_angle,
    log_uniform,
    mixing,
    random_tube,
    slice_positions,
    smooth_paths,
    taper,
    tissue_coordinates,
)
from .textures import tissue


@dataclass(frozen=True)
class Structure:
    """A simulated crop around one structure.

    `image` float32 (slices, size, size), zero mean and unit variance over the stack; `mask` bool of the same shape;
    `others` bool (n, slices, size, size), n <= 2 neighbours, overlapping neither the target nor each other.
    """

    image: np.ndarray
    mask: np.ndarray
    others: np.ndarray


def simulate_structure(rng: np.random.Generator, slices: int = 24, size: int = 96) -> Structure:
    """A random structure; the target is present at least on the middle two thirds of the slices."""
    positions = slice_positions(rng, slices)
    mix = mixing(positions, log_uniform(rng, 3.0, 40.0))
    rows, columns = tissue_coordinates(rng, mix, size)
    diameter = rng.uniform(0.12, 0.45) * size
    tube = random_tube(rng, mix, diameter, size)
    tube = replace(tube, radius=tube.radius * taper(rng, slices)[:, None])
    target = tube.locate(rows, columns)
    distance = _with_parts(rng, mix, tube, diameter, (rows, columns), target.distance)
    tubes = [_neighbour(rng, mix, tube, diameter, size) for _ in range(rng.choice(3, p=[0.3, 0.4, 0.3]))]
    distance, neighbours = _settle(rng, distance, [t.locate(rows, columns).distance for t in tubes])
    at = _moving_coordinates(rng, tube, target, (rows, columns))
    echo = _compose(rng, positions, mix, target, distance, neighbours, at)
    echoes = rng.random() < 0.65
    if echoes and rng.random() < 0.3:
        echo = _bone(rng, echo, distance)
    image = ultrasound(rng, positions, echo, at) if echoes else plain_scan(rng, positions, echo)
    image = acquisition_faults(rng, positions, image, echoes)
    others = np.stack([n < 0 for n in neighbours]) if neighbours else np.zeros((0, *image.shape), bool)
    return Structure(image, distance < 0, others)


def _with_parts(
    rng: np.random.Generator, mix: np.ndarray, tube: Tube, diameter: float, pixels: Pair, distance: np.ndarray
) -> np.ndarray:
    """Distance to the border of the target once it has, sometimes, a branch that parts from it, or a hole."""
    kind = rng.random()
    if kind < 0.15:
        away = rng.uniform(0.2, 0.7) + 0.5 * smooth_paths(rng, mix, 1)[0]
        course = rng.uniform(0, 2 * np.pi) + 0.3 * smooth_paths(rng, mix, 1)[0]
        offset = diameter * away * np.stack([np.sin(course), np.cos(course)])
        part = random_tube(rng, mix, diameter * rng.uniform(0.4, 0.8), pixels[0].shape[2])
        fade = taper(rng, mix.shape[0])[:, None]
        part = replace(part, radius=np.minimum(part.radius, tube.radius.mean()) * fade, centre=tube.centre + offset)
        return np.minimum(distance, part.locate(*pixels).distance)
    if kind < 0.18:
        hole = replace(tube, radius=tube.radius * rng.uniform(0.2, 0.5))
        return np.maximum(distance, -hole.locate(*pixels).distance)
    return distance


def _neighbour(rng: np.random.Generator, mix: np.ndarray, tube: Tube, diameter: float, size: int) -> Tube:
    """A tube beside the target, near enough to touch it, that mostly moves along with it."""
    other = random_tube(rng, mix, diameter * rng.uniform(0.4, 1.6), size)
    course = rng.uniform(0, 2 * np.pi) + 0.3 * smooth_paths(rng, mix, 1)[0]
    gap = (tube.radius.mean() + other.radius.mean()) * rng.uniform(0.6, 1.1)
    beside = gap * np.stack([np.sin(course), np.cos(course)])
    return replace(other, centre=tube.centre * rng.uniform(0.5, 1.0) + 0.5 * other.centre + beside)


def _settle(rng: np.random.Generator, distance: np.ndarray, neighbours: list[np.ndarray]) -> tuple[np.ndarray, list]:
    """Give every pixel claimed twice to one structure, so that the borders are shared: (target, neighbours)."""
    settled: list[np.ndarray] = []
    for neighbour in neighbours:
        left = np.maximum(distance, -neighbour)
        kept = (left < 0).sum(axis=(1, 2)) >= 0.5 * (distance < 0).sum(axis=(1, 2))
        if rng.random() < 0.4 and kept.all():
            distance = left
        else:
            neighbour = np.maximum(neighbour, -distance + 1e-3)
        for earlier in settled:
            neighbour = np.maximum(neighbour, -earlier + 1e-3)
        settled.append(neighbour)
    return distance, settled


def _moving_coordinates(rng: np.random.Generator, tube: Tube, target: Located, pixels: Pair) -> Pair:
    """Tissue positions that follow the target's deformation near it, fully, partly or (rarely) not at all."""
    follow = float(rng.choice([0.0, rng.uniform(0.3, 1.0), 1.0], p=[0.15, 0.35, 0.5]))
    reach = rng.uniform(0.05, 0.4) * pixels[0].shape[2]
    weight = follow / (1 + np.exp(np.clip((target.distance - reach) / (0.3 * reach), -20, 20)))
    drag = rng.uniform(0, 1) * (tube.centre - tube.centre.mean(axis=1, keepdims=True))
    return tuple(
        weight * near + (1 - weight) * (far - move[:, None, None])
        for near, far, move in zip(target.rest, pixels, drag, strict=True)
    )


def _contrast(rng: np.random.Generator) -> float:
    """Mean level of a structure against its surroundings: next to none, moderate or strong, either sign."""
    size = rng.choice([rng.uniform(0, 0.2), rng.uniform(0.3, 1.2), rng.uniform(1.0, 3.0)], p=[0.25, 0.45, 0.3])
    return float(size * rng.choice([-1, 1]))


def _soft_inside(distance: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip(distance / width, -20, 20)))


def _compose(
    rng: np.random.Generator,
    positions: np.ndarray,
    mix: np.ndarray,
    target: Located,
    distance: np.ndarray,
    neighbours: list[np.ndarray],
    at: Pair,
) -> np.ndarray:
    """Log echogenicity or tissue intensity, (slices, size, size): textures, contrasts and borders."""
    length = log_uniform(rng, 2.0, 30.0)
    background = tissue(rng, positions, at, rng.integers(1, 4), length)
    filling = tissue(rng, positions, at, rng.integers(1, 3), length)
    exchange = float(rng.choice([0.0, rng.uniform(0.3, 1.0), 1.0]))
    visible = _visibility(rng, mix, target.angle)
    sharp = rng.uniform(0.3, 1.2)
    inside = _soft_inside(distance, sharp + (1 - visible) * rng.uniform(0, 6))
    contrast = _contrast(rng)
    line_width = rng.uniform(0.6, 1.8)
    line = float(rng.choice([0.0, rng.uniform(0.5, 3.0), -rng.uniform(0.3, 1.5)], p=[0.4, 0.5, 0.1]))
    echo = background + inside * (exchange * (filling - background) + contrast)
    echo += line * visible * np.exp(-((distance / line_width) ** 2))
    for neighbour in neighbours:
        level = contrast if rng.random() < 0.5 else _contrast(rng)
        echo += _soft_inside(neighbour, sharp) * (rng.random() * exchange * (filling - background) + level)
        echo += rng.uniform(0, 1) * line * np.exp(-((neighbour / line_width) ** 2))
    return echo


def _visibility(rng: np.random.Generator, mix: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Share of the border's signs left at each pixel's direction from the centre, 0..1."""
    if rng.random() < 0.35:
        return np.ones_like(angle)
    profile = 2.5 * angular_profile(rng, mix, 3) + rng.uniform(-0.5, 2.0)
    return at_angle(1 / (1 + np.exp(-2 * profile)), angle)


def _bone(rng: np.random.Generator, echo: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Bright where the border faces the probe (row 0), dark below it: the far side leaves no sign."""
    facing = np.clip(-np.gradient(distance, axis=1), 0, 1) ** rng.uniform(0.5, 2.0)
    bright = rng.uniform(1.5, 4.0) * facing * np.exp(-((distance / rng.uniform(0.8, 2.5)) ** 2))
    passed = np.cumsum(distance < 0, axis=1, dtype=np.float32)
    return echo + bright - rng.uniform(2.0, 6.0) * (1 - np.exp(-passed / rng.uniform(2, 15)))
