"""Slivers: what is left of a muscle in the cracks between its neighbours once they have taken what they know better."""

from __future__ import annotations

import cv2
import numpy as np

RADIUS = 2.0
"""Crop pixels of the muscle's own window: what is thinner than twice as much can be a sliver."""

LENGTH = 4.0
"""So many radii away from the muscle's body a thin part leads when it is a sliver and not a tapering corner."""


def slivers(alone: np.ndarray, won: np.ndarray, scale: float) -> np.ndarray:
    """Where a muscle is long and thin, or cut off, only because of its neighbours: (rows, columns) bool.

    `alone` (rows, columns) bool is the muscle as if it had no neighbours, `won` what they leave of it; `scale` is the
    side of the muscle's crop pixel in pixels of these masks. Parts that are thin by themselves are none. What lies
    around a sliver belongs to it, so that none comes up again where the muscle is given more room.
    """
    nothing = np.zeros_like(won)
    if won.sum() == alone.sum():
        return nothing
    disc = _disc(RADIUS * scale)
    body = _opened(won, disc)
    if not body.any():
        return nothing
    thin = won & _opened(alone, disc) & ~body
    count, parts = cv2.connectedComponents(thin.astype(np.uint8), connectivity=8)
    away = cv2.distanceTransform((~body).astype(np.uint8), cv2.DIST_L2, 5)
    farthest, nearest = np.zeros(count), np.full(count, np.inf)
    np.maximum.at(farthest, parts[thin], away[thin])
    np.minimum.at(nearest, parts[thin], away[thin])
    sliver = (farthest > LENGTH * RADIUS * scale) | (nearest > 2)
    sliver[0] = False
    return cv2.dilate(sliver[parts].astype(np.uint8), disc).astype(bool) & ~body


def _opened(mask: np.ndarray, disc: np.ndarray) -> np.ndarray:
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc).astype(bool)


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
