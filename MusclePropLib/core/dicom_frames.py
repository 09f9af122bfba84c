"""Where the frames of a multi-frame DICOM file lie.

SimpleITK gives no sequences of a header, and ITK does not say what it made of the frames' positions: it takes 1 mm for
frames that are uneven or out of order, for their pixels, too, and the first step for all if some are at the same place.
So both are read from the file's bytes; pydicom, which could do it, comes only with the extra `dicom`.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MusclePropLib.core import dicom
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry

TRANSFER_SYNTAX = b"\2\0\x10\0"
OTHER_BYTES = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
"""Transfer syntaxes whose headers are packed (deflated) or big-endian."""
_IN_SEQUENCE = rb"(?:SQ\0\0)?.{4}\xfe\xff\0\xe0.{4}.{0,48}?"
"""From the tag of a sequence into its first item, over two short elements at most: types explicit or implicit."""
_NUMBERS = rb"(?:DS(..)|(..)\0\0)"
_POSITION = re.compile(rb"\x20\0\x13\x91" + _IN_SEQUENCE + rb"\x20\0\x32\0" + _NUMBERS, re.DOTALL)
"""Image Position (Patient) in a Plane Position Sequence; makers repeat the position in sequences of their own."""
_PIXEL = re.compile(rb"\x28\0\x10\x91" + _IN_SEQUENCE + rb"\x28\0\x30\0" + _NUMBERS, re.DOTALL)
"""Pixel Spacing in a Pixel Measures Sequence."""


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
    file, frames = Path(reader.GetFileName()), reader.GetSize()[2]
    packed = dicom.uid_in(dicom.beginning(file), TRANSFER_SYNTAX) in OTHER_BYTES
    if packed and not reader.HasMetaDataKey(dicom.SPACING_BETWEEN):
        said = "a deflated or big-endian DICOM file, in which the places of the frames cannot be looked up"
        raise InputError(f"{path}: {said}; convert it to explicit little-endian first, as with dcmconv +te")
    try:
        corners, pixels = _numbers(file, _POSITION, 3), _numbers(file, _PIXEL, 2)
        if (pixels <= 0).any():
            raise ValueError("pixels without a size")
    except ValueError as fault:
        raise InputError(f"{path}: what its header tells of the places of its frames is damaged") from fault
    if len(corners) == 1:  # said once for all frames
        corners = np.repeat(corners, frames, axis=0)
    if len(corners) not in (0, frames):
        raise InputError(f"{path}: {frames} frames, but positions of {len(corners)}; where they lie is not known")
    if len(corners) and len(pixels) and (pixels != pixels[0]).any():
        raise InputError(f"{path}: frames with pixels of different sizes; one volume is needed")
    return corners, pixels[0] if len(pixels) else None


def _numbers(path: Path, pattern: re.Pattern, count: int) -> np.ndarray:
    """(found, count) in the order of the file; ValueError if they are no such numbers."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        places = [(at.end(), int.from_bytes(at[1] or at[2], "little")) for at in pattern.finditer(view)]
        texts = [view[start : start + length] for start, length in places]
    numbers = np.array([text.decode("ascii").strip("\0 ").split("\\") for text in texts], dtype=float)
    if not np.isfinite(numbers).all():
        raise ValueError("not finite")
    return numbers.reshape(-1, count) if len(texts) else np.empty((0, count))
