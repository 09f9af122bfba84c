"""An endless stream of random structures with known truth, to pretrain the following of a boundary along slices.

No anatomy is meant: shapes, neighbours, contrast, texture, motion and scanner are drawn at random, so that what is
left to learn is how a border goes on from one slice to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .contents import bone, fill, in_air
from .imaging import plain_scan, ultrasound, with_faults
from .motion import Pair, log_uniform, mixing, slice_positions, smooth_paths, tissue_coordinates
from .shapes import Tube, at_angle, closing, random_tube, taper


@dataclass(frozen=True)
class Structure:
    """A simulated crop around one structure.

    `image` float32 (slices, size, size), zero mean and unit variance over the stack; `mask` bool of the same shape;
    `others` bool (n, slices, size, size), n <= 2 neighbours, overlapping neither the target nor each other.
    """

    image: np.ndarray
    mask: np.ndarray
    others: np.ndarray


def simulate_structure(rng: np.random.Generator, slices: int = 24, size: int = 96, closed: bool = False) -> Structure:
    """A random structure; the target is present at least on the middle two thirds of the slices.

    Unless it is `closed`: then it begins and ends within the volume, and changes faster than the tissue moves.
    """
    positions = slice_positions(rng, slices)
    mix = mixing(positions, log_uniform(rng, 5.0, 50.0))
    pixels = tissue_coordinates(rng, mix, size)
    diameter = (0.12 + 0.33 * np.sqrt(rng.random())) * size
    change = mixing(positions, log_uniform(rng, 4.0, 15.0)) if closed else mix
    tube = random_tube(rng, change, diameter, size)
    course = closing(rng, slices) if closed else taper(rng, slices)
    tube = replace(tube, radius=tube.radius * course[:, None])
    reach, angle = tube.locate(*pixels)
    simple = reach - at_angle(tube.radius, angle)
    tubes = [beside(rng, mix, tube, diameter, size) for _ in range(rng.choice(3, p=[0.3, 0.4, 0.3]))]
    branch_course = course if closed else taper(rng, slices)
    distance = with_parts(rng, mix, tube, branch_course, diameter, pixels, simple)
    distance, neighbours = settle(rng, distance, [t.distance(*pixels) for t in tubes])
    at = moving_positions(rng, tube, reach, angle, pixels)
    echo = fill(rng, positions, distance, neighbours, angle, at)
    if echoes := rng.random() < 0.65:
        echo = bone(rng, echo, distance) if rng.random() < 0.4 else echo
        image = ultrasound(rng, positions, echo, at)
    else:
        if rng.random() < 0.3:
            body = random_tube(rng, mix, rng.uniform(0.75, 1.1) * size, size, limit=0.7).distance(*pixels)
            echo = in_air(rng, echo, body, [distance, *neighbours])
        image = plain_scan(rng, echo)
    others = [n < 0 for n in neighbours]
    return Structure(
        image=with_faults(rng, positions, image, echoes),
        mask=distance < 0,
        others=np.stack(others) if others else np.zeros((0, *image.shape), bool),
    )


def with_parts(
    rng: np.random.Generator,
    mix: np.ndarray,
    tube: Tube,
    course: np.ndarray,
    diameter: float,
    pixels: Pair,
    distance: np.ndarray,
) -> np.ndarray:
    """Distance to the border of the target once it has, sometimes, a branch that parts from it, or a hole.

    `course` (slices,) is the branch's size along the axis.
    """
    kind = rng.random()
    if kind < 0.15:
        part = random_tube(rng, mix, diameter * rng.uniform(0.4, 0.8), pixels[0].shape[2])
        offset = diameter * wandering_direction(rng, mix) * (rng.uniform(0.2, 0.7) + 0.5 * smooth_paths(rng, mix, 1))
        radius = part.radius * course[:, None]
        return np.minimum(distance, replace(part, radius=radius, centre=tube.centre + offset).distance(*pixels))
    if kind < 0.18:
        hole = replace(tube, radius=tube.radius * rng.uniform(0.2, 0.5))
        return np.maximum(distance, -hole.distance(*pixels))
    return distance


def wandering_direction(rng: np.random.Generator, mix: np.ndarray) -> np.ndarray:
    """Unit vectors (2, slices) that turn slowly along the axis."""
    course = rng.uniform(0, 2 * np.pi) + 0.3 * smooth_paths(rng, mix, 1)[0]
    return np.stack([np.sin(course), np.cos(course)])


def beside(rng: np.random.Generator, mix: np.ndarray, tube: Tube, diameter: float, size: int) -> Tube:
    """A tube near enough to the target to touch it, that mostly moves along with it."""
    other = random_tube(rng, mix, diameter * rng.uniform(0.4, 1.6), size)
    gap = (tube.radius.mean() + other.radius.mean()) * rng.uniform(0.6, 1.1)
    centre = rng.uniform(0.5, 1.0) * tube.centre + 0.5 * other.centre + gap * wandering_direction(rng, mix)
    return replace(other, centre=centre)


def settle(
    rng: np.random.Generator, distance: np.ndarray, neighbours: list[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Give every pixel claimed twice to one structure, so that the borders are shared: (target, neighbours)."""
    settled: list[np.ndarray] = []
    for neighbour in neighbours:
        left = np.maximum(distance, -neighbour)
        mostly_kept = (left < 0).sum(axis=(1, 2)) >= 0.5 * (distance < 0).sum(axis=(1, 2))
        if rng.random() < 0.4 and mostly_kept.all():
            distance = left
        for claimed in (distance, *settled):
            neighbour = np.where(claimed < 0, np.maximum(neighbour, -claimed), neighbour)
        settled.append(neighbour)
    return distance, settled


def moving_positions(rng: np.random.Generator, tube: Tube, reach: np.ndarray, angle: np.ndarray, pixels: Pair) -> Pair:
    """Tissue positions that follow the target's deformation near it, fully, partly or (seldom) not at all.

    Far from the target the tissue takes only a random share of its drift.
    """
    follow = float(rng.choice([0.0, rng.uniform(0.3, 1.0), 1.0], p=[0.15, 0.35, 0.5]))
    near = rng.uniform(0.2, 0.6) * pixels[0].shape[2]
    weight = follow / (1 + np.exp(np.clip((reach - near) * np.float32(3 / near), -20, 20)))
    drag = rng.uniform(0, 1) * (tube.centre - tube.centre.mean(axis=1, keepdims=True))
    far = [p - d[:, None, None] for p, d in zip(pixels, drag, strict=True)]
    rows, columns = (f + weight * (r - f) for r, f in zip(tube.at_rest(reach, angle), far, strict=True))
    return rows, columns
