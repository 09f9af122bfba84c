"""Windows that follow the tissue beyond the outermost drawn slices, where no mask says how the muscle drifts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy import ndimage

from MusclePropLib.core.priors import flow
from MusclePropLib.core.priors.distance import signed_distance
from MusclePropLib.core.priors.frame import WIDER, CropFrame


def following(frame: CropFrame, array: np.ndarray, drawn: Mapping[int, np.ndarray]) -> CropFrame:
    """The frame with its windows beyond the outermost drawn slices moved along with the muscle that flow carries there.

    `array` (slices, rows, columns) is the volume; `drawn` maps slices to (rows, columns) masks, of which at least one
    lies on a slice of the frame. Without it the windows beyond stay where the muscle was drawn last, and may lose it.
    """
    known = [place for place, t in enumerate(frame.slices) if int(t) in drawn]
    centres = frame.centres.copy()
    for places in (np.arange(known[-1], len(centres)), np.arange(known[0], -1, -1)):
        centres[places] = _centres(frame, places, array, drawn[int(frame.slices[places[0]])])
    return replace(frame, centres=centres)


def _centres(frame: CropFrame, places: np.ndarray, array: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Centres (n, 2) of the windows on `places`, from one with a mask (rows, columns) on.

    They keep what is carried where the mask lies in the first window; where nothing is left of it they stay. It is
    carried in WIDER windows than the frame's.
    """
    step = (WIDER * frame.step[0], WIDER * frame.step[1])
    centres = frame.centres[places].copy()
    first = replace(frame, slices=frame.slices[places[:1]], centres=centres[:1], step=step)
    field = signed_distance(mask, first, 0)
    if not (field > 0).any():
        return centres
    middle = _middle(field)
    for at, (here, there) in enumerate(pairwise(places)):
        pair = CropFrame(frame.slices[[here, there]], np.stack([centres[at]] * 2), step)
        field = flow.carried_on(field, *(pair.sample(array[t], i) for i, t in enumerate(pair.slices)))
        if not (field > 0).any():
            centres[at + 1 :] = centres[at]
            break
        moved = _middle(field) - middle
        centres[at + 1] = centres[at] + moved * step
        field = pair.warp(field, np.array([[1, 0, moved[1]], [0, 1, moved[0]]]))
    return centres


def _middle(field: np.ndarray) -> np.ndarray:
    return np.array(ndimage.center_of_mass(field > 0))
