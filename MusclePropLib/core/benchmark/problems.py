"""A case made ready: the volume and each muscle's true mask, slices first, cut to the labelled range."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from MusclePropLib.core.annotations import is_not_muscle
from MusclePropLib.core.cohort.cases import Case
from MusclePropLib.core.cohort.pairs import read_pair
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import checksum
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.images import image_files
from MusclePropLib.core.phantom import simulate_calf
from MusclePropLib.core.volumes import Volume, volume_files

ANY = "any label"


@dataclass(frozen=True, eq=False)
class Problem:
    """`truth` maps muscle names to bool masks (slices, rows, columns) on the grid of `volume`, none empty."""

    name: str
    subject: str
    volume: Volume
    truth: dict[str, np.ndarray]


@dataclass(frozen=True)
class SimulatedCase:
    """A simulated calf, by its seed and shape (slices, rows, columns); it takes the place of a case of files."""

    seed: int
    shape: tuple[int, int, int]

    @property
    def name(self) -> str:
        """Also the subject: every seed is another one."""
        return f"calf_{self.seed}"

    subject = name


def origin(case: Case | SimulatedCase) -> list:
    """What tells a case from another state of itself: its files' contents, or what it is simulated from.

    Where the files lie and when they came there is nothing to the figures.
    """
    if isinstance(case, SimulatedCase):
        return ["simulated", case.seed, *case.shape]
    parts = ((case.image, volume_files), (case.labels, image_files))
    return [[path.name, _checksum(path, files_of)] for path, files_of in parts]


def _checksum(path: Path, files_of: Callable[[Path], list[Path]]) -> str | None:
    """Of an image's file, or of the names and contents of its files (a DICOM series); None if they are unreadable.

    Then reading the case will say why.
    """
    try:
        files = files_of(path)
        sums = [_file_checksum(file, file.stat().st_mtime_ns) for file in files]
    except (OSError, InputError):
        return None
    if files == [path]:
        return sums[0]
    lines = [f"{file.name} {its}\n" for file, its in zip(files, sums, strict=True)]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()[:16]


@cache
def _file_checksum(path: Path, changed: int) -> str:
    """SHA-256 of the file as of its time `changed`, the first sixteen digits."""
    return checksum(path)[:16]


def load_problem(case: Case | SimulatedCase, axis: int = 0, label_any: bool = False, crop: bool = True) -> Problem:
    """Read or simulate a case and put array axis `axis`, across which slices are drawn, first.

    `label_any` takes all labels together as one muscle. `crop` leaves out the slices before the first and after the
    last label, on which copying the outermost mask would be punished and stopping there rewarded, with no bearing on
    what is compared. Raises InputError if a file is unusable.
    """
    volume, truth = _simulated(case) if isinstance(case, SimulatedCase) else _read(case)
    volume, truth = volume.along(axis), {n: np.moveaxis(mask, axis, 0) for n, mask in truth.items()}
    if label_any:
        truth = {ANY: np.logical_or.reduce(list(truth.values()))}
    if crop:
        filled = np.flatnonzero(np.logical_or.reduce([m.any(axis=(1, 2)) for m in truth.values()]))
        inside = slice(int(filled[0]), int(filled[-1]) + 1)
        volume, truth = _cut(volume, inside), {n: mask[inside] for n, mask in truth.items()}
    return Problem(case.name, case.subject, volume, truth)


def _read(case: Case) -> tuple[Volume, dict[str, np.ndarray]]:
    volume, segmentation = read_pair(case)
    truth: dict[str, np.ndarray] = {}
    for i, segment in enumerate(segmentation.segments):
        mask = segmentation.mask(i)
        if not mask.any() or is_not_muscle(segment.name, {}):
            continue
        if segment.name in truth:
            raise InputError(f"{case.labels}: two segments are called '{segment.name}'; name them apart")
        truth[segment.name] = mask
    if not truth:
        raise InputError(f"{case.labels}: no voxel is labelled")
    return volume, truth


def _simulated(case: SimulatedCase) -> tuple[Volume, dict[str, np.ndarray]]:
    calf = simulate_calf(case.seed, case.shape)
    return calf.volume, {name: calf.labels == value for value, name in enumerate(calf.names, 1)}


def _cut(volume: Volume, inside: slice) -> Volume:
    array = volume.array[inside]
    affine = volume.geometry.affine.copy()
    affine[:3, 3] += affine[:3, 0] * inside.start
    positions = None if volume.positions is None else volume.positions[inside]
    return Volume(array, Geometry(array.shape, affine), positions, volume.axis, volume.source)
