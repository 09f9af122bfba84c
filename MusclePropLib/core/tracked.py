"""Tracked sweeps: where each frame lies along the sweep, from the poses recorded with it.

A freehand sweep is a stack of frames at uneven distances. Its position along the sweep is, for each frame, the
signed distance of the frame's centre from the first frame's, projected on one fixed direction: the mean normal of the
frames (so that area times distance is volume, also when the probe was pushed at a slant), or, when the poses do not
say how the image lies in the probe, the main direction of the movement. The direction points from the first frame to
the last. Positions are not forced to increase: where the hand went back, they go back.

Poses come from the frame fields of IGSIO sequences (`.igs.mha`, `.igs.nrrd`; http://igsio.github.io) or from a
`frames.csv` beside the image, whose last twelve columns are the 3 x 4 matrix from (column + 0.5, row + 0.5, 0, 1) in
pixels of the recorded frame, which may be larger than the stored one, to millimetres.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MusclePropLib.core.errors import InputError

_FIELD = re.compile(r"Seq(?:uence)?_?Frame(\d+)_(\w+?)(?:Transform)?(Status)?$")
_SAME_PIXEL = 0.02  # relative disagreement of two pixel sizes that is still the same calibration


@dataclass(frozen=True)
class Sweep:
    """`positions` (frames,) in mm along the sweep; `pixel` (row, column) size in mm, or None if the poses lack it."""

    positions: np.ndarray
    pixel: tuple[float, float] | None


def sweep_from_fields(fields: Mapping[str, str], shape: tuple[int, int, int], source: str) -> Sweep | None:
    """The sweep of an IGSIO sequence's header fields; None if there are no frame transforms.

    `shape` is (frames, rows, columns). Poses whose status is not OK are interpolated from their neighbours.
    `Image...` transforms are preferred to `Probe...` ones; a `ReferenceToTracker` pose, the patient's, is divided out.
    """
    tables = _frame_transforms(fields, shape[0], source)
    names = [n for n in tables if not n.startswith(("Reference", "Stylus", "Tracker"))]
    if not names:
        return None
    name = min(names, key=lambda n: (not n.startswith("Image"), not n.startswith("Probe"), "Reference" not in n))
    poses = tables[name]
    if name.endswith("ToTracker") and "ReferenceToTracker" in tables:
        poses = _inverse(tables["ReferenceToTracker"]) @ poses
    calibrated = name.startswith("Image")
    calibration = fields.get(f"ImageTo{name.split('To')[0]}Transform")
    if not calibrated and calibration:
        poses, calibrated = poses @ _matrix(calibration, source), True
    poses = _filled(poses, source)
    return _sweep(poses, shape, 0.0) if calibrated else Sweep(_positions(poses[:, :3, 3], None), None)


def sweep_from_csv(path: Path, shape: tuple[int, int, int], pixel: tuple[float, float]) -> Sweep:
    """The sweep of a `frames.csv`; `pixel` is the stored image's (row, column) size in mm, to find its reduction."""
    try:
        rows = np.loadtxt(path, delimiter=",", comments="#", ndmin=2)
    except (OSError, ValueError) as fault:
        raise InputError(f"{path}: not a table of frame poses ({fault})") from fault
    if rows.shape[1] < 12 or len(rows) != shape[0]:
        raise InputError(
            f"{path}: {len(rows)} poses of {rows.shape[1]} columns do not fit an image of {shape[0]} frames"
        )
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3] = rows[:, -12:].reshape(-1, 3, 4)
    poses = _filled(poses, str(path))
    recorded = np.median(np.linalg.norm(poses[:, :3, :2], axis=1), axis=0)
    poses[:, :3, :2] *= np.maximum(1, np.round(np.array(pixel)[::-1] / recorded))
    return _sweep(poses, shape, 0.5)


def same_pixel(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether two (row, column) pixel sizes in mm are the same calibration."""
    return bool(np.allclose(a, b, rtol=_SAME_PIXEL))


def _sweep(poses: np.ndarray, shape: tuple[int, int, int], corner: float) -> Sweep:
    """`poses` (frames, 4, 4) from stored pixels (column + corner, row + corner) to mm."""
    rows, columns = shape[1:]
    centre = np.array([(columns - 1) / 2 + corner, (rows - 1) / 2 + corner, 0.0, 1.0])
    normals = np.cross(poses[:, :3, 0], poses[:, :3, 1])
    width, height = np.median(np.linalg.norm(poses[:, :3, :2], axis=1), axis=0)
    return Sweep(_positions((poses @ centre)[:, :3], normals), (float(height), float(width)))


def _positions(centres: np.ndarray, normals: np.ndarray | None) -> np.ndarray:
    """(frames,) mm: `centres` (frames, 3) projected on the mean of `normals`, or on their own main direction."""
    offsets = centres - centres[0]
    if normals is None:
        direction = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)[2][0]
    else:
        direction = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).mean(axis=0)
        direction /= np.linalg.norm(direction)
    positions = offsets @ direction
    return positions if positions[-1] >= 0 else -positions


def _frame_transforms(fields: Mapping[str, str], frames: int, source: str) -> dict[str, np.ndarray]:
    """Transform name -> (frames, 4, 4); NaN where a frame has none or its status is not OK."""
    tables: dict[str, np.ndarray] = {}
    lost: list[tuple[int, str]] = []
    for key, value in fields.items():
        match = _FIELD.match(key)
        if not match or "To" not in match[2] or int(match[1]) >= frames:
            continue
        frame, name, status = int(match[1]), match[2], match[3]
        if status:
            lost += [(frame, name)] if value.strip().upper() != "OK" else []
        else:
            tables.setdefault(name, np.full((frames, 4, 4), np.nan))[frame] = _matrix(value, source)
    for frame, name in lost:
        if name in tables:
            tables[name][frame] = np.nan
    return tables


def _matrix(text: str, source: str) -> np.ndarray:
    try:
        return np.array(text.split(), dtype=float).reshape(4, 4)
    except ValueError as fault:
        raise InputError(f"{source}: the frame transform '{text[:40]}' is not a 4 x 4 matrix") from fault


def _inverse(poses: np.ndarray) -> np.ndarray:
    """Inverse of each (frames, 4, 4) pose; NaN where there is none."""
    sound = np.abs(np.nan_to_num(np.linalg.det(poses))) > 1e-9
    return np.where(sound[:, None, None], np.linalg.inv(np.where(sound[:, None, None], poses, np.eye(4))), np.nan)


def _filled(poses: np.ndarray, source: str) -> np.ndarray:
    """Missing or degenerate poses interpolated between the good ones around them, and held at the ends."""
    planes = np.linalg.norm(np.cross(poses[:, :3, 0], poses[:, :3, 1]), axis=1)
    known = np.flatnonzero(np.isfinite(poses).all(axis=(1, 2)) & (planes > 0))
    if len(known) < 2:
        raise InputError(f"{source}: fewer than two frames have a valid pose")
    frames = np.arange(len(poses))
    flat = poses.reshape(len(poses), 16)
    return np.stack([np.interp(frames, known, flat[known, c]) for c in range(16)], axis=1).reshape(-1, 4, 4)
