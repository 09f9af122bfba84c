"""Structures as tubes: star-shaped contours, bent or not, that change smoothly from slice to slice."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .motion import Pair, log_uniform, smooth_paths

ANGLES = 128  # samples of a contour around the circle


@dataclass(frozen=True)
class Tube:
    """A structure along the axis, its cross-section described in polar coordinates around its centre.

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

    def locate(self, rows: np.ndarray, columns: np.ndarray) -> Pair:
        """(reach, angle) of tissue positions: pixels from the centre and radians, both (slices, size, size)."""
        turn, bend, centre = self.turn[:, None, None], self.bend[:, None, None], self.centre[:, :, None, None]
        dy, dx = rows - centre[0], columns - centre[1]
        along = np.sin(turn) * dy + np.cos(turn) * dx
        across = np.cos(turn) * dy - np.sin(turn) * dx + bend * self._bowed(along)
        flat = (-1, rows.shape[2])
        reach, angle = cv2.cartToPolar(along.reshape(flat), across.reshape(flat))
        return reach.reshape(rows.shape), angle.reshape(rows.shape)

    def distance(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Pixels to the border along the ray from the centre, negative inside."""
        reach, angle = self.locate(rows, columns)
        return reach - at_angle(self.radius, angle)

    def at_rest(self, reach: np.ndarray, angle: np.ndarray) -> Pair:
        """Rows and columns of located positions in the tube's mean shape, place, turn and bend.

        Inside, the cross-section is stretched; outside, its surroundings give way less and less.
        """
        usual = np.maximum(np.median(self.radius, axis=0), 1.0)
        radius = np.maximum(at_angle(self.radius, angle), 1.0)
        wider = at_angle(usual[None].repeat(len(self.radius), 0), angle) - radius
        wider = np.minimum(wider, 1.5 * radius)  # where a tube closes, its surroundings do not flow into the point
        give = np.exp(-np.maximum(reach - radius, 0) / np.float32(2 * usual.mean()))
        reach = reach + wider * give * np.minimum(reach / radius, 1)
        along, across = reach * np.cos(angle), reach * np.sin(angle)
        across -= self.bend.mean() * self._bowed(along)
        cos, sin = np.cos(self.turn.mean()), np.sin(self.turn.mean())
        y, x = self.centre.mean(axis=1)
        return cos * across + sin * along + y, cos * along - sin * across + x

    def _bowed(self, along: np.ndarray) -> np.ndarray:
        """Square of the lengthwise coordinate, straight beyond the tube so that far tissue is not flung away."""
        return np.minimum(np.square(along), np.square(1.5 * self.radius.max()))


def at_angle(table: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Values of a periodic `table` (slices, ANGLES) at `angle` (slices, size, size), linearly interpolated."""
    slices, _, size = angle.shape
    closed = np.concatenate([table, table[:, :1]], axis=1).astype(np.float32)
    column = (angle * (ANGLES / (2 * np.pi))).reshape(-1, size)
    row = np.broadcast_to(np.arange(slices, dtype=np.float32)[:, None, None], angle.shape).reshape(-1, size)
    return cv2.remap(closed, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(angle.shape)


def angular_profile(rng: np.random.Generator, mix: np.ndarray, low: int, high: int) -> np.ndarray:
    """Random periodic function of the angle, orders `low` to `high` ever weaker, that changes smoothly along the axis.

    (slices, ANGLES), about unit size.
    """
    theta = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    k = np.arange(low, high + 1)[:, None]
    waves = np.concatenate([np.cos(k * theta) / k, np.sin(k * theta) / k]) / np.sqrt(np.sum(1.0 / k**2))
    change = rng.uniform(0.1, 0.7)
    steady = np.sqrt(1 - change**2) * rng.standard_normal((2 * len(k), 1))
    return (steady + change * smooth_paths(rng, mix, 2 * len(k))).T @ waves


def superellipse(aspect: np.ndarray, exponent: float) -> np.ndarray:
    """Radius (slices, ANGLES) of |x/a|^n + |y/b|^n = 1 with a*b = 1 and a/b = `aspect` (slices,)."""
    theta = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    a = np.sqrt(aspect)[:, None]
    return (np.abs(np.cos(theta) / a) ** exponent + np.abs(np.sin(theta) * a) ** exponent) ** (-1 / exponent)


def taper(rng: np.random.Generator, slices: int) -> np.ndarray:
    """Size along the axis (slices,), 1 in the middle; each end may close within the outer sixth."""
    profile = np.ones(slices)
    for end in (np.arange(slices), np.arange(slices)[::-1]):
        if rng.random() < 0.3:
            tip, length = rng.uniform(-1.0, slices / 6), rng.uniform(2.0, slices / 2)
            profile *= np.sqrt(np.clip((end - tip) / length, 0, 1))
    return profile


def closing(rng: np.random.Generator, slices: int) -> np.ndarray:
    """Size along the axis (slices,) of a structure that begins and ends within the volume, at most 1 in between.

    Some two thirds of the slices hold it; it grows towards its largest section as bluntly or as slowly as organs do.
    """
    lost = rng.dirichlet([1.0, 1.0]) * rng.uniform(0.1, 0.5) * slices
    along = (np.arange(slices) - lost[0]) / (slices - 1 - lost.sum())
    largest, bluntness = rng.uniform(0.25, 0.75), log_uniform(rng, 1.5, 5.0)
    away = np.where(along < largest, (largest - along) / largest, (along - largest) / (1 - largest))
    return np.clip(1 - away**bluntness, 0, None) ** (1 / bluntness)


def random_tube(rng: np.random.Generator, mix: np.ndarray, diameter: float, size: int, limit: float = 0.42) -> Tube:
    """A tube of about `diameter` pixels that drifts around the middle; its radius stays below `limit` crop sizes."""
    change = rng.uniform(0.2, 1.0)
    aspect_path, area_path, turn_path, bend_path, *centre_paths = change * smooth_paths(rng, mix, 6)
    aspect = np.exp(abs(rng.normal(0, 0.5)) + 0.25 * aspect_path)
    exponent = 2.0 if rng.random() < 0.5 else log_uniform(rng, 1.3, 5.0)
    round_part = rng.uniform(0, 0.25) * angular_profile(rng, mix, 1, 4)
    lobes = (rng.uniform(0, 0.25) if rng.random() < 0.35 else 0.0) * angular_profile(rng, mix, 3, 9)
    scale = diameter / 2 * np.exp(rng.uniform(0.05, 0.35) * area_path)
    radius = superellipse(aspect, exponent) * np.exp(round_part + lobes) * scale[:, None]
    centre = np.clip(rng.uniform(0.0, 0.1) * size * np.stack(centre_paths), -0.18 * size, 0.18 * size)
    turn = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 0.4) * turn_path
    bend = (rng.uniform(0.1, 1.0) if rng.random() < 0.5 else 0.0) * (1 + 0.4 * bend_path) / max(diameter, 8)
    return Tube(np.clip(radius, 1.0, limit * size), centre, turn, bend)
