"""Going to a slice of the volume in Slicer's slice views, and knowing which one is shown."""

from __future__ import annotations

import numpy as np
import slicer

from MusclePropLib.core.geometry import Geometry
from MusclePropLib.scene.geometry import RAS_TO_LPS, matrix_array, volume_geometry

PARALLEL = 0.9999  # cosine of the angle between a view's normal and the slices'; about 0.8 degrees
PRESETS = ("Sagittal", "Coronal", "Axial")  # the usual views, by the axis of the world (R, A, S) that they lie across
VIEWS = ("Red", "Green", "Yellow")  # of Slicer's usual layouts, the most prominent first


def slice_node(volume_node: slicer.vtkMRMLScalarVolumeNode, axis: int) -> slicer.vtkMRMLSliceNode | None:
    """The first slice view that lies in the volume's slices across `axis`; None if none does."""
    geometry = volume_geometry(volume_node).moved(axis)
    return next((node for node in _slice_nodes() if _lies_in_slices(node, geometry)), None)


def show_slices(volume_node: slicer.vtkMRMLScalarVolumeNode, axis: int) -> slicer.vtkMRMLSliceNode | None:
    """That view; if there is none, the first one is turned so that it is. None without slice views."""
    found = slice_node(volume_node, axis)
    nodes = _slice_nodes()
    if found is None and nodes:
        found = nodes[0]
        _turn(found, volume_geometry(volume_node).moved(axis))
    return found


def go_to_slice(volume_node: slicer.vtkMRMLScalarVolumeNode, axis: int, index: int) -> None:
    """Show slice `index` in the view that lies in the slices, which is made if need be."""
    node = show_slices(volume_node, axis)
    if node is not None:
        geometry = volume_geometry(volume_node).moved(axis)
        middle = [index, (geometry.shape[1] - 1) / 2, (geometry.shape[2] - 1) / 2, 1]
        node.JumpSliceByOffsetting(*(RAS_TO_LPS @ geometry.affine @ middle)[:3])


def current_slice(volume_node: slicer.vtkMRMLScalarVolumeNode, axis: int) -> int | None:
    """Index of the shown slice; None if no view lies in the slices or it is outside the volume."""
    node = slice_node(volume_node, axis)
    if node is None:
        return None
    geometry = volume_geometry(volume_node).moved(axis)
    to_index = np.linalg.inv(geometry.affine) @ RAS_TO_LPS
    index = round(float((to_index @ matrix_array(node.GetSliceToRAS())[:, 3])[0]))
    return index if 0 <= index < geometry.shape[0] else None


def _slice_nodes() -> list[slicer.vtkMRMLSliceNode]:
    """Slice views that the layout shows, the usual ones first; without a layout all there are."""
    every = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    nodes = [node for node in every if node.IsMappedInLayout()] or every
    order = {name: place for place, name in enumerate(VIEWS)}
    return sorted(nodes, key=lambda node: order.get(node.GetLayoutName(), len(order)))


def _turn(node: slicer.vtkMRMLSliceNode, geometry: Geometry) -> None:
    """Into the plane of the slices, held as the usual view that is nearest to it.

    Slicer's RotateToVolumePlane takes the plane of the volume that is nearest to the view, which in a volume that lies
    aslant in the world need not be this one.
    """
    _, *within = ((RAS_TO_LPS @ geometry.affine)[:3, :3] / geometry.spacing).T
    node.SetOrientation(PRESETS[int(np.abs(np.cross(*within)).argmax())])
    matrix = node.GetSliceToRAS()
    right, up, normal = matrix_array(matrix)[:3, :3].T
    choices = [(s * a, t * b) for a, b in (within, within[::-1]) for s in (1, -1) for t in (1, -1)]
    x, y = max(choices, key=lambda sides: sides[0] @ right + sides[1] @ up)
    z = np.cross(x, y) / np.linalg.norm(np.cross(x, y))
    handedness = np.sign(np.cross(right, up) @ normal)
    for column, direction in enumerate((x, np.cross(z, x), handedness * z)):
        for row in range(3):
            matrix.SetElement(row, column, direction[row])
    node.UpdateMatrices()


def _lies_in_slices(node: slicer.vtkMRMLSliceNode, geometry: Geometry) -> bool:
    """Whether moving the view along its normal goes from slice to slice, all else being equal."""
    normal = (RAS_TO_LPS @ matrix_array(node.GetSliceToRAS()))[:3, 2]
    across = np.cross(geometry.affine[:3, 1], geometry.affine[:3, 2])
    return abs(normal @ across) / np.linalg.norm(normal) / np.linalg.norm(across) > PARALLEL
