"""Jumping to a slice and reading back which one is shown, in real slice nodes."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from scipy.spatial.transform import Rotation  # noqa: E402
from slicer_scene import add_volume  # noqa: E402

from MusclePropLib.scene.geometry import matrix_array  # noqa: E402
from MusclePropLib.scene.slice_views import current_slice, go_to_slice, slice_node  # noqa: E402

STRAIGHT = np.diag([0.5, 0.4, 2.0, 1.0])
SLANTED = np.eye(4)
SLANTED[:3, :3] = Rotation.from_euler("xyz", (9, -6, 14), degrees=True).as_matrix() * (0.5, 0.4, 2.0)
SLANTED[:3, 3] = 12.0, -7.0, 30.0


@pytest.fixture
def views(scene):
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene, True)
    nodes = {}
    for name, orientation in (("Yellow", "Sagittal"), ("Red", "Axial"), ("Green", "Coronal")):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        node.SetLayoutName(name)
        node.SetOrientation(orientation)
        nodes[name] = node
    return nodes


@pytest.mark.parametrize("matrix", [STRAIGHT, SLANTED, SLANTED @ np.diag([-1, 1, -1, 1])])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_there_and_back(views, matrix, axis):
    volume = add_volume(ijk_to_ras=matrix)
    for index in (0, 5, 13):
        go_to_slice(volume, axis, index)
        assert current_slice(volume, axis) == index


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_there_and_back_however_the_volume_lies(views, seed, mirrored):
    """A sweep in the tracker's coordinates lies anyhow; a transform may have turned it."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=seed).as_matrix() * (-0.5 if mirrored else 0.5, 0.4, 2.0)
    volume = add_volume(ijk_to_ras=matrix)
    for axis in (0, 1, 2):
        go_to_slice(volume, axis, 5)
        assert current_slice(volume, axis) == 5


def test_view_is_turned_as_slicer_turns_it(views):
    volume = add_volume(ijk_to_ras=SLANTED)
    for axis, usual in enumerate(("Axial", "Coronal", "Sagittal")):
        views["Red"].SetOrientation(usual)
        views["Red"].RotateToVolumePlane(volume)
        wanted = matrix_array(views["Red"].GetSliceToRAS())[:3, :3]
        views["Red"].SetOrientation("Axial")
        go_to_slice(volume, axis, 5)
        assert slice_node(volume, axis) is views["Red"]
        np.testing.assert_allclose(matrix_array(views["Red"].GetSliceToRAS())[:3, :3], wanted, atol=1e-9)


def test_straight_volume_uses_the_view_that_fits(views):
    volume = add_volume(ijk_to_ras=STRAIGHT)
    assert [slice_node(volume, axis).GetName() for axis in (0, 1, 2)] == ["Red", "Green", "Yellow"]


def test_oblique_volume_turns_a_view_only_when_it_is_needed(views):
    volume = add_volume(ijk_to_ras=SLANTED)
    assert slice_node(volume, 0) is None
    assert current_slice(volume, 0) is None
    go_to_slice(volume, 0, 4)
    assert slice_node(volume, 0) is views["Red"]


def test_only_what_the_layout_shows_counts(views):
    """Red lies in the slices, too, but nobody sees it; in a layout of Red alone, that is the one to turn."""
    volume = add_volume(ijk_to_ras=STRAIGHT)
    go_to_slice(volume, 0, 3)
    views["Yellow"].SetOrientation("Axial")
    views["Yellow"].SetMappedInLayout(1)
    go_to_slice(volume, 0, 9)
    assert current_slice(volume, 0) == 9
    assert slice_node(volume, 0) is views["Yellow"]
    views["Yellow"].SetMappedInLayout(0)
    assert current_slice(volume, 0) == 3
    views["Red"].SetMappedInLayout(1)
    go_to_slice(volume, 1, 5)
    assert slice_node(volume, 1) is views["Red"]


def test_outside_the_volume(views):
    volume = add_volume(ijk_to_ras=STRAIGHT)
    views["Red"].JumpSliceByOffsetting(0, 0, 500)
    assert current_slice(volume, 0) is None


def test_without_views(scene):
    volume = add_volume()
    go_to_slice(volume, 0, 4)
    assert current_slice(volume, 0) is None
