"""Image volumes and tracked sweeps, read and written without copying their pixels more than needed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MusclePropLib.core import dicom, dicom_frames, images
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.tracked import Sweep, same_pixel, sweep_from_csv, sweep_from_fields

FRAMES_CSV = "frames.csv"


@dataclass(eq=False)
class Volume:
    """One grey volume.

    `array` (slices, rows, columns), possibly read-only and not contiguous; `geometry` is that array's; `axis` says
    which axis of the stored array stands first. `positions` (slices,) mm along a tracked sweep, or None on an even
    grid. `source` names the file for messages. `header` is the stored array's grid by the file's header where the
    poses of a tracked sweep have put another in its place.
    """

    array: np.ndarray
    geometry: Geometry
    positions: np.ndarray | None = None
    axis: int = 0
    source: str = ""
    header: Geometry | None = None

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise ValueError(f"array {self.array.shape} and geometry {self.geometry.shape} differ")
        if self.positions is not None and len(self.positions) != len(self.array):
            raise ValueError(f"{len(self.positions)} positions for {len(self.array)} slices")

    def along(self, axis: int) -> Volume:
        """The same volume, a view, with axis `axis` of the *stored* array first.

        A sweep's positions belong to its frames; looked at along another axis, it is taken as an even grid.
        """
        if axis == self.axis:
            return self
        stored, geometry = np.moveaxis(self.array, 0, self.axis), _put_back(self.geometry, self.axis)
        return Volume(np.moveaxis(stored, axis, 0), geometry.moved(axis), None, axis, self.source, self.header)

    def slice_positions(self) -> np.ndarray:
        """(slices,) mm along the first axis; from poses not always increasing, see `core.tracked`."""
        if self.positions is not None:
            return self.positions
        return np.arange(len(self.array)) * self.geometry.spacing[0]


def read_volume(path: str | Path) -> Volume:
    """Read NRRD, NIfTI, MetaImage, DICOM (a series' folder or one file, of many frames or not) or a tracked sequence.

    Raises InputError, naming the file, if it is missing, not an image, a DICOM SEG, breaks off, is in colour, a time
    series without poses, has NaN or infinite values (NaN in a NIfTI counts as 0), is empty or constant, has one slice
    only, lacks slices of a DICOM series, or has several at the same place or at a slant (under a tilted gantry).
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    volume = _read_series(path) if dicom.is_dicom(path) else _read_file(path)
    _check(volume)
    return volume


def volume_files(path: str | Path) -> list[Path]:
    """The files that `read_volume` reads: if any of them changes, so may the volume.

    The first is `path` itself, even if it is missing, unless it is of a DICOM series. Raises OSError if a folder cannot
    be looked into.
    """
    path = Path(path)
    if dicom.is_dicom(path):
        return dicom.series_files(path)
    poses = path.parent / FRAMES_CSV
    return [*images.image_files(path), *([poses] if poses.is_file() else [])]


def write_volume(path: str | Path, volume: Volume) -> None:
    """Write array and geometry, in the stored axis order, in the format that the ending names; positions are not kept.

    Raises InputError if it cannot be written; then there is no file.
    """
    stored = volume.along(0)
    images.save_image(images.image_of(stored.array, stored.geometry), Path(path))


def _put_back(geometry: Geometry, axis: int) -> Geometry:
    """Undo `geometry.moved(axis)`."""
    order = np.argsort([axis, *(a for a in range(3) if a != axis)])
    affine = geometry.affine.copy()
    affine[:, :3] = geometry.affine[:, order]
    return Geometry(tuple(geometry.shape[a] for a in order), affine)


def _read_series(path: Path) -> Volume:
    reader = dicom.series_reader(path)
    frames = dicom_frames.placed_frames(reader, path) if isinstance(reader, sitk.ImageFileReader) else None
    image = images.load_pixels(reader, path)
    _check_components(image.GetNumberOfComponentsPerPixel(), path)
    array, geometry = images.array_of(image), images.geometry_of(image)
    if frames is not None:
        return Volume(array[frames.order], frames.on(geometry), frames.positions, source=os.fspath(path))
    if isinstance(reader, sitk.ImageFileReader):
        dicom.check_placed(reader, path)
        return Volume(array, geometry, source=os.fspath(path))
    positions = dicom.uneven_positions(reader, min(geometry.spacing[1:]), path)
    return Volume(array, geometry, positions, source=os.fspath(path))


def _read_file(path: Path) -> Volume:
    reader = images.open_image(path)
    fields = images.metadata(reader)
    if reader.GetDimension() == 2 and _is_sequence(fields):
        return _read_frame_list(reader, fields, path)
    _check_components(reader.GetNumberOfComponents(), path)
    images.drop_single_axis(reader, path)
    image = images.load_pixels(reader, path)
    array, geometry = images.array_of(image), images.geometry_of(image)
    return _with_poses(array, geometry, fields, path)


def _check_components(count: int, path: Path) -> None:
    if count != 1:
        raise InputError(f"{path}: {count} values per voxel (a colour image or a time series); grey values are needed")


def _is_sequence(fields: dict[str, str]) -> bool:
    return any(key.startswith(("Seq_Frame", "SequenceFrame")) for key in fields)


def _read_frame_list(reader: sitk.ImageFileReader, fields: dict[str, str], path: Path) -> Volume:
    """An `.igs.nrrd`: ITK takes its list of frames for the components of one 2D image."""
    image = images.load_pixels(reader, path)
    array = np.ascontiguousarray(np.moveaxis(images.array_of(image), -1, 0))
    column, row = image.GetSpacing()
    return _with_poses(array, Geometry.from_spacing(array.shape, (1.0, row, column)), fields, path)


def _with_poses(array: np.ndarray, geometry: Geometry, fields: dict[str, str], path: Path) -> Volume:
    sweep = sweep_from_fields(fields, geometry.shape, str(path))
    csv = path.parent / FRAMES_CSV
    if sweep is None and csv.is_file():
        sweep = sweep_from_csv(csv, geometry.shape, geometry.spacing[1:])
    if sweep is None and _is_sequence(fields):
        raise InputError(f"{path}: a sequence of frames without poses; how far apart they are is not known")
    if sweep is None:
        return Volume(array, geometry, source=os.fspath(path))
    if np.ptp(sweep.positions) == 0:
        raise InputError(f"{path}: the probe does not move, by the poses recorded with the frames")
    corrected = _with_pixel(geometry, sweep)
    header = None if corrected is geometry else geometry
    return Volume(array, corrected, sweep.positions, source=os.fspath(path), header=header)


def _with_pixel(geometry: Geometry, sweep: Sweep) -> Geometry:
    """The header's grid, or, where its pixel size is not the calibrated one, the grid with the poses' sizes."""
    if sweep.pixel is None or same_pixel(sweep.pixel, geometry.spacing[1:]):
        return geometry
    step = np.ptp(sweep.positions) / (len(sweep.positions) - 1)
    affine = geometry.affine.copy()
    affine[:3, :3] *= np.array([step, *sweep.pixel]) / np.array(geometry.spacing)
    return Geometry(geometry.shape, affine)


def _check(volume: Volume) -> None:
    """Raise InputError on values that no later step could work with; looks at one slice at a time."""
    array, source = volume.array, volume.source
    if not array.size:
        raise InputError(f"{source}: the image is empty")
    if min(array.shape) == 1:
        raise InputError(f"{source}: one slice only; a volume is needed")
    if array.dtype.kind == "f" and not all(np.isfinite(part).all() for part in array):
        raise InputError(f"{source}: the image holds values that are not finite (NaN or infinity)")
    first = array[0, 0, 0]
    if all((part == first).all() for part in array):
        raise InputError(f"{source}: every voxel has the same value")
