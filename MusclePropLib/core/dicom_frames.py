"""Where the frames of a multi-frame DICOM file lie.

SimpleITK gives no sequences of a header, and ITK does not say what it made of the frames' positions: it takes 1 mm for
frames that are uneven or out of order, for their pixels, too, and the first step for all if some are at the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from MusclePropLib.core import dicom
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry

if TYPE_CHECKING:
    from pydicom import Dataset

SHARED, EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames as a stack: their `order` in the file, the first one's `corner` and the mean `step` (3,) in LPS mm.

    `positions` (frames,) mm in that order, or None if they are evenly spaced; `pixel` height and width in mm, if known.
    """

    order: np.ndarray | slice
    corner: np.ndarray
    step: np.ndarray
    positions: np.ndarray | None
    pixel: np.ndarray | None

    def on(self, geometry: Geometry) -> Geometry:
        """The grid that ITK has read, with the frames where they are."""
        affine = geometry.affine.copy()
        affine[:3, 0], affine[:3, 3] = self.step, self.corner
        if self.pixel is not None:
            affine[:3, 1:3] *= self.pixel / np.array(geometry.spacing[1:])
        return Geometry(geometry.shape, affine)


def placed_frames(reader: sitk.ImageFileReader, path: Path) -> Frames | None:
    """The frames in the order of their places, each with its own in the header; None for a file without such places.

    Frames that follow each other in either direction stay as they are stored. Raises InputError if several are at the
    same place or at a slant, if pixels differ in size, and if the header is damaged or cannot be looked into.
    """
    corners, pixel = _places(reader, path)
    if not len(corners):
        return None
    row, column, _ = np.reshape(reader.GetDirection(), (3, 3)).T
    normal = np.cross(row, column)
    if (np.diff(corners @ normal) <= 0).all():
        normal = -normal
    distances = (corners - corners[0]) @ normal
    order = slice(None) if (np.diff(distances) >= 0).all() else np.argsort(distances, kind="stable")
    corners, positions = corners[order], distances[order] - distances.min()
    even = dicom.evenly_spaced(positions, path)
    dicom.check_upright(corners, normal, min(reader.GetSpacing()[:2] if pixel is None else pixel), path)
    step = normal * positions[-1] / (len(positions) - 1)
    return Frames(order, corners[0], step, None if even else positions, pixel)


def _places(reader: sitk.ImageFileReader, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The frames' corners (frames, 3) in LPS mm, (0, 3) if the header has none, and the pixel's height and width."""
    import pydicom  # takes a moment, and few need it

    frames = reader.GetSize()[2]
    try:
        header = pydicom.dcmread(reader.GetFileName(), stop_before_pixels=True, force=True)
        shared, each = list(header.get(SHARED, ())), list(header.get(EACH, ()))
        groups = [[group, *shared] for group in each] or [shared] * frames
        corners = _numbers(groups, "PlanePositionSequence", "ImagePositionPatient", 3)
        pixels = _numbers(groups, "PixelMeasuresSequence", "PixelSpacing", 2)
    except Exception as fault:  # of what pydicom raises for a damaged file, nothing is documented
        raise InputError(f"{path}: what its header tells of the places of its frames is damaged") from fault
    if len(corners) not in (0, frames):
        raise InputError(f"{path}: {frames} frames, but positions of {len(corners)}; where they lie is not known")
    if len(corners) and len(pixels) and (pixels != pixels[0]).any():
        raise InputError(f"{path}: frames with pixels of different sizes; one volume is needed")
    return corners, pixels[0] if len(pixels) else None


def _numbers(groups: Sequence[Sequence[Dataset]], sequence: str, keyword: str, count: int) -> np.ndarray:
    """(found, count) in the order of the frames, each of which has its own group and the shared one."""
    told = [next((g[sequence][0].get(keyword) for g in its if g.get(sequence)), None) for its in groups]
    numbers = np.array([value for value in told if value is not None], dtype=float).reshape(-1, count)
    if not np.isfinite(numbers).all() or (sequence == "PixelMeasuresSequence" and (numbers <= 0).any()):
        raise ValueError(f"{keyword} says nothing")
    return numbers
