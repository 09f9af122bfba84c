"""Nodes and the world: where voxels lie must not depend on how Slicer came to put them there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import OBLIQUE, add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.core.geometry import Geometry  # noqa: E402
from MusclePropLib.scene.geometry import (  # noqa: E402
    image_array,
    image_geometry,
    lattice_in,
    new_labelmap,
    node_to_world,
    volume_geometry,
)

TILT = np.array([[0.9, -0.2, 0.1, 5.0], [0.3, 0.8, 0.0, -2.0], [0.0, 0.1, 1.2, 3.0], [0, 0, 0, 1.0]])


def put_under(node, matrix=TILT):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "tilt")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def test_voxel_lies_where_slicer_says(volume):
    geometry = volume_geometry(volume)
    ras = OBLIQUE @ [7, 5, 3, 1]
    lps = geometry.affine @ [3, 5, 7, 1]
    assert geometry.shape == (14, 30, 40)
    np.testing.assert_allclose(lps, ras * [-1, -1, 1, 1])


def test_hardening_a_transform_changes_nothing(volume):
    put_under(volume)
    before = volume_geometry(volume)
    volume.HardenTransform()
    assert volume.GetParentTransformNode() is None
    assert before.matches(volume_geometry(volume))
    assert not before.matches(volume_geometry(add_volume()))


def test_chain_of_transforms_reaches_the_world(volume):
    inner = put_under(volume)
    put_under(inner, np.diag([2.0, 1.0, 1.0, 1.0]))
    np.testing.assert_allclose(node_to_world(volume), np.diag([2.0, 1.0, 1.0, 1.0]) @ TILT)


def test_bent_space_is_refused_by_name(volume):
    bend = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    put_under(volume).SetAndObserveTransformNodeID(bend.GetID())
    with pytest.raises(InputError, match="'calf' is under the non-linear transform 'tilt'"):
        volume_geometry(volume)


def test_empty_volume_is_refused(scene):
    with pytest.raises(InputError, match="holds no voxels"):
        volume_geometry(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing"))


@pytest.mark.parametrize("hardened", [False, True])
def test_label_map_keeps_its_place_under_a_shared_transform(volume, hardened):
    segmentation = add_segmentation(volume, ["GM"])
    paint(segmentation, "GM", volume, {5: disc(), 9: disc(centre=(20, 9))})
    for node in (volume, segmentation):
        put_under(node)
        if hardened:
            node.HardenTransform()
    image = segmentation.GetBinaryLabelmapInternalRepresentation("GM")
    assert lattice_in(image_geometry(image, segmentation), volume_geometry(volume)).offset == (0, 0, 0)


def test_other_lattice_has_no_offset(volume):
    geometry = volume_geometry(volume)
    other = add_volume(ijk_to_ras=OBLIQUE @ np.array([[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    assert lattice_in(volume_geometry(other), geometry) is None
    assert lattice_in(geometry.strided((1, 2, 2)), geometry) is None


def test_new_label_map_covers_just_its_box(volume, segmentation):
    put_under(segmentation)
    geometry = volume_geometry(volume)
    image = new_labelmap(geometry, node_to_world(segmentation), (slice(2, 6), slice(1, 30), slice(10, 12)))
    assert image_array(image).shape == (4, 29, 2)
    assert lattice_in(image_geometry(image, segmentation), geometry).offset == (2, 1, 10)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3), st.tuples(*[st.integers(0, 3)] * 3))
def test_turned_part_lies_voxel_on_voxel(order, flips, start):
    """Cut a part out of a grid, turn it in any way, and find it again."""
    whole = np.arange(7 * 8 * 9).reshape(7, 8, 9)
    affine = np.diag([1.5, 0.7, -0.4, 1.0]) @ TILT
    box = tuple(slice(a, a + n) for a, n in zip(start, (4, 3, 5), strict=True))
    steps = tuple(slice(None, None, -1 if f else 1) for f in flips)
    part = whole[box][steps].transpose(order)
    turn = np.zeros((4, 4))
    for its, axis in enumerate(order):
        turn[axis, its] = -1 if flips[axis] else 1
        turn[axis, 3] = start[axis] + ((4, 3, 5)[axis] - 1 if flips[axis] else 0)
    turn[3, 3] = 1
    lattice = lattice_in(Geometry(part.shape, affine @ turn), Geometry(whole.shape, affine))
    assert lattice.offset == start
    np.testing.assert_array_equal(lattice.turned(part), whole[box])
