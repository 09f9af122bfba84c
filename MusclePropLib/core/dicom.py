"""Finding the files of one DICOM series."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import check_name, is_hidden
from MusclePropLib.core.images import SHEARED, open_image

SERIES_UID = "0020|000e"
POSITION = "0020|0032"
ORIENTATION = "0020|0037"
SPACING_BETWEEN = "0018|0088"
FRAME_TIMES = ("0018|1063", "0018|1065")
SAME_PLACE_MM = 1e-3
PARALLEL = 0.01
"""How far the parts of parallel axes may differ: they may be rounded."""
SOP_CLASS = "0008|0016"
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
NUMBER = "0020|0013"
WHOLE_STEPS = 0.1
"""How far, in slices, a gap may be off a whole number of slices for them to be missing: positions may be rounded."""
ASIDE_PIXELS = 0.1
ROUNDED_MM = 0.2
"""How far slices may lie off the line along their normal: a part of a pixel, or what positions to 0.1 mm come to."""
HEADER_BYTES = 1 << 14
"""How much of a file is looked at for the series that it belongs to."""


def is_dicom(path: Path) -> bool:
    """Whether `path` is a folder or a file that ITK's DICOM reader takes. InputError for a name that it cannot take."""
    check_name(path)
    return path.is_dir() or sitk.ImageFileReader.GetImageIOFromFileName(os.fspath(path)) == "GDCMImageIO"


def series_reader(path: Path) -> sitk.ImageSeriesReader | sitk.ImageFileReader:
    """A reader for the series in folder `path`, or for the series that file `path` belongs to.

    Raises InputError if the folder holds no series, or several, so that the choice is the user's and not the order
    of the files, if a file of the series cannot be read or has a name that is not UTF-8, and for a DICOM SEG.
    """
    check_name(path)
    if path.is_dir():
        folder, series = path, _series_ids(path)
        if not series:
            raise InputError(f"{path}: no DICOM series in this folder")
        if len(series) > 1:
            raise InputError(f"{path}: {len(series)} DICOM series in this folder; name one file of the one you mean")
        uid = series[0]
    else:
        single = _open(path)
        if _frames(single) > 1:
            return single
        folder, uid = path.parent, single.GetMetaData(SERIES_UID).strip()
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(os.fspath(folder), uid)
    for name in files:
        check_name(Path(name))
    if len(files) == 1 and _frames(single := _open(Path(files[0]))) > 1:
        return single
    if files:
        _check_readable(path, uid, files)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files or [os.fspath(path)])
    reader.MetaDataDictionaryArrayUpdateOn()
    return reader


def series_files(path: Path) -> list[Path]:
    """The files in folder `path`, hidden ones apart, or those of the series that file `path` belongs to.

    Of a damaged series, only the file itself. Raises OSError if a folder cannot be looked into.
    """
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file() and not is_hidden(file.name))
    try:
        reader = series_reader(path)
    except (InputError, RuntimeError):  # reading it will say why
        return [path]
    return [Path(name) for name in reader.GetFileNames()] if isinstance(reader, sitk.ImageSeriesReader) else [path]


def refuse_segmentation(reader: sitk.ImageFileReader, path: Path) -> None:
    """InputError for a DICOM SEG: ITK makes one image of the frames of all its segments, and loses names and grid."""
    if is_dicom(path) and _kind(reader) in SEGMENTATIONS:
        said = "a DICOM SEG, whose segments cannot be told apart here"
        raise InputError(f"{path}: {said}; give the .seg.nrrd instead, or import it in Slicer and save it as .seg.nrrd")


def _open(file: Path) -> sitk.ImageFileReader:
    reader = open_image(file)
    refuse_segmentation(reader, file)
    return reader


def _kind(reader: sitk.ImageFileReader) -> str:
    """What kind of object the file is, by its SOP class; "" if that is not told."""
    return reader.GetMetaData(SOP_CLASS).strip("\0 ") if reader.HasMetaDataKey(SOP_CLASS) else ""


def _frames(reader: sitk.ImageFileReader) -> int:
    return reader.GetSize()[2] if reader.GetDimension() > 2 else 1


def check_placed(reader: sitk.ImageFileReader, path: Path) -> None:
    """InputError if the frames of a file follow each other in time, or lie nowhere."""
    timed = any(reader.HasMetaDataKey(key) for key in FRAME_TIMES)
    nowhere = set(reader.GetSpacing()) == {1.0} and not any(reader.GetOrigin())  # what ITK takes for want of better
    if (timed or nowhere) and not reader.HasMetaDataKey(SPACING_BETWEEN):
        said = f"{_frames(reader)} frames without their places (a cine loop?)"
        raise InputError(f"{path}: {said}; how far apart they are is not known")


def _series_ids(folder: Path) -> tuple[str, ...]:
    """The series in the folder; ITK's warning that there is none is not for the user, who gets a sentence."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return sitk.ImageSeriesReader.GetGDCMSeriesIDs(os.fspath(folder))
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _check_readable(path: Path, uid: str, files: Sequence[str]) -> None:
    """InputError for a damaged file of the series, which ITK leaves out with no more than a warning.

    Reports and the like, which are no images, are left out as well: a damaged slice is told by the kind of its
    object, or by ending where its header should be. Damaged files that name another series do not matter.
    """
    kind = _kind(_open(Path(files[0])))
    taken, endings = {Path(file).name for file in files}, {Path(file).suffix for file in files} - {""}
    for file in sorted(Path(files[0]).parent.iterdir()):
        if file.name in taken or is_hidden(file.name) or not file.is_file():
            continue
        start = beginning(file)
        found, series = uid_in(start, b"\2\0\2\0"), uid_in(start, b"\x20\0\x0e\0")
        short = not found and len(start) < HEADER_BYTES and file.suffix in endings
        if short or (found and found == kind and series in (uid, "")):
            raise InputError(f"{path}: the file {file.name} of the DICOM series cannot be read (damaged?)")


def beginning(file: Path) -> bytes:
    """The file's first bytes; none where it must not be read, as of an empty file."""
    try:
        with file.open("rb") as stream:
            return stream.read(HEADER_BYTES)
    except OSError:
        return b""


def uid_in(start: bytes, tag: bytes) -> str:
    """The value of the first little-endian element `tag`, be its type explicit or implicit; "" without it."""
    at = start.find(tag)
    if at < 0 or at + 8 > len(start):
        return ""
    explicit = start[at + 4 : at + 6] == b"UI"
    (length,) = struct.unpack_from("<H", start, at + (6 if explicit else 4))
    return start[at + 8 : at + 8 + length].decode("ascii", "replace").strip("\0 ")


def uneven_positions(reader: sitk.ImageSeriesReader, pixel: float, path: Path) -> np.ndarray | None:
    """Positions (slices,) in mm of a series that has been read, if its slices are not evenly spaced; else None.

    InputError if they are not parallel; if they do not all follow each other in one direction: then it holds several
    volumes; if they do so at a slant, by more than a part of the `pixel` (mm); and if there are gaps because slices are
    missing.
    """
    files = reader.GetFileNames()
    if not all(reader.HasMetaDataKey(i, key) for i in range(len(files)) for key in (POSITION, ORIENTATION)):
        return None
    corners = np.array([reader.GetMetaData(i, POSITION).split("\\") for i in range(len(files))], dtype=float)
    axes = np.array([reader.GetMetaData(i, ORIENTATION).split("\\") for i in range(len(files))], dtype=float)
    _check_parallel(axes, files, path)
    row, column = axes[0].reshape(2, 3)
    normal = np.cross(row, column)
    positions = (corners - corners[0]) @ normal
    positions = positions if positions[-1] >= 0 else -positions
    even = evenly_spaced(positions, path)
    check_upright(corners, normal, pixel, path)
    if even:
        return None
    _check_complete(reader, np.diff(positions), path)
    return positions


def _check_parallel(axes: np.ndarray, files: Sequence[str], path: Path) -> None:
    """InputError if a slice's `axes` (slices, 6) differ from the others', as a localizer's under the same series."""
    off = np.abs(axes - np.median(axes, axis=0)).max(axis=1)
    if off.max() > PARALLEL:
        odd = Path(files[int(np.argmax(off))]).name
        raise InputError(f"{path}: the orientations of its slices differ; is {odd} a localizer? one volume is needed")


def evenly_spaced(positions: np.ndarray, path: Path) -> bool:
    """Whether slices at `positions` (slices,) mm are; InputError if they do not follow each other in one direction."""
    steps = np.diff(positions)
    if (steps < SAME_PLACE_MM).any():
        raise InputError(f"{path}: several slices at the same place (a time series?); one volume is needed")
    return len(steps) < 2 or bool(np.ptp(steps) <= 0.01 * np.mean(steps))


def check_upright(corners: np.ndarray, normal: np.ndarray, pixel: float, path: Path) -> None:
    """InputError unless the slices' `corners` (slices, 3) lie along their `normal`, as under a tilted gantry."""
    steps = corners - corners[0]
    aside = np.linalg.norm(steps - np.outer(steps @ normal, normal), axis=1)
    if aside.max() > max(ASIDE_PIXELS * pixel, ROUNDED_MM):
        raise InputError(f"{path}: {SHEARED}")


def _check_complete(reader: sitk.ImageSeriesReader, steps: np.ndarray, path: Path) -> None:
    """InputError if the slices are even but for gaps in which whole slices would fit, as their numbers confirm.

    `steps` (slices - 1,) mm. Slices that are numbered on without a gap were recorded like this.
    """
    usual = float(np.median(steps))
    times = np.rint(steps / usual)
    if times.max() < 2 or (np.abs(steps / usual - times) > WHOLE_STEPS).any() or _numbered_on(reader):
        return
    at, files = int(np.argmax(times)), [Path(file).name for file in reader.GetFileNames()]
    gap = f"between {files[at]} and {files[at + 1]}, {steps[at]:.4g} mm apart, where others are {usual:.4g} mm apart"
    raise InputError(f"{path}: a slice of the DICOM series is missing {gap}")


def _numbered_on(reader: sitk.ImageSeriesReader) -> bool:
    """Whether the slices' numbers go up, or down, by one each."""
    count = len(reader.GetFileNames())
    if not all(reader.HasMetaDataKey(i, NUMBER) for i in range(count)):
        return False
    numbers = [reader.GetMetaData(i, NUMBER).strip() for i in range(count)]
    try:
        return set(np.diff([int(number) for number in numbers]).tolist()) in ({1}, {-1})
    except ValueError:
        return False
