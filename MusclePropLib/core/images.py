"""Between SimpleITK images and arrays with a `Geometry`: no copy on the way in, one on the way out.

Every reader of the project goes through `open_image`, so that a missing, foreign or broken file is the same sentence
everywhere.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MusclePropLib.core import nifti, nrrd
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import check_name
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.gzipped import ZLIB, pieces, stream_faults

WRITABLE = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
SHEARED = "the image's axes are not at right angles (sheared); resample it onto a grid with right angles first"
NOWHERE = "the header does not say where the voxels lie (its grid holds NaN or infinity)"
_METAIMAGE = (".mha", ".mhd")
_VOXELS_IN = re.compile(rb"\s*(?:ElementDataFile\s*=|data ?file:(?!=))\s*(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"%[\d.]*[diuxXo]")


class _ImageBuffer:
    """Lends an image's pixels to numpy. Arrays keep this object as their `base`, and with it the image alive."""

    def __init__(self, image: sitk.Image) -> None:
        self._image = image
        self.__array_interface__ = sitk.GetArrayViewFromImage(image).__array_interface__


def array_of(image: sitk.Image) -> np.ndarray:
    """The image's pixels without a copy, read-only, slowest axis first (components last)."""
    return np.asarray(_ImageBuffer(image))


def geometry_of(image: sitk.Image) -> Geometry:
    """Geometry of `array_of(image)` for a three-dimensional image; ITK's i, j, k are the array's axes 2, 1, 0."""
    columns = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3] = columns[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return Geometry(image.GetSize()[::-1], affine)


def image_of(array: np.ndarray, geometry: Geometry) -> sitk.Image:
    """A SimpleITK image holding a copy of `array` (a0, a1, a2[, components])."""
    if array.dtype == bool:
        array = array.view(np.uint8)
    image = sitk.GetImageFromArray(array, isVector=array.ndim == 4)
    columns = geometry.affine[:3, 2::-1]
    spacing = np.linalg.norm(columns, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((columns / spacing).ravel().tolist())
    image.SetOrigin(geometry.affine[:3, 3].tolist())
    return image


def open_image(path: Path) -> sitk.ImageFileReader:
    """A reader that has read the header of `path` only. InputError if there is no such file or no image in it."""
    check_name(path)
    if path.is_dir():
        raise InputError(f"{path}: a folder, where a file is needed")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    reader = sitk.ImageFileReader()
    reader.SetFileName(os.fspath(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as fault:
        if "orthonormal" in str(fault):
            raise InputError(f"{path}: {SHEARED if nifti.grid_is_finite(path) else NOWHERE}") from fault
        # ITK gives the last fault of the system, which has nothing to do with it.
        reason = "its header is damaged" if "MetaImageIO" in str(fault) else _reason(fault)
        raise InputError(f"{path}: not an image that can be read ({reason})") from fault
    return reader


def image_files(path: Path) -> list[Path]:
    """The file `path` and those beside it that hold the rest of the image, its voxels above all, if they are there."""
    beside = [file for file in nifti.header_and_voxels(path) if file]
    with contextlib.suppress(OSError):
        for name in _voxel_names(path):
            for pattern in (glob.escape(name), _NUMBER.sub("*", glob.escape(name.split(" ")[0]))):
                beside += sorted(path.parent / found for found in glob.glob(pattern, root_dir=path.parent))
    return list(dict.fromkeys([path, *beside]))


def _voxel_names(path: Path) -> list[str]:
    """The files that the header of a MetaImage or NRRD names for its voxels; none if these follow the header itself.

    A name with a number's format, as `%03d`, stands for a file per number. Raises OSError if there is no such header.
    """
    with path.open("rb") as file:
        if path.suffix.lower() in _METAIMAGE:
            header = file
        elif file.read(4) == b"NRRD":
            header = takewhile(lambda line: not line.isspace(), file)
        else:
            return []
        named = next((found[1] for line in header if (found := _VOXELS_IN.match(line))), b"")
        names = [line.strip() for line in (file if named.startswith(b"LIST") else [named])]
    return [os.fsdecode(name) for name in names if name and name.upper() != b"LOCAL"]


def load_pixels(reader: sitk.ImageFileReader | sitk.ImageSeriesReader, path: Path) -> sitk.Image:
    """The reader's image with its pixels; InputError if the file breaks off or is damaged, or its place is NaN."""
    file = Path(reader.GetFileName()) if isinstance(reader, sitk.ImageFileReader) else None
    kind = reader.GetImageIOFromFileName(os.fspath(file)) if file else ""
    if kind == "NiftiImageIO":
        nifti.check_whole(file)
    try:
        image = reader.Execute()
    except RuntimeError as fault:
        if kind == "NrrdImageIO":  # which says less of a damaged file
            nrrd.unpacked_bytes(file, image_files(file)[1:])
        odd = _odd_slice(reader.GetFileNames()) if isinstance(reader, sitk.ImageSeriesReader) else ""
        reason = _metaimage_fault(path) if "MetaImageIO" in str(fault) else odd or _reason(fault)
        raise InputError(f"{path}: the image cannot be read ({reason})") from fault
    if kind == "NrrdImageIO":
        nrrd.check_read(file, image_files(file)[1:], array_of(image))
    if not np.isfinite([*image.GetOrigin(), *image.GetSpacing(), *image.GetDirection()]).all():
        raise InputError(f"{path}: {NOWHERE}")
    return image


def _odd_slice(files: Sequence[str]) -> str:
    """Which slice of a series has another size than most; "" if they all are of one size."""
    sizes = [open_image(Path(file)).GetSize()[:2] for file in files]
    usual = max(sizes, key=sizes.count)
    odd = next((index for index, size in enumerate(sizes) if size != usual), None)
    if odd is None:
        return ""
    (columns, rows), name = sizes[odd], Path(files[odd]).name
    return f"the slice {name} has {columns} x {rows} pixels, where others have {usual[0]} x {usual[1]}"


def _metaimage_fault(path: Path) -> str:
    """Why a MetaImage cannot be read; ITK gives the last fault of the system, which may be an older one."""
    names = _voxel_names(path)
    if not names:
        return "the file breaks off or is damaged"
    if len(names) > 1 or "%" in names[0]:
        return "one of its files of voxels is missing, breaks off or is damaged"
    fault = "breaks off or is damaged" if (path.parent / names[0]).is_file() else "is missing"
    return f"its file of voxels, {names[0]}, {fault}"


def metadata(reader: sitk.ImageFileReader) -> dict[str, str]:
    """All the header's fields as text, be it UTF-8 or, as other programs have written it, Latin-1."""
    return {_text(key): _text(reader.GetMetaData(key)) for key in reader.GetMetaDataKeys()}


def _text(field: str) -> str:
    """A field, in which SimpleITK marks each byte that is not UTF-8 by a surrogate, which nobody could write."""
    raw = field.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def drop_single_axis(reader: sitk.ImageFileReader, path: Path) -> None:
    """Let a file of four axes be read as three where one of the last two has length one; InputError for the rest."""
    size = list(reader.GetSize())
    if len(size) < 3:
        raise InputError(f"{path}: one slice only; a volume is needed")
    if len(size) == 3:
        return
    if len(size) > 4 or 1 not in size[2:]:
        raise InputError(f"{path}: a time series of {size[3]} volumes; one volume is needed")
    size[3 if size[3] == 1 else 2] = 0
    reader.SetExtractSize(size)


def check_ending(path: Path, endings: tuple[str, ...]) -> None:
    """InputError unless files of this ending can be written.

    In capitals, ITK reads and writes .nrrd only: of .MHA it makes a .mhd and a second file, over what is there.
    """
    if not (path.name.endswith(endings) or path.name.lower().endswith(".nrrd")):
        small = "endings in small letters, " if path.name.lower().endswith(endings) else ""
        raise InputError(f"{path}: cannot write this kind of file; use {small}one of {', '.join(endings)}")


def save_image(image: sitk.Image, path: Path, finish: Callable[[Path], None] | None = None) -> None:
    """Write compressed, in the format that the ending names; the file is there whole or not at all.

    `finish` may change the written file before it is given its name. Raises InputError if it cannot be written, and
    for a sheared grid as NIfTI, which would silently straighten it.
    """
    check_name(path)
    check_ending(path, WRITABLE)
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no such folder")
    direction = np.array(image.GetDirection()).reshape(3, 3)
    if ".nii" in path.suffixes and not np.allclose(direction.T @ direction, np.eye(3), atol=1e-4):
        raise InputError(f"{path}: NIfTI cannot hold axes that are not perpendicular; write .nrrd instead")
    try:
        _write_and_move(image, path, finish)
    except InputError as fault:
        raise InputError(f"{path}: could not be written whole; is the disk full?") from fault
    except OSError as fault:
        raise InputError(f"{path}: cannot be written ({fault.strerror or fault})") from fault
    except RuntimeError as fault:
        raise InputError(f"{path}: cannot be written ({_reason(fault)})") from fault


def _write_and_move(image: sitk.Image, path: Path, finish: Callable[[Path], None] | None) -> None:
    """Write in a folder beside, because a header may come with a file of pixels that it names; move the header last."""
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
        part = Path(folder, path.name)
        sitk.WriteImage(image, os.fspath(part), True)
        if finish is not None:
            finish(part)
        _check_written(part, image)
        for file in sorted(Path(folder).iterdir(), key=lambda file: file == part):
            os.replace(file, path.parent / file.name)


def _check_written(part: Path, image: sitk.Image) -> None:
    """InputError unless the file holds all of `image`: of a disk that is full, ITK's writers say nothing at the end.

    What is compressed is unpacked once more, a piece at a time: its own checksum tells.
    """
    voxel_files = image_files(part)[1:]
    if part.name.endswith((".nii", ".nii.gz")):
        there = nifti.unpacked_bytes(part)
    elif part.suffix in _METAIMAGE:
        there = _unpacked_bytes(part, voxel_files)
    else:
        there = nrrd.unpacked_bytes(part, voxel_files)
    if there < array_of(image).nbytes:
        raise InputError(f"{part}: voxels are missing")


def _unpacked_bytes(path: Path, voxel_files: Sequence[Path]) -> int:
    """How many bytes the voxels of a compressed MetaImage come to; InputError if they break off or are damaged."""
    with path.open("rb") as file:
        next((line for line in file if _VOXELS_IN.match(line)), None)
        stream, start = (voxel_files[0], 0) if voxel_files else (path, file.tell())
    with stream_faults(path):
        return sum(map(len, pieces(stream, start, ZLIB)))


def _reason(fault: Exception) -> str:
    """The last line of ITK's report, without the object's address."""
    if "determinant is 0" in str(fault) or "Zero-valued spacing" in str(fault):
        return "its header is damaged: voxels have no size or no direction"
    last = str(fault).strip().splitlines()[-1]
    if "Unable to determine ImageIO reader" in last:
        return "unknown format"
    return last.rsplit("): ", 1)[-1].removeprefix("ITK ERROR: ").strip()
