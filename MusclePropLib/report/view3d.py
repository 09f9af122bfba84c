"""The muscles in three dimensions, rendered by VTK without a window."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  what makes the classes of vtkRenderingCore draw
from vtkmodules.util import numpy_support
from vtkmodules.vtkCommonCore import vtkLogger
from vtkmodules.vtkCommonDataModel import vtkPlane, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkCutter, vtkStripper, vtkTubeFilter
from vtkmodules.vtkIOImage import vtkPNGWriter
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkLightKit,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkRenderWindow,
    vtkWindowToImageFilter,
)

from MusclePropLib.core.measurements.muscle import MuscleMeasures
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.exchange.surfaces import surface

MOST_VOXELS = 1_500_000  # of the box around a muscle; more cannot be seen
HEIGHT = 840  # pixels of a view; twice what is shown
MARGIN = 1.04  # what is shown, relative to what there is to see
TURNS = (0.0, 90.0, 90.0)  # degrees about the long axis before each view, the first of which is along the rows
RING_MM, RING_SIDES = 0.7, 8

NONE = "No three-dimensional view: this machine has no OpenGL, neither a display nor EGL nor OSMesa"
PROBE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderWindow
window = vtkRenderWindow()
window.SetOffScreenRendering(1)
window.Render()
assert window.SupportsOpenGL()
"""


class NoGraphics(Exception):
    """There is no way of rendering on this machine; the message is a sentence for the page."""


def views(muscles: list[tuple[MuscleMeasures, np.ndarray, int]], stack: Stack) -> list[bytes]:
    """PNG files with a transparent background, one for each of TURNS; the slices' axis stands upright, first slice up.

    `muscles` are each with its label map (slices, rows, columns) and value. Dark rings are drawn slices. Raises
    NoGraphics where VTK finds no OpenGL.
    """
    if not _can_render():
        raise NoGraphics(NONE)
    renderer = vtkRenderer()
    renderer.SetBackgroundAlpha(0.0)
    for measured, labels, value in muscles:
        mesh = surface(labels, value, stack, MOST_VOXELS)
        renderer.AddActor(_actor(mesh, measured.color))
        for t in measured.known.drawn:
            renderer.AddActor(_ring(mesh, stack, t))
    vtkLightKit().AddLightsToRenderer(renderer)
    with _quiet():
        window = _window(renderer, _aim(renderer, stack))
        pictures = []
        for turn in TURNS:
            renderer.GetActiveCamera().Azimuth(turn)
            renderer.ResetCameraClippingRange()
            pictures.append(_png(window))
        window.Finalize()
    return pictures


@cache
def _can_render() -> bool:
    """Whether VTK finds OpenGL. Without any it ends the process, so where there is no display another one tries."""
    if sys.platform != "linux" or os.environ.get("DISPLAY"):
        return True
    return subprocess.run([sys.executable, "-c", PROBE], capture_output=True, check=False).returncode == 0


def _actor(mesh: vtkPolyData, color: tuple[float, float, float]) -> vtkActor:
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*color)
    actor.GetProperty().SetSpecular(0.1)
    return actor


def _ring(mesh: vtkPolyData, stack: Stack, t: int) -> vtkActor:
    """The surface's outline on slice `t`."""
    centre, right, down = stack.forwards().points(np.array([[t, 0, 0], [t, 0, 1], [t, 1, 0]], dtype=float))
    plane = vtkPlane()
    plane.SetOrigin(*centre)
    plane.SetNormal(*np.cross(right - centre, down - centre))
    cutter = vtkCutter()
    cutter.SetInputData(mesh)
    cutter.SetCutFunction(plane)
    joined = vtkStripper()
    joined.SetInputConnection(cutter.GetOutputPort())
    tube = vtkTubeFilter()
    tube.SetInputConnection(joined.GetOutputPort())
    tube.SetRadius(RING_MM)
    tube.SetNumberOfSides(RING_SIDES)
    tube.Update()
    return _actor(tube.GetOutput(), (0.12, 0.12, 0.14))


def _window(renderer: vtkRenderer, width: int) -> vtkRenderWindow:
    window = vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetAlphaBitPlanes(True)
    window.SetMultiSamples(8)
    window.SetSize(width, HEIGHT)
    window.AddRenderer(renderer)
    return window


def _aim(renderer: vtkRenderer, stack: Stack) -> int:
    """Look along the rows' axis with the first slice up; returns the width in pixels that every side fits into."""
    up, along = (v / np.linalg.norm(v) for v in (-stack.affine[:3, 0], stack.affine[:3, 1]))
    across = np.cross(up, along) / np.linalg.norm(np.cross(up, along))
    axes = np.array([up, np.cross(across, up), across])
    points = _points(renderer) @ axes.T  # the box along LPS would not tell the size of what lies oblique to it
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    height = MARGIN * np.ptp(points[:, 0])
    width = MARGIN * 2 * np.linalg.norm((points - middle)[:, 1:], axis=1).max()
    focus = middle @ axes
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(*focus)
    camera.SetPosition(*(focus - 1000.0 * axes[1]))
    camera.SetViewUp(*up)
    camera.SetParallelScale(max(height, width) / 2)
    return int(np.clip(HEIGHT * width / height, HEIGHT / 4, HEIGHT))


def _points(renderer: vtkRenderer) -> np.ndarray:
    """LPS mm (n, 3) of all that is to be seen."""
    meshes = (actor.GetMapper().GetInput() for actor in renderer.GetActors())
    return np.concatenate([numpy_support.vtk_to_numpy(m.GetPoints().GetData()) for m in meshes if m.GetPoints()])


def _png(window: vtkRenderWindow) -> bytes:
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.SetInputBufferTypeToRGBA()
    grab.ReadFrontBufferOff()
    grab.ShouldRerenderOff()
    writer = vtkPNGWriter()
    writer.SetInputConnection(grab.GetOutputPort())
    writer.WriteToMemoryOn()
    writer.Write()
    if not numpy_support.vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())[:, 3].any():
        raise NoGraphics("No three-dimensional view: the graphics driver of this machine draws nothing")
    return numpy_support.vtk_to_numpy(writer.GetResult()).tobytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """VTK tries a display first and tells at length that there is none."""
    before = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtkLogger.SetStderrVerbosity(before)
