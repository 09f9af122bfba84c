"""Flaws: holes in a muscle, and specks beside it, where none of its drawn slices has any."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from scipy import ndimage

from MusclePropLib.core.guided.inputs import draft_logits
from MusclePropLib.core.priors.area import with_areas
from MusclePropLib.core.priors.distance import outline_distance

SPECK = 0.1
"""Share of the largest part up to which another one is a speck; a larger one may be a second head."""

TIES = 0.01
"""Share of the former logits in the new ones, so that pixels of one depth differ and an area is kept to the pixel."""


def without_flaws(logits: np.ndarray, drawn: Iterable[np.ndarray]) -> np.ndarray:
    """Logits (n, rows, columns) with neither holes nor specks, and the areas that they had.

    `drawn` are fields (rows, columns) of the known slices, positive inside: a muscle that has a hole on any of them
    keeps its holes, and one of several parts its specks. Around a flaw, too, the logits become those of a muscle
    without it, by the depth within its outline or the distance to it: else it would come again where the area is kept.
    """
    known = [_flaws(shape > 0) for shape in drawn]
    fill, join = (not any(flaws[kind] for flaws in known) for kind in (0, 1))
    whole, areas = logits.copy(), np.full(len(logits), np.nan)
    for place, plane in enumerate(logits):
        mask = plane > 0
        hollow, scattered = _flaws(mask)
        wanted = mask & ~_specks(mask) if scattered and join else mask
        wanted = ndimage.binary_fill_holes(wanted) if hollow and fill else wanted
        if (wanted != mask).any():
            whole[place], areas[place] = _outlined(wanted, plane), np.count_nonzero(mask)
    return with_areas(whole, areas)


def _outlined(mask: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Logits (rows, columns) that say `mask`, and are at least as certain as the distance to its outline."""
    certain = TIES * logits + draft_logits(outline_distance(mask))
    return np.where(mask, np.maximum(logits, certain), np.minimum(logits, certain))


def _flaws(mask: np.ndarray) -> tuple[bool, bool]:
    """Whether a mask (rows, columns) has a hole, and whether it has more than one part."""
    outlines, family = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parents = family[0, :, 3] if outlines else np.empty(0)
    return bool((parents >= 0).any()), np.count_nonzero(parents < 0) > 1


def _specks(mask: np.ndarray) -> np.ndarray:
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    sizes = stats[:, cv2.CC_STAT_AREA].astype(float)
    return mask & (sizes <= SPECK * sizes[1:].max())[parts]
