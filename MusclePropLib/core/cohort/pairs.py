"""Reading a case: its image, and its label map on the image's grid."""

from __future__ import annotations

from collections.abc import Mapping

from MusclePropLib.core.cohort.cases import Case
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.recalibration import recalibrated
from MusclePropLib.core.segmentation import SEG_NRRD, read_segmentation
from MusclePropLib.core.segments import Segmentation
from MusclePropLib.core.volumes import Volume, read_volume


def read_pair(case: Case, names: Mapping[int, str] | None = None) -> tuple[Volume, Segmentation]:
    """The image of a case, and its segments on the same grid; `names` as `read_segmentation`.

    Raises InputError if a file is unusable or the grids do not fit. A plain label map may be a part of the image's
    grid, but then it says where that part begins: one that begins where the image does and has another size belongs to
    another image.
    """
    volume = read_volume(case.image)
    segmentation = read_segmentation(case.labels, names)
    own, whole = segmentation.geometry, volume.geometry
    plain = not case.labels.name.lower().endswith(SEG_NRRD)
    if plain and own.shape != whole.shape and Geometry(whole.shape, own.affine).matches(whole):
        raise InputError(f"{case.labels}: {_size(own)} voxels, but {case.image} has {_size(whole)}")
    return volume, recalibrated(segmentation, volume).resampled_to(whole)


def _size(grid: Geometry) -> str:
    """As viewers give it, the fastest axis first."""
    return " x ".join(map(str, grid.shape[::-1]))
