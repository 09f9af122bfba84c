"""Fill between slices: ITK's morphological contour interpolation (Zukic et al. 2016), as 3D Slicer runs it.

It is Slicer's own filter, from Slicer itself or the `slicer-core` wheel, in a process of its own because these
libraries may abort when the interpreter exits. The `itk-morphologicalcontourinterpolation` wheel gives the same voxels
once its distance transforms are switched off as Slicer has them, but takes ten seconds to import. Beyond the outermost
drawn slices all stays empty. Muscles are filled one by one, so that none loses voxels where drawn masks overlap.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from MusclePropLib.core.rivals.isolated import run_isolated

if TYPE_CHECKING:  # the child process need not load them
    from MusclePropLib.core.annotations import Annotations
    from MusclePropLib.core.volumes import Volume

TIME_LIMIT = 600.0
K_AXIS = 2  # VTK's last axis is the array's first
SOURCES = ("vtkITK", "slicer_core")  # the module within Slicer, and the wheel's package


def available() -> bool:
    """Whether this Python has the filter, as far as can be told without loading it."""
    return any(find_spec(name) for name in SOURCES)


def run(volume: Volume, annotations: Annotations) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle."""
    sparse = {str(i): _drawn(m.drawn, annotations.shape) for i, m in enumerate(annotations.muscles)}
    filled = run_isolated(__name__, sparse, TIME_LIMIT)
    return [filled[name].astype(bool) for name in sparse]


def compute(stacks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fill each uint8 stack (slices, rows, columns) between its non-empty slices; runs in the child process."""
    try:
        from vtkITK import vtkITKMorphologicalContourInterpolator
    except ImportError:
        from slicer_core.vtkITK import vtkITKMorphologicalContourInterpolator

    from MusclePropLib.core.rivals.vtk_images import numpy_array, vtk_image

    results = {}
    for name, stack in stacks.items():
        interpolator = vtkITKMorphologicalContourInterpolator()
        interpolator.SetInputData(vtk_image(stack))
        interpolator.SetAxis(K_AXIS)
        interpolator.Update()
        results[name] = numpy_array(interpolator.GetOutput()).copy()
    return results


def _drawn(drawn: dict[int, np.ndarray], shape: tuple[int, int, int]) -> np.ndarray:
    stack = np.zeros(shape, np.uint8)
    for t, mask in drawn.items():
        stack[t] = mask
    return stack
