"""The preview stands beside the expert's segments and leaves nothing behind."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import disc, paint  # noqa: E402

from MusclePropLib.scene.annotations import Subject  # noqa: E402
from MusclePropLib.scene.geometry import image_array, image_geometry, volume_geometry  # noqa: E402
from MusclePropLib.scene.preview import Preview  # noqa: E402


@pytest.fixture
def preview(volume, segmentation):
    paint(segmentation, "SOL", volume, {3: disc()})
    return Preview(Subject(volume.GetID(), segmentation.GetID(), 0), ["SOL", "GM"], opacity=0.5)


def labels(step=1):
    full = np.zeros((14, 30, 40), np.uint8)
    full[:, disc(centre=(8, 8), radius=6)] = 1
    full[:, disc(centre=(20, 28), radius=6)] = 2
    return full[:, ::step, ::step]


def shown(node, segment_id, volume):
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume).astype(bool)


def centre(mask):
    return np.argwhere(mask).mean(axis=0)


def test_shows_labels_in_the_segments_colours(preview, volume, segmentation):
    preview.show(labels())
    np.testing.assert_array_equal(shown(preview.node, "SOL", volume), labels() == 1)
    np.testing.assert_array_equal(shown(preview.node, "GM", volume), labels() == 2)
    for name in ("GM", "SOL"):
        colours = [n.GetSegmentation().GetSegment(name).GetColor() for n in (preview.node, segmentation)]
        assert colours[0] == colours[1]


def test_coarse_preview_lies_over_the_fine_one(preview, volume):
    preview.show(labels(2), (1, 2, 2))
    coarse = shown(preview.node, "SOL", volume)
    preview.show(labels())
    fine = shown(preview.node, "SOL", volume)
    np.testing.assert_allclose(centre(coarse), centre(fine), atol=0.5, err_msg="half a coarse voxel")
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2, "the node is used again"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_voxel_of_a_coarse_preview_is_where_it_was_taken_from(volume, segmentation, axis):
    preview = Preview(Subject(volume.GetID(), segmentation.GetID(), axis), ["SOL", "GM"])
    shape = volume_geometry(volume).moved(axis).shape
    coarse = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)[:, ::2, ::3]
    preview.show(coarse, (1, 2, 3))
    for value, segment_id in ((1, "SOL"), (2, "GM")):
        found = np.moveaxis(shown(preview.node, segment_id, volume), axis, 0)[:, ::2]
        nearest = np.round(np.arange(coarse.shape[2] * 3 - 2) / 3).astype(int)
        np.testing.assert_array_equal(found[..., : len(nearest)], (coarse == value)[..., nearest])


def test_expert_never_edits_or_saves_it(preview, tmp_path):
    preview.show(labels())
    assert preview.node.GetHideFromEditors()
    assert not preview.node.GetSaveWithScene()
    slicer.mrmlScene.SetURL(str(tmp_path / "x.mrml"))
    slicer.mrmlScene.Commit()
    assert "preview" not in (tmp_path / "x.mrml").read_text(encoding="utf-8")


def test_expert_s_segments_are_not_disturbed(preview, volume, segmentation):
    before = shown(segmentation, "SOL", volume)
    preview.show(labels())
    preview.set_show_3d(True)
    np.testing.assert_array_equal(shown(segmentation, "SOL", volume), before)
    assert not segmentation.GetSegmentation().ContainsRepresentation("Closed surface")


def test_surfaces_on_demand(preview):
    preview.show(labels())
    assert not preview.node.GetSegmentation().ContainsRepresentation("Closed surface")
    preview.set_show_3d(True)
    surface = preview.node.GetSegmentation().GetSegment("GM").GetRepresentation("Closed surface")
    assert surface.GetNumberOfPoints() > 0
    preview.set_show_3d(False)
    assert not preview.node.GetDisplayNode().GetVisibility3D()


def test_leaves_no_node_behind(preview):
    before = slicer.mrmlScene.GetNumberOfNodes()
    preview.show(labels())
    preview.set_show_3d(True)
    preview.remove()
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    preview.remove()


def test_its_end_touches_no_voxel(preview):
    preview.show(labels())
    image = preview.node.GetSegmentation().GetSegment("GM").GetRepresentation("Binary labelmap")
    before, changed = image_array(image).copy(), image.GetMTime()
    preview.remove()
    assert image.GetMTime() == changed
    np.testing.assert_array_equal(image_array(image), before)


def test_survives_a_closed_scene(preview):
    preview.show(labels())
    slicer.mrmlScene.Clear(0)
    assert preview.node is None
    preview.show(labels())
    preview.set_opacity(0.2)
    preview.remove()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_stays_over_the_volume_when_both_are_moved(preview, volume, segmentation):
    preview.show(labels())
    shift = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    moved = np.eye(4)
    moved[0, 3] = 50
    shift.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(moved))
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(shift.GetID())
    preview.show(labels())
    image = preview.node.GetBinaryLabelmapInternalRepresentation("SOL")
    np.testing.assert_allclose(image_geometry(image, preview.node).affine, volume_geometry(volume).affine)
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(None)
    preview.show(labels())
    image = preview.node.GetBinaryLabelmapInternalRepresentation("SOL")
    np.testing.assert_allclose(image_geometry(image, preview.node).affine, volume_geometry(volume).affine)
