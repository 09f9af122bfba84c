"""A segment's surface by VTK, in LPS millimetres, made and smoothed as Slicer makes its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from vtkmodules.util import numpy_support
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkPolyDataNormals, vtkReverseSense, vtkWindowedSincPolyDataFilter
from vtkmodules.vtkFiltersGeneral import vtkDiscreteFlyingEdges3D
from vtkmodules.vtkIOGeometry import vtkOBJWriter, vtkSTLWriter

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.measurements.profile import profile
from MusclePropLib.core.measurements.stack import Stack

ITERATIONS, PASS_BAND = 40, 0.01
"""Slicer's smoothing factor 0.5, the default of its closed surfaces."""

WRITERS = {".stl": vtkSTLWriter, ".obj": vtkOBJWriter}


def surface(labels: np.ndarray, value: int, stack: Stack, most_voxels: float = np.inf) -> vtkPolyData:
    """Closed surface of the voxels (slices, rows, columns) that hold `value`; ValueError if there are none.

    Where the box around them has more than `most_voxels`, every second (third, ...) row and column is used, which is
    for pictures. Tracked slices stand at their true positions, as far as the hand did not go back.
    """
    box = _box(labels, value)
    step = max(1, int(np.ceil(np.sqrt(np.prod([b.stop - b.start for b in box]) / most_voxels))))
    first, *others = box
    part = labels[(first, *(slice(b.start, b.stop, step) for b in others))]
    mask = np.zeros([n + 2 for n in part.shape], np.uint8)  # an empty voxel all round closes the surface
    np.equal(part, value, out=mask[1:-1, 1:-1, 1:-1].view(bool))
    corners = np.array([b.start for b in box]) - np.array([1, step, step])
    mesh = _contour(mask)
    indices = numpy_support.vtk_to_numpy(mesh.GetPoints().GetData())[:, ::-1] * [1, step, step] + corners
    points = vtkPoints()
    points.SetData(numpy_support.numpy_to_vtk(_millimetres(indices, stack), deep=True))
    mesh.SetPoints(points)
    return _smoothed(mesh, np.linalg.det(stack.affine[:3, :3]) > 0)


def write_surface(path: Path, mesh: vtkPolyData) -> None:
    """STL (binary) or OBJ by the ending, whole or not at all. InputError if it cannot be written."""
    writer = WRITERS[path.suffix.lower()]()
    writer.SetInputData(mesh)
    if path.suffix.lower() == ".stl":
        writer.SetFileTypeToBinary()
        writer.SetHeader("MuscleProp SPACE=LPS")
    with replacing(path) as part:
        writer.SetFileName(str(part))
        if not writer.Write() or not part.exists():
            raise InputError(f"{path}: cannot be written")
        if path.suffix.lower() == ".obj" and not _has_all_faces(part, mesh):
            raise InputError(f"{path}: could not be written whole; is the disk full?")


def _has_all_faces(obj: Path, mesh: vtkPolyData) -> bool:
    """Of a full disk VTK's writer says nothing. The faces come last, a line each."""
    text = obj.read_bytes()
    return text.count(b"\nf ") == mesh.GetNumberOfPolys() and text.endswith(b"\n")


def _box(labels: np.ndarray, value: int) -> tuple[slice, slice, slice]:
    filled = profile(labels, value).filled
    if not len(filled):
        raise ValueError("the segment is empty")
    rows, columns = np.zeros(labels.shape[1], bool), np.zeros(labels.shape[2], bool)
    for t in filled:
        mask = labels[t] == value
        rows |= mask.any(axis=1)
        columns |= mask.any(axis=0)
    return tuple(slice(int(f[0]), int(f[-1]) + 1) for f in (filled, np.flatnonzero(rows), np.flatnonzero(columns)))


def _contour(mask: np.ndarray) -> vtkPolyData:
    """The surface half way between voxels of 1 and 0; its points are (column, row, slice) indices."""
    image = vtkImageData()
    image.SetDimensions(mask.shape[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(mask.ravel()))
    edges = vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image)
    edges.ComputeScalarsOff()
    edges.ComputeNormalsOff()
    edges.GenerateValues(1, 1, 1)
    edges.Update()
    return edges.GetOutput()


def _millimetres(indices: np.ndarray, stack: Stack) -> np.ndarray:
    """LPS mm; beyond the stack's ends slices go on at the spacing of its even grid."""
    inside = np.clip(indices[:, 0], 0, len(stack.positions) - 1)
    beyond = (indices[:, 0] - inside)[:, None] * stack.affine[:3, 0]
    return stack.forwards().points(np.column_stack([inside, indices[:, 1:]])) + beyond


def _smoothed(mesh: vtkPolyData, mirrored: bool) -> vtkPolyData:
    """Smoothed, with normals outwards: an affine from (slice, row, column) of positive determinant mirrors x, y, z."""
    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputData(mesh)
    smooth.SetNumberOfIterations(ITERATIONS)
    smooth.SetPassBand(PASS_BAND)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    reverse = vtkReverseSense()
    reverse.SetInputConnection(smooth.GetOutputPort())
    normals = vtkPolyDataNormals()
    normals.SetInputConnection(reverse.GetOutputPort() if mirrored else smooth.GetOutputPort())
    normals.ConsistencyOff()
    normals.SplittingOff()
    normals.Update()
    return normals.GetOutput()
