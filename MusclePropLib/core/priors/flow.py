"""Masks carried from slice to slice by dense optical flow.

DIS flow (Kroeger et al., ECCV 2016, as in OpenCV) between neighbouring slices; coordinates, not masks, are chained,
so a mask is resampled once however far it is carried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np

FINE, COARSE = 0, 2
"""Finest scale of the flow: it is told apart by patches of 8 pixels, each of 2 ** scale crop pixels.

The fine one carries much farther on most volumes, the coarse one on sweeps over bone.
"""

Flows = tuple[np.ndarray, np.ndarray]


def neighbour_flows(images: np.ndarray, finest: int = FINE) -> Flows:
    """Flow between neighbouring crops (n, rows, columns): (to_previous, to_next), each (n - 1, rows, columns, 2).

    `to_previous[i]` says for each pixel of slice i + 1 where it lies on slice i; `to_next[i]` for each pixel of slice
    i where it lies on slice i + 1; (x, y) offsets in pixels.
    """
    planes = _to_bytes(images)
    return _to_previous(planes, finest), _to_previous(planes[::-1], finest)[::-1]


def carried_on(field: np.ndarray, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """A field (rows, columns) of one crop on the next one, by the flow between their images (rows, columns)."""
    to_previous = _to_previous(_to_bytes(np.stack([here, there])), FINE)
    return carry(field, carried_coordinates(0, 1, (to_previous, to_previous[:0]))[1:])[0]


def _to_previous(planes: np.ndarray, finest: int) -> np.ndarray:
    engine = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    engine.setFinestScale(finest)
    flows = np.zeros((max(len(planes) - 1, 0), *planes.shape[1:], 2), np.float32)
    for i, (here, there) in enumerate(pairwise(planes)):
        flows[i] = engine.calc(there, here, None)
    return flows


def carried_coordinates(start: int, stop: int, flows: Flows) -> np.ndarray:
    """Where each pixel of the slices from `start` to `stop` lies on `start`: (|stop - start| + 1, rows, columns, 2).

    Rows of the answer go away from `start`, which is the first. Coordinates that leave the crop keep counting.
    """
    to_previous, to_next = flows
    rows, columns = to_previous.shape[1:3]
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).astype(np.float32)
    chain = [grid]
    step = 1 if stop >= start else -1
    for here in range(start, stop, step):
        flow = to_previous[here] if step > 0 else to_next[here - 1]
        chain.append(_follow(chain[-1], grid + flow))
    return np.stack(chain)


def carry(field: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """A field (rows, columns[, layers]) of the first slice of `carried_coordinates` on all of its slices."""
    return np.stack(
        [
            cv2.remap(field, here[..., 0], here[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for here in coordinates
        ]
    )


def carried_both_ways(fields: Mapping[int, np.ndarray], count: int, flows: Flows) -> tuple[np.ndarray, np.ndarray]:
    """Known fields carried towards later slices and towards earlier ones: two (count, rows, columns[, layers]) stacks.

    `fields` maps places in the stack to fields, of up to four layers. In each gap the first stack comes from the slice
    before, the second from the slice after; beyond the outermost known slices both come from the only side there is.
    """
    known = sorted(fields)
    forward = np.empty((count, *fields[known[0]].shape), np.float32)
    backward = np.empty_like(forward)
    for start, stop in zip(known, [*known[1:], count - 1], strict=True):
        forward[start : stop + 1] = carry(fields[start], carried_coordinates(start, stop, flows))
    for start, stop in zip(known, [0, *known[:-1]], strict=True):
        backward[stop : start + 1] = carry(fields[start], carried_coordinates(start, stop, flows))[::-1]
    forward[: known[0]] = backward[: known[0]]
    backward[known[-1] + 1 :] = forward[known[-1] + 1 :]
    for place, field in fields.items():
        forward[place] = backward[place] = field
    return forward, backward


def blend(forward: np.ndarray, backward: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """The two stacks mixed by `weights` (count,), the share of the backward one."""
    share = np.asarray(weights, np.float32)[:, None, None]
    return (1 - share) * forward + share * backward


def carried_dice(fields: Mapping[int, np.ndarray], flows: Flows) -> np.ndarray:
    """Dice (2 (n - 1),) of every field carried to the next one, and of every field carried to the one before."""
    known = sorted(fields)
    scores = []
    for start, stop in [*pairwise(known), *pairwise(known[::-1])]:
        found = carry(fields[start], carried_coordinates(start, stop, flows)[-1:])[0] > 0
        drawn = fields[stop] > 0
        scores.append(2 * np.count_nonzero(found & drawn) / max(np.count_nonzero(found) + np.count_nonzero(drawn), 1))
    return np.array(scores)


def _follow(chain: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """chain sampled at `onto`; beyond the border it is continued as a shift."""
    rows, columns = chain.shape[:2]
    limit = np.array([columns - 1, rows - 1], np.float32)
    inside = np.clip(onto, 0, limit)
    return cv2.remap(chain, inside[..., 0], inside[..., 1], cv2.INTER_LINEAR) + (onto - inside)


def _to_bytes(images: np.ndarray) -> np.ndarray:
    """One contrast window for the whole stack: a window per slice would itself look like motion."""
    low, high = np.percentile(images, (0.5, 99.5))
    return np.clip((images - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
