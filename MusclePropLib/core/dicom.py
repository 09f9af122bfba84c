"""Finding the files of one DICOM series."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.images import open_image

SERIES_UID = "0020|000e"
POSITION = "0020|0032"
ORIENTATION = "0020|0037"
SPACING_BETWEEN = "0018|0088"
FRAME_TIMES = ("0018|1063", "0018|1065")
SAME_PLACE_MM = 1e-3


def is_dicom(path: Path) -> bool:
    """Whether `path` is a folder or a file that ITK's DICOM reader takes."""
    return path.is_dir() or sitk.ImageFileReader.GetImageIOFromFileName(os.fspath(path)) == "GDCMImageIO"


def series_reader(path: Path) -> sitk.ImageSeriesReader | sitk.ImageFileReader:
    """A reader for the series in folder `path`, or for the series that file `path` belongs to.

    Raises InputError if the folder holds no series, or several, so that the choice is the user's and not the order
    of the files, and for a file of many frames of which is not known where they are.
    """
    if path.is_dir():
        folder, series = path, _series_ids(path)
        if not series:
            raise InputError(f"{path}: no DICOM series in this folder")
        if len(series) > 1:
            raise InputError(f"{path}: {len(series)} DICOM series in this folder; name one file of the one you mean")
        uid = series[0]
    else:
        single = open_image(path)
        if _frames(single) > 1:
            return _placed(single, path)
        folder, uid = path.parent, single.GetMetaData(SERIES_UID).strip()
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(os.fspath(folder), uid)
    if len(files) == 1 and _frames(single := open_image(Path(files[0]))) > 1:
        return _placed(single, path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files or [os.fspath(path)])
    reader.MetaDataDictionaryArrayUpdateOn()
    return reader


def _frames(reader: sitk.ImageFileReader) -> int:
    return reader.GetSize()[2] if reader.GetDimension() > 2 else 1


def _placed(reader: sitk.ImageFileReader, path: Path) -> sitk.ImageFileReader:
    """The reader of a file of many frames; InputError if they follow each other in time, or lie nowhere."""
    timed = any(reader.HasMetaDataKey(key) for key in FRAME_TIMES)
    nowhere = set(reader.GetSpacing()) == {1.0} and not any(reader.GetOrigin())  # what ITK takes for want of better
    if (timed or nowhere) and not reader.HasMetaDataKey(SPACING_BETWEEN):
        said = f"{_frames(reader)} frames without their places (a cine loop?)"
        raise InputError(f"{path}: {said}; how far apart they are is not known")
    return reader


def _series_ids(folder: Path) -> tuple[str, ...]:
    """The series in the folder; ITK's warning that there is none is not for the user, who gets a sentence."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return sitk.ImageSeriesReader.GetGDCMSeriesIDs(os.fspath(folder))
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def uneven_positions(reader: sitk.ImageSeriesReader, path: Path) -> np.ndarray | None:
    """Positions (slices,) in mm of a series that has been read, if its slices are not evenly spaced; else None.

    InputError if they do not all follow each other in one direction: then it holds several volumes.
    """
    files = reader.GetFileNames()
    if not all(reader.HasMetaDataKey(i, key) for i in range(len(files)) for key in (POSITION, ORIENTATION)):
        return None
    corners = np.array([reader.GetMetaData(i, POSITION).split("\\") for i in range(len(files))], dtype=float)
    row, column = np.array(reader.GetMetaData(0, ORIENTATION).split("\\"), dtype=float).reshape(2, 3)
    positions = (corners - corners[0]) @ np.cross(row, column)
    positions = positions if positions[-1] >= 0 else -positions
    steps = np.diff(positions)
    if (steps < SAME_PLACE_MM).any():
        raise InputError(f"{path}: several slices at the same place (a time series?); one volume is needed")
    return None if len(steps) < 2 or np.ptp(steps) <= 0.01 * np.mean(steps) else positions
