"""Where a node's voxels lie in the world, parent transforms included.

MRML speaks RAS and (i, j, k); core speaks LPS and numpy's (k, j, i).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.scene.names import name_of

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
TOLERANCE = 0.01  # voxels; a grid written to a file and read back is off by less


def volume_geometry(volume_node: slicer.vtkMRMLVolumeNode) -> Geometry:
    """Geometry in the world of the volume's array (k, j, i). InputError if it has no voxels or is warped."""
    image = volume_node.GetImageData()
    if image is None or min(image.GetDimensions()) < 1:
        raise InputError(f"volume '{name_of(volume_node)}' holds no voxels")
    ijk_to_ras = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(ijk_to_ras)
    return _geometry(image.GetDimensions(), node_to_world(volume_node) @ matrix_array(ijk_to_ras))


def image_geometry(image: slicer.vtkOrientedImageData, segmentation_node: slicer.vtkMRMLSegmentationNode) -> Geometry:
    """Geometry in the world of a segment's label map (k, j, i), which covers only a part of its grid (its extent)."""
    to_ras = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_ras)
    extent = image.GetExtent()
    shift = np.eye(4)
    shift[:3, 3] = extent[::2]
    return _geometry(image.GetDimensions(), node_to_world(segmentation_node) @ matrix_array(to_ras) @ shift)


def node_to_world(node: slicer.vtkMRMLTransformableNode) -> np.ndarray:
    """4 x 4 matrix (RAS mm) of the node's parent transforms; InputError if one of them bends space."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        raise InputError(
            f"'{name_of(node)}' is under the non-linear transform '{name_of(transform)}'; in the Data module, "
            "right-click its transform and harden it or set it to None"
        )
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return matrix_array(matrix)


@dataclass(frozen=True)
class Lattice:
    """How the array of a part lies in the array of a whole: voxel on voxel, but axes may be swapped and reversed.

    `order[a]` is the part's axis along the whole's axis a, `flipped[a]` whether it runs the other way, and `offset`
    the index in the whole of the first voxel of the part once it has been turned.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    offset: tuple[int, int, int]

    def turned(self, array: np.ndarray) -> np.ndarray:
        """The part with its axes as the whole has them; a view."""
        return array.transpose(self.order)[tuple(slice(None, None, -1 if f else 1) for f in self.flipped)]


def lattice_in(part: Geometry, whole: Geometry) -> Lattice | None:
    """Where `part` lies in `whole`; None unless they share one lattice of voxels.

    Slicer turns the axes of left-handed volumes when it loads them, but not those of segmentations.
    """
    to_index = np.linalg.inv(whole.affine) @ part.affine
    turn = np.round(to_index[:3, :3])
    if not (np.abs(turn).sum(axis=0) == 1).all() or not (np.abs(turn).sum(axis=1) == 1).all():
        return None
    far = np.array(part.shape) - 1
    corners = np.array([[a, b, c, 1] for a in (0, far[0]) for b in (0, far[1]) for c in (0, far[2])], dtype=float)
    found = (corners @ to_index.T)[:, :3]
    wanted = corners[:, :3] @ turn.T + np.round(to_index[:3, 3])
    if np.abs(found - wanted).max() > TOLERANCE:
        return None
    order = tuple(int(a) for a in np.abs(turn).argmax(axis=1))
    return Lattice(order, tuple(bool(f) for f in turn.sum(axis=1) < 0), tuple(int(v) for v in wanted.min(axis=0)))


def lies_within(part: Geometry, whole: Geometry) -> bool:
    """Whether every voxel of `part` is one of `whole`."""
    lattice = lattice_in(part, whole)
    if lattice is None:
        return False
    shape = (part.shape[a] for a in lattice.order)
    return all(o >= 0 and o + n <= m for o, n, m in zip(lattice.offset, shape, whole.shape, strict=True))


def same_grid(one: Geometry, other: Geometry) -> bool:
    """Whether they have the same voxels, in whichever order."""
    return lies_within(one, other) and lies_within(other, one)


def matrix_array(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """A 4 x 4 array of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def image_array(image: vtk.vtkImageData) -> np.ndarray:
    """The image's own voxels (k, j, i), without a copy; colour channels stay last. Empty images give size 0."""
    scalars = image.GetPointData().GetScalars()
    shape = tuple(reversed(image.GetDimensions()))
    if scalars is None or min(shape) < 1:
        return np.zeros((0, 0, 0), np.uint8)
    array = numpy_support.vtk_to_numpy(scalars)
    return array.reshape(shape) if scalars.GetNumberOfComponents() == 1 else array.reshape(*shape, -1)


def new_labelmap(
    geometry: Geometry, frame: np.ndarray, box: tuple[slice, slice, slice] | None = None
) -> slicer.vtkOrientedImageData:
    """A uint8 label map on the lattice of `geometry` (world, LPS); its voxels are not yet set, use `image_array`.

    `frame` is the `node_to_world` matrix of the segmentation that it is meant for. `box` is the part of the array
    that it covers (start and stop per axis), as its extent, so that origin and axes stay those of the whole grid.
    """
    box = box or tuple(slice(0, n) for n in geometry.shape)
    image = slicer.vtkOrientedImageData()
    image.SetExtent([bound for part in reversed(box) for bound in (part.start, part.stop - 1)])
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy((np.linalg.inv(frame) @ RAS_TO_LPS @ geometry.affine[:, [2, 1, 0, 3]]).ravel())
    image.SetImageToWorldMatrix(matrix)
    return image


def _geometry(dimensions: tuple[int, int, int], ijk_to_ras: np.ndarray) -> Geometry:
    return Geometry(tuple(reversed(dimensions)), (RAS_TO_LPS @ ijk_to_ras)[:, [2, 1, 0, 3]])
