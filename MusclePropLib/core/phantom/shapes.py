"""Smoothly varying cross-sections along an axis: paths, tissue coordinates and star-shaped contours.

Lengths in the plane are pixels, lengths along the axis are slices. Coordinate arrays are float32 (slices, size, size),
with the origin in the middle of the crop.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Pair = tuple[np.ndarray, np.ndarray]  # rows and columns of tissue positions
ANGLES = 128  # samples of a contour around the circle


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """One value whose logarithm is uniform between log(low) and log(high)."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def slice_positions(rng: np.random.Generator, slices: int) -> np.ndarray:
    """Positions of the slices along the axis, evenly spaced or, as in a freehand sweep, at an uneven speed."""
    steps = np.exp(rng.uniform(0, 0.7) * rng.standard_normal(slices)) if rng.random() < 0.5 else np.ones(slices)
    return np.cumsum(steps / steps.mean())


def mixing(positions: np.ndarray, length: float) -> np.ndarray:
    """Matrix (slices, nodes) turning white noise on the nodes into unit-variance values correlated along the axis.

    The correlation of two slices `d` apart is exp(-d^2 / (2 length^2)).
    """
    spacing = max(length / 2, 0.25)
    nodes = np.arange(positions[0] - 3 * length, positions[-1] + 3 * length + spacing, spacing)
    weights = np.exp(-(((positions[:, None] - nodes) / max(length, 0.15)) ** 2))
    return (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)


def smooth_paths(rng: np.random.Generator, mix: np.ndarray, count: int) -> np.ndarray:
    """`count` random functions of the slice, (count, slices), zero mean and unit variance over realisations."""
    return rng.standard_normal((count, mix.shape[1]), dtype=np.float32) @ mix.T


def hand_jitter(rng: np.random.Generator, slices: int, size: int) -> np.ndarray:
    """In-plane motion of the frame: (3, slices) of shift in rows and columns (pixels) and rotation (radians)."""
    kind = rng.random()
    strength = 0.0 if kind < 0.35 else log_uniform(rng, 0.002, 0.02) * size
    white = rng.standard_normal((3, slices))
    walk = np.cumsum(rng.standard_normal((3, slices)), axis=1) * rng.uniform(0, 0.6)
    motion = strength * (white + walk - walk.mean(axis=1, keepdims=True))
    motion[2] *= rng.uniform(0, 1.0) / size
    return np.clip(motion, [[-0.1 * size]] * 2 + [[-0.25]], [[0.1 * size]] * 2 + [[0.25]])


def tissue_coordinates(rng: np.random.Generator, mix: np.ndarray, size: int) -> Pair:
    """Where each pixel lies in the tissue: (rows, columns), after hand jitter and a smooth deformation."""
    slices = mix.shape[0]
    shift_y, shift_x, turn = (motion[:, None, None] for motion in hand_jitter(rng, slices, size))
    line = np.arange(size) - (size - 1) / 2
    y, x = line[None, :, None], line[None, None, :]
    cos, sin = np.cos(turn), np.sin(turn)
    lattice = smooth_paths(rng, mix, 2 * 5 * 5).reshape(5, 5, 2, slices) * rng.uniform(0, 0.05) * size
    deformation = np.stack(
        [
            cv2.resize(np.ascontiguousarray(lattice[..., s]), (size, size), interpolation=cv2.INTER_CUBIC)
            for s in range(slices)
        ]
    )
    rows = (cos * y + sin * x + shift_y + deformation[..., 0]).astype(np.float32)
    columns = (cos * x - sin * y + shift_x + deformation[..., 1]).astype(np.float32)
    return rows, columns


@dataclass(frozen=True)
class Located:
    """Coordinates relative to a tube: `distance` to its border (pixels, negative inside), `angle`, and the
    tissue's rest position `rest` (rows, columns) once the tube's deformation is undone."""

    distance: np.ndarray
    angle: np.ndarray
    rest: Pair


@dataclass(frozen=True)
class Tube:
    """A structure whose star-shaped cross-section changes from slice to slice.

    `radius` (slices, ANGLES) pixels; `centre` (2, slices) rows and columns; `turn` (slices,) radians;
    `bend` (slices,) curvature 1/pixel that makes crescents.
    """

    radius: np.ndarray
    centre: np.ndarray
    turn: np.ndarray
    bend: np.ndarray

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, np.asarray(value, np.float32))

    def locate(self, rows: np.ndarray, columns: np.ndarray) -> Located:
        size = rows.shape[2]
        cos, sin = np.cos(self.turn)[:, None, None], np.sin(self.turn)[:, None, None]
        dy, dx = rows - self.centre[0][:, None, None], columns - self.centre[1][:, None, None]
        across, along = cos * dy - sin * dx, sin * dy + cos * dx
        across += self.bend[:, None, None] * along**2
        reach, angle = (
            a.reshape(rows.shape) for a in cv2.cartToPolar(along.reshape(-1, size), across.reshape(-1, size))
        )
        radius = at_angle(self.radius, angle)
        return Located(reach - radius, angle, self._at_rest(across, along, angle, radius))

    def _at_rest(self, across: np.ndarray, along: np.ndarray, angle: np.ndarray, radius: np.ndarray) -> Pair:
        """Rows and columns once the cross-section has taken its mean shape, place and turn."""
        usual = np.maximum(np.median(self.radius, axis=0), 1.0)[None].repeat(len(self.radius), 0)
        stretch = np.clip(at_angle(usual, angle) / np.maximum(radius, 1.0), 0.4, 2.5)
        along = along * stretch
        across = across * stretch - self.bend.mean() * along**2
        cos, sin = np.cos(self.turn.mean()), np.sin(self.turn.mean())
        y, x = self.centre.mean(axis=1)
        return cos * across + sin * along + y, cos * along - sin * across + x


def at_angle(table: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Values of a periodic `table` (slices, ANGLES) at `angle` (slices, size, size), linearly interpolated."""
    slices, size = angle.shape[0], angle.shape[2]
    closed = np.concatenate([table, table[:, :1]], axis=1).astype(np.float32)
    column = (angle * (ANGLES / (2 * np.pi))).reshape(-1, size)
    row = np.repeat(np.arange(slices, dtype=np.float32), size)[:, None].repeat(size, 1)
    return cv2.remap(closed, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(angle.shape)


def angular_profile(rng: np.random.Generator, mix: np.ndarray, orders: int) -> np.ndarray:
    """Random periodic function of the angle that changes smoothly along the axis, (slices, ANGLES), about unit size."""
    theta = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    k = np.arange(1, orders + 1)[:, None]
    waves = np.concatenate([np.cos(k * theta), np.sin(k * theta)]) / np.sqrt(orders)
    steady = rng.standard_normal((2 * orders, 1)) * rng.uniform(0.3, 1.0)
    return (steady + rng.uniform(0.2, 0.8) * smooth_paths(rng, mix, 2 * orders)).T @ waves


def superellipse(aspect: np.ndarray, exponent: float) -> np.ndarray:
    """Radius (slices, ANGLES) of |x/a|^n + |y/b|^n = 1 with a*b = 1 and a/b = `aspect` (slices,)."""
    theta = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    a = np.sqrt(aspect)[:, None]
    return (np.abs(np.cos(theta) / a) ** exponent + np.abs(np.sin(theta) * a) ** exponent) ** (-1 / exponent)


def taper(rng: np.random.Generator, slices: int) -> np.ndarray:
    """Size along the axis (slices,), 1 in the middle; at a random choice of ends it closes within the outer sixth."""
    profile = np.ones(slices)
    for end in (np.arange(slices), np.arange(slices)[::-1]):
        if rng.random() < 0.3:
            start = rng.uniform(-1.0, slices / 6)
            length = rng.uniform(2.0, slices / 3)
            profile *= np.sqrt(np.clip((end - start) / length, 0, 1))
    return profile


def random_tube(rng: np.random.Generator, mix: np.ndarray, diameter: float, size: int) -> Tube:
    """A tube of about `diameter` pixels around the middle of the crop, without tapering."""
    paths = smooth_paths(rng, mix, 6)
    change = rng.uniform(0.2, 1.0)
    aspect = np.exp(abs(rng.normal(0, 0.55)) + 0.25 * change * paths[0])
    radius = superellipse(aspect, rng.choice([2.0, 2.0, rng.uniform(1.3, 2.0), rng.uniform(2.0, 5.0)]))
    low, high = angular_profile(rng, mix, 4), angular_profile(rng, mix, 9)
    lobes = rng.choice([0.0, rng.uniform(0, 0.12), rng.uniform(0.05, 0.2)])
    radius = radius * np.exp(rng.uniform(0, 0.25) * low + lobes * high)
    radius *= diameter / 2 * np.exp(rng.uniform(0.05, 0.35) * change * paths[1])[:, None]
    centre = np.clip(rng.uniform(0.0, 0.09) * change * size * paths[2:4], -0.18 * size, 0.18 * size)
    turn = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 0.4) * change * paths[4]
    bend = rng.choice([0.0, rng.uniform(0.1, 1.0)]) * (1 + 0.4 * paths[5]) / max(diameter, 8)
    return Tube(np.clip(radius, 1.0, 0.42 * size), centre, turn, bend)
