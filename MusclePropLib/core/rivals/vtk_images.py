"""numpy stacks as VTK images and back, in the child processes that run Slicer's filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkImageData


def vtk_image(array: np.ndarray) -> vtkImageData:
    """A copy of an (a0, a1, a2) array as an image whose k axis is the array's first."""
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData

    image = vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
    return image


def numpy_array(image: vtkImageData) -> np.ndarray:
    """The image's voxels (a0, a1, a2), a view that lives as long as the image."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
