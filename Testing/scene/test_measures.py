"""Measurements of nodes: the same volumes as Slicer counts, and a table and plot that follow the scene."""

import json
import zipfile

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import OBLIQUE, add_segmentation, add_volume, disc, paint  # noqa: E402

from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.scene.annotations import Subject  # noqa: E402
from MusclePropLib.scene.measures import ROLE, mark_position, measure_node, show_plot, show_table  # noqa: E402
from MusclePropLib.scene.results import PROVENANCE_TAG, accept  # noqa: E402
from MusclePropLib.scene.snapshot import segments_now  # noqa: E402

SLICES = 14


@pytest.fixture
def subject(volume, segmentation):
    paint(segmentation, "GM", volume, {t: disc(centre=(11, 14), radius=4) for t in range(3, 10)})
    return Subject(volume.GetID(), segmentation.GetID(), 0)


def summary():
    return {"muscles": [{"name": "GM", "estimate": 0.9}], "confidence": [[0.9] * SLICES]}


def test_volume_and_brightness_are_slicers_own(subject, volume, segmentation):
    (gm,) = measure_node(subject)
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "GM", volume).astype(bool)
    assert gm.volume_ml == pytest.approx(mask.sum() * abs(np.linalg.det(OBLIQUE[:3, :3])) / 1000)
    assert gm.intensity_mean == pytest.approx(slicer.util.arrayFromVolume(volume)[mask].mean())
    assert gm.known.drawn == tuple(range(3, 10))
    weights = gm.areas_mm2 / gm.areas_mm2.sum()
    lps = np.nansum(gm.centroids_mm * weights[:, None], axis=0)
    np.testing.assert_allclose(lps * [-1, -1, 1], segmentation.GetSegmentCenterRAS("GM"), atol=0.5)


@pytest.mark.parametrize("axis", [1, 2])
def test_other_axes(subject, axis):
    whole = measure_node(subject)[0].volume_ml
    other = Subject(subject.volume_id, subject.segmentation_id, axis)
    assert measure_node(other)[0].volume_ml == pytest.approx(whole)


def test_confidence_from_the_summary_or_the_tag(subject, segmentation):
    assert measure_node(subject)[0].expected is None
    assert measure_node(subject, summary())[0].known.estimate == 0.9
    tag = json.dumps({"muscle": {"estimate": 0.8}, "confidence": [0.8] * SLICES})
    segmentation.GetSegmentation().GetSegment("GM").SetTag(PROVENANCE_TAG, tag)
    gm = measure_node(subject)[0]
    assert gm.known.estimate == 0.8 and gm.known.confidence[[2, 5]].tolist() == [0.8, 1.0], "slice 5 is drawn"
    assert gm.expected is not None


def test_confidence_of_a_left_handed_volume_out_of_a_scene_file(scene, tmp_path):
    """Slicer turns the volume's slices when it loads them, but neither the segment's nor what its tag counts along."""
    volume = add_volume(ijk_to_ras=OBLIQUE @ np.diag([1, 1, -1, 1]))
    segmentation = add_segmentation(volume, ["GM"])
    paint(segmentation, "GM", volume, {3: disc(), 9: disc(radius=3)})
    labels = np.zeros((SLICES, 30, 40), np.uint8)
    labels[3:10, disc()] = 1
    trust = [0.5 + t / 100 for t in range(SLICES)]
    result = {"muscles": [{"name": "GM", "estimate": 0.9}], "confidence": [trust]}
    accept(Subject(volume.GetID(), segmentation.GetID(), 0), ["GM"], labels, result)
    slicer.mrmlScene.SetRootDirectory(str(tmp_path))
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "x.mrb"))
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "x.mrb"))
    subject = Subject(slicer.util.getNode("calf").GetID(), slicer.util.getNode("muscles").GetID(), 0)
    (gm,) = measure_node(subject)
    assert gm.known.drawn == (4, 10)
    expected = np.where(np.isin(np.arange(SLICES), gm.known.drawn), 1, trust[::-1])
    np.testing.assert_allclose(gm.known.confidence, expected)
    ((segment, _),) = segments_now(*subject.nodes(), 0)
    np.testing.assert_allclose(json.loads(segment.tags[PROVENANCE_TAG])["confidence"], trust[::-1])


def test_confidence_is_not_taken_of_slices_across_another_axis(scene):
    """Of a cube there are as many of them."""
    volume = add_volume((12, 12, 12))
    segmentation = add_segmentation(volume, ["GM"])
    paint(segmentation, "GM", volume, {3: disc((12, 12), (6, 6), 3)})
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[2:9, disc((12, 12), (6, 6), 3)] = 1
    result = {"muscles": [{"name": "GM", "estimate": 0.9}], "confidence": [[0.9] * 12]}
    accept(Subject(volume.GetID(), segmentation.GetID(), 0), ["GM"], labels, result)
    other = Subject(volume.GetID(), segmentation.GetID(), 1)
    (gm,) = measure_node(other)
    assert gm.known.confidence is None and gm.known.estimate == 0.9
    ((segment, _),) = segments_now(*other.nodes(), 1)
    assert json.loads(segment.tags[PROVENANCE_TAG]).get("confidence") is None


def test_table_has_a_row_per_muscle(subject):
    node = show_table(subject, measure_node(subject))
    table = node.GetTable()
    assert table.GetNumberOfRows() == 1
    assert table.GetColumnByName("muscle").GetValue(0) == "GM"
    assert table.GetColumnByName("volume_ml").GetValue(0) == pytest.approx(measure_node(subject)[0].volume_ml, rel=1e-5)
    assert show_table(subject, measure_node(subject)) is node, "the table is used again"


def test_plot_has_curve_range_drawn_dots_and_marker(subject):
    chart = show_plot(subject, measure_node(subject, summary()))
    names = [chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert names == ["GM", "GM, lowest", "GM, highest", "GM, drawn", "current slice"]
    for n in range(len(names)):
        series = chart.GetNthPlotSeriesNode(n)
        table = series.GetTableNode().GetTable()
        for column in (series.GetXColumnName(), series.GetYColumnName()):
            assert table.GetColumnByName(column) is not None


def test_plot_shows_the_areas_of_each_muscle_at_its_positions(subject, volume, segmentation):
    paint(segmentation, "SOL", volume, {t: disc(centre=(22, 25), radius=t) for t in range(4, 8)})
    paint(segmentation, "GM", volume, {3: disc(centre=(11, 14)), 9: disc(centre=(11, 14), radius=3)})
    labels = np.zeros((SLICES, 30, 40), np.uint8)
    labels[3:10, disc(centre=(11, 14), radius=5)] = 1
    accept(subject, ["GM"], labels, summary())
    gm, sol = measure_node(subject)
    plotted = curves(show_plot(subject, [gm, sol]))
    pixel_cm2 = np.linalg.norm(np.cross(OBLIQUE[:3, 0], OBLIQUE[:3, 1])) / 100
    for name, drawn in (("GM", [3, 9]), ("SOL", range(4, 8))):
        voxels = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, name, volume).astype(bool)
        areas = voxels.sum(axis=(1, 2)) * pixel_cm2
        np.testing.assert_allclose(plotted[name][1], areas)
        dots = np.where(np.isin(np.arange(SLICES), list(drawn)), areas, np.nan)
        np.testing.assert_allclose(plotted[f"{name}, drawn"][1], dots)
    low, high = gm.expected.low_mm2 / 100, gm.expected.high_mm2 / 100
    assert (low < high).sum() == 5
    np.testing.assert_allclose(plotted["GM, lowest"][1], low)
    np.testing.assert_allclose(plotted["GM, highest"][1], high)
    np.testing.assert_allclose([positions for positions, _ in plotted.values()], [gm.positions_mm] * len(plotted))


def curves(chart):
    """Name -> (positions, values) of every series but the line at the current slice."""
    found = {}
    for n in range(chart.GetNumberOfPlotSeriesNodes() - 1):
        series = chart.GetNthPlotSeriesNode(n)
        table = series.GetTableNode().GetTable()
        columns = map(table.GetColumnByName, (series.GetXColumnName(), series.GetYColumnName()))
        found[series.GetName()] = [[column.GetValue(row) for row in range(SLICES)] for column in columns]
    return found


def test_marker_moves_and_stays_where_it_is(subject):
    chart = show_plot(subject, measure_node(subject))
    mark_position(subject, 7.5)
    marker = chart.GetNthPlotSeriesNode(chart.GetNumberOfPlotSeriesNodes() - 1)
    assert marker.GetTableNode().GetTable().GetColumnByName("position_mm").GetValue(1) == 7.5
    show_plot(subject, measure_node(subject))
    assert marker.GetTableNode().GetTable().GetColumnByName("position_mm").GetValue(1) == 7.5


def test_plotting_again_leaves_no_nodes_behind(subject, volume, segmentation):
    paint(segmentation, "SOL", volume, {4: disc(centre=(22, 25))})
    show_plot(subject, measure_node(subject))
    before = slicer.mrmlScene.GetNumberOfNodes()
    chart = show_plot(subject, measure_node(subject))
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    segmentation.GetSegmentation().RemoveSegment("SOL")
    show_plot(subject, measure_node(subject))
    assert slicer.mrmlScene.GetNumberOfNodes() == before - 2
    assert chart.GetNumberOfPlotSeriesNodes() == 3


def test_marking_before_there_is_a_plot_does_nothing(subject):
    mark_position(subject, 3.0)


def test_faults_are_sentences(volume, segmentation):
    subject = Subject(volume.GetID(), segmentation.GetID(), 0)
    with pytest.raises(InputError, match="every segment of 'muscles' is empty"):
        measure_node(subject)
    other = add_volume(ijk_to_ras=np.diag([0.31, 0.3, 1.0, 1.0]), name="other")
    paint(segmentation, "GM", volume, {3: disc()})
    with pytest.raises(InputError, match="does not lie on the voxels"):
        measure_node(Subject(other.GetID(), segmentation.GetID(), 0))
    slicer.mrmlScene.RemoveNode(volume)
    with pytest.raises(InputError, match="has been deleted"):
        measure_node(subject)


def test_damaged_record_is_none(subject, segmentation):
    for damaged in ('{"version": "1", "muscle', "[]"):
        segmentation.GetSegmentation().GetSegment("GM").SetTag(PROVENANCE_TAG, damaged)
        assert measure_node(subject)[0].expected is None
        (segment, _) = segments_now(*subject.nodes(), 0)[0]
        assert PROVENANCE_TAG not in segment.tags


def test_recordings_of_two_scenes_keep_their_tables_and_plots(subject, segmentation, tmp_path):
    """A scene that is added to another gets new node IDs."""
    show_table(subject, measure_node(subject))
    show_plot(subject, measure_node(subject))
    slicer.mrmlScene.SetRootDirectory(str(tmp_path))
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "first.mrb"))
    slicer.mrmlScene.Clear(0)
    volume = add_volume()
    second = add_segmentation(volume, ["SOL"])
    paint(second, "SOL", volume, {t: disc() for t in range(4, 9)})
    added = tmp_path / "added"
    with zipfile.ZipFile(tmp_path / "first.mrb") as archive:
        archive.extractall(added)
    (scene_file,) = added.rglob("*.mrml")
    slicer.mrmlScene.SetRootDirectory(str(scene_file.parent))
    slicer.mrmlScene.SetURL(str(scene_file))
    assert slicer.mrmlScene.Import()
    first = next(n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if n is not second)
    before = nodes_of(first)
    assert len(before) >= 5
    ours = Subject(volume.GetID(), second.GetID(), 0)
    table, chart = show_table(ours, measure_node(ours)), show_plot(ours, measure_node(ours))
    assert nodes_of(first) == before
    assert {table.GetID(), chart.GetID()} <= set(nodes_of(second)) and not set(before) & set(nodes_of(second))


def nodes_of(segmentation):
    """IDs of the nodes that measuring has made for it."""
    nodes = [slicer.mrmlScene.GetNthNode(i) for i in range(slicer.mrmlScene.GetNumberOfNodes())]
    return [n.GetID() for n in nodes if n.GetAttribute(ROLE) and n.GetNodeReference(ROLE) is segmentation]
