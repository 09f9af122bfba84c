"""Segmentations drawn on the grid of a tracked sweep's header, brought onto that of its poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.regrid import grid_shift
from MusclePropLib.core.segments import Segmentation
from MusclePropLib.core.volumes import Volume


def recalibrated(segmentation: Segmentation, volume: Volume) -> Segmentation:
    """As it is; or, drawn on the grid of a tracked sweep's header, on the same voxels as large as the poses say."""
    grid, drawn = volume.along(0).geometry, segmentation.geometry
    if volume.header is None or grid_shift(drawn, grid) is not None or grid_shift(drawn, volume.header) is None:
        return segmentation
    affine = grid.affine @ np.linalg.solve(volume.header.affine, drawn.affine)
    return replace(segmentation, geometry=Geometry(drawn.shape, affine))
