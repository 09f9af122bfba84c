"""Grow from seeds: the fast grow-cut (Zhu et al. 2014) behind 3D Slicer's effect of that name, seed locality 0.

It is Slicer's own class, from the `slicer-core` wheel, in a process of its own because these libraries may abort when
the interpreter exits. It takes no notice of what lies on the outermost voxels of a volume, so that seeds on its first
and last slices would be lost: there is one voxel more around it here.
"""

from __future__ import annotations

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.rivals.isolated import run_isolated
from MusclePropLib.core.rivals.seeds import INSIDE, seeds_of
from MusclePropLib.core.volumes import Volume

TIME_LIMIT = 1800.0
AROUND, WITHIN = 1, (slice(1, -1),) * 3


def run(volume: Volume, annotations: Annotations) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle, each grown against all else.

    Grow-cut gives a voxel to the seed that is nearest by path, so growing the muscles one by one or together is the
    same.
    """
    seeds = {f"seeds{m}": np.pad(seeds_of(annotations, m), AROUND) for m in range(len(annotations.muscles))}
    grown = run_isolated(__name__, {"image": np.pad(volume.array, AROUND, mode="edge"), **seeds}, TIME_LIMIT)
    return [grown[name][WITHIN] == INSIDE for name in seeds]


def compute(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Grow each `seeds...` (slices, rows, columns) over `image`; runs in the child process."""
    from slicer_core.vtkSlicerSegmentationsModuleLogic import vtkImageGrowCutSegment

    from MusclePropLib.core.rivals.vtk_images import numpy_array, vtk_image

    image = vtk_image(arrays["image"])
    results = {}
    for name in arrays.keys() - {"image"}:
        grower = vtkImageGrowCutSegment()
        grower.SetIntensityVolume(image)
        grower.SetSeedLabelVolume(vtk_image(arrays[name]))
        grower.Update()
        results[name] = numpy_array(grower.GetOutput()).copy()
    return results
