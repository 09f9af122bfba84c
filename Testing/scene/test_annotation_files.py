"""Annotation states in files: what Slicer writes and reads again holds them."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from followed import Followed, fill  # noqa: E402
from slicer_scene import OBLIQUE, add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation  # noqa: E402
from MusclePropLib.core.segmentation import segmentation_from_annotations, write_segmentation  # noqa: E402
from MusclePropLib.scene.annotations import read_annotations  # noqa: E402
from MusclePropLib.scene.geometry import volume_geometry  # noqa: E402
from MusclePropLib.scene.states import FILLED_TAG, get_tag  # noqa: E402


@pytest.mark.parametrize("ending", ["seg.nrrd", "mrb"])
def test_states_survive_files(followed, volume, segmentation, tmp_path, ending):
    paint(segmentation, "GM", volume, {3: disc(), 9: disc()})
    followed.tracker.refresh()
    fill(followed, volume)
    followed.tracker.refresh()
    followed.tracker.mark_absent("SOL", [12, 13])
    before = followed.tracker.states["GM"]
    path = str(tmp_path / f"x.{ending}")
    if ending == "mrb":
        slicer.mrmlScene.SetRootDirectory(str(tmp_path))
        assert slicer.mrmlScene.WriteToMRB(path)
        slicer.mrmlScene.Clear(0)
        assert slicer.mrmlScene.ReadFromMRB(path)
        loaded = slicer.util.getNode("muscles")
        volume = slicer.util.getNode("calf")
    else:
        storage = segmentation.CreateDefaultStorageNode()
        storage.SetFileName(path)
        assert storage.WriteData(segmentation)
        loaded = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        assert storage.ReadData(loaded)
    segment_id = loaded.GetSegmentation().GetSegmentIdBySegmentName("GM")
    again = Followed(volume, loaded)
    assert again.drawn(segment_id) == [3, 9]
    assert again.tracker.states[segment_id].filled == before.filled
    if ending == "mrb":  # label map files have no place for segments without voxels
        assert again.tracker.states["SOL"].absent == {12, 13}


def test_a_slice_added_to_a_file_of_annotations_is_drawn(volume, tmp_path):
    """As those of the sample data and of `sparsify`, with the panel closed."""
    shape = slicer.util.arrayFromVolume(volume).shape
    known = Annotations(shape, [MuscleAnnotation("GM", {3: disc(), 9: disc()})])
    path = tmp_path / "x.seg.nrrd"
    write_segmentation(path, segmentation_from_annotations(known, volume_geometry(volume)))
    loaded = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = loaded.CreateDefaultStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(loaded)
    segment_id = loaded.GetSegmentation().GetNthSegmentID(0)
    paint(loaded, segment_id, volume, {3: disc(), 6: disc(), 9: disc()})
    assert Followed(volume, loaded).drawn(segment_id) == [3, 6, 9]


def test_left_handed_volume_comes_back_turned_and_so_do_the_states(scene, tmp_path):
    """Slicer makes volumes right-handed when it loads them; their slices are then counted from the other end."""
    volume = add_volume(ijk_to_ras=OBLIQUE @ np.diag([1, 1, -1, 1]))
    segmentation = add_segmentation(volume, ["GM"])
    paint(segmentation, "GM", volume, {3: disc(), 9: disc(radius=3)})
    followed = Followed(volume, segmentation)
    followed.tracker.refresh()
    fill(followed, volume)
    followed.tracker.mark_absent("GM", [])
    slicer.mrmlScene.SetRootDirectory(str(tmp_path))
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "x.mrb"))
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "x.mrb"))
    again = Followed(slicer.util.getNode("calf"), slicer.util.getNode("muscles"))
    assert again.drawn() == [4, 10]
    annotations, _ = read_annotations(again.subject.nodes()[0], again.segmentation, 0)
    np.testing.assert_array_equal(annotations.muscles[0].drawn[4], disc(radius=3))


def test_long_tags_survive_a_file(followed, volume, segmentation, tmp_path):
    """A full reconstruction has 2270 slices: their checksums are one long line in the NRRD header."""
    long = '{"' + '": 4294967295, "'.join(str(t) for t in range(2270)) + '": 1}'
    segmentation.GetSegmentation().GetSegment("GM").SetTag(FILLED_TAG, long)
    paint(segmentation, "GM", volume, {3: disc()})
    storage = segmentation.CreateDefaultStorageNode()
    storage.SetFileName(str(tmp_path / "x.seg.nrrd"))
    storage.WriteData(segmentation)
    loaded = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage.ReadData(loaded)
    ids = loaded.GetSegmentation().GetSegmentIDs()
    assert get_tag(loaded.GetSegmentation().GetSegment(ids[0]), FILLED_TAG) == long
