"""What is read step by step is what is read at once, of one moment, whatever happens between two steps."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
from slicer_scene import Editor, disc, paint  # noqa: E402

from MusclePropLib.core.errors import InputError  # noqa: E402
from MusclePropLib.core.steps import finished  # noqa: E402
from MusclePropLib.scene.annotations import (  # noqa: E402
    AnnotationTracker,
    Subject,
    annotations_read,
    propagation_axis,
    read_annotations,
)
from MusclePropLib.scene.inputs import inputs_read  # noqa: E402
from MusclePropLib.scene.measures import measure_node, node_measured  # noqa: E402
from MusclePropLib.scene.segments import moment  # noqa: E402

SLICES = (2, 3, 4, 9)


@pytest.fixture
def subject(volume, segmentation):
    paint(segmentation, "GM", volume, {t: disc(radius=3 + t % 4) for t in SLICES})
    paint(segmentation, "SOL", volume, {t: disc(centre=(22, 8), radius=5) for t in SLICES})
    return Subject(volume.GetID(), segmentation.GetID(), 0)


@pytest.fixture
def tracker(subject):
    tracker = AnnotationTracker(lambda: None)
    tracker.follow(subject)
    yield tracker
    tracker.follow(None)


def drawn(annotations):
    return {(m.name, t): mask.tobytes() for m in annotations.muscles for t, mask in m.drawn.items()}


CHANGES = {
    "stroke": lambda volume, node: Editor(node, volume).stroke("SOL", 11, disc()),
    "tag": lambda volume, node: node.GetSegmentation().GetSegment("GM").SetTag("MusclePropTest", "1"),
    "hidden": lambda volume, node: node.GetDisplayNode().SetSegmentVisibility("SOL", False),
    "added": lambda volume, node: node.GetSegmentation().AddEmptySegment("GL", "GL"),
    "removed": lambda volume, node: node.GetSegmentation().RemoveSegment("SOL"),
    "renamed": lambda volume, node: node.GetSegmentation().GetSegment("SOL").SetName("soleus"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_moment_tells_changes_and_only_them(subject, change):
    volume, segmentation = subject.nodes()
    before = moment(segmentation)
    read_annotations(volume, segmentation, 0)
    assert moment(segmentation) == before
    CHANGES[change](volume, segmentation)
    assert moment(segmentation) != before


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", [1, 3, 6])
def test_never_a_mixture(subject, change, after):
    steps = annotations_read(*subject.nodes(), 0)
    for _ in range(after):
        next(steps)
    CHANGES[change](*subject.nodes())
    assert finished(steps) is None
    anew, _ = finished(annotations_read(*subject.nodes(), 0))
    assert drawn(anew) == drawn(read_annotations(*subject.nodes(), 0)[0])


def test_each_slice_is_a_step(subject):
    assert sum(1 for _ in inputs_read(subject)) >= 2 * len(SLICES)


def test_refreshed_is_refresh(subject, tracker):
    assert finished(tracker.refreshed())
    again = AnnotationTracker(lambda: None)
    again.follow(subject)
    again.refresh()
    assert tracker.states == again.states
    assert not finished(tracker.refreshed())
    again.follow(None)


@pytest.mark.parametrize("after", [1, 4, 9])
def test_refreshed_knows_what_was_drawn_meanwhile(subject, tracker, after):
    editor = Editor(subject.nodes()[1], subject.nodes()[0])
    steps = tracker.refreshed()
    for _ in range(after):
        next(steps)
    editor.stroke("GM", 12, disc())
    next(steps)
    editor.stroke("GM", 2, disc(radius=20), erase=True)
    finished(steps)
    assert sorted(tracker.states["GM"].drawn) == [3, 4, 9, 12]
    steps = tracker.refreshed()
    editor.logic.Undo()
    next(steps)
    editor.logic.Undo()
    finished(steps)
    assert sorted(tracker.states["GM"].drawn) == list(SLICES)


def test_all_passes_are_made_in_steps(subject, tracker, monkeypatch):
    """What is left for the end costs no pass."""
    from MusclePropLib.scene.voxels import SegmentVoxels

    passes, real = [], SegmentVoxels._looked

    def counted(self):
        passes.append(self)
        return real(self)

    monkeypatch.setattr(SegmentVoxels, "_looked", counted)
    finished(tracker.refreshed())
    assert len(passes) == 2
    finished(tracker.refreshed())
    assert propagation_axis(*subject.nodes(), along=0) == 0
    assert len(passes) == 2


def test_segmentation_deleted_meanwhile(subject, tracker):
    steps = tracker.refreshed()
    next(steps)
    slicer.mrmlScene.RemoveNode(subject.nodes()[1])
    finished(steps)
    assert tracker.states == {}


def test_grid_that_does_not_fit_is_told(subject, tracker):
    steps = tracker.refreshed()
    next(steps)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([2.0, 1, 1, 1])))
    subject.nodes()[0].SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InputError, match="does not lie on the voxels"):
        finished(steps)
    assert tracker.states == {}


@pytest.mark.parametrize("change", ["stroke", "removed", "renamed"])
@pytest.mark.parametrize("after", [1, 8, 14])
def test_measures_are_of_one_moment(subject, change, after):
    steps = node_measured(subject)
    for _ in range(after):
        next(steps)
    CHANGES[change](*subject.nodes())
    found, expected = finished(steps), measure_node(subject)
    assert [(m.name, m.volume_ml) for m in found] == [(m.name, m.volume_ml) for m in expected]


def test_nothing_to_measure_any_more(subject):
    steps = node_measured(subject)
    next(steps)
    slicer.mrmlScene.RemoveNode(subject.nodes()[1])
    with pytest.raises(InputError, match="has been deleted"):
        finished(steps)
