"""The logic for the Python console and for scripts."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from MusclePropLib.core.errors import InputError


@pytest.fixture
def logic(app):
    from driver import STAND_IN

    from MusclePropLib.gui.channel import QProcessChannel
    from MusclePropLib.gui.logic import PropagationLogic

    channel = QProcessChannel([sys.executable, str(STAND_IN)])
    logic = PropagationLogic(channel)
    yield logic
    logic.close()
    channel.wait(10)


@pytest.fixture
def nodes(app):
    from slicer_scene import add_segmentation, add_volume, disc, paint

    volume = add_volume((8, 30, 40))
    segmentation = add_segmentation(volume, ["GM", "SOL"])
    paint(segmentation, "GM", volume, {1: disc(), 6: disc(radius=4)})
    return volume, segmentation


def test_propagate_waits_and_returns_the_summary(logic, nodes):
    import slicer

    events = []
    before = slicer.util.arrayFromSegmentBinaryLabelmap(nodes[1], "GM", nodes[0])
    summary = logic.propagate(*nodes, onEvent=events.append, time_limit=5)
    assert [m["name"] for m in summary["muscles"]] == ["GM"]
    assert events[-1].name == "result"
    after = slicer.util.arrayFromSegmentBinaryLabelmap(nodes[1], "GM", nodes[0])
    np.testing.assert_array_equal(after[[1, 6]], before[[1, 6]])
    again = logic.propagate(*nodes)
    assert again["rounds"] == 2, "the worker stays warm"
    assert again["went_on"], "one more slice is learned by the network of the last round"


def test_two_segmentations_of_one_volume_do_not_learn_from_each_other(logic, nodes):
    from slicer_scene import add_segmentation, disc, paint

    volume, segmentation = nodes
    other = add_segmentation(volume, ["GM"])
    paint(other, "GM", volume, {1: disc(), 6: disc(radius=5)})
    went_on = [logic.propagate(volume, each)["went_on"] for each in (segmentation, other, other, segmentation)]
    assert went_on == [False, False, True, False]


def test_without_waiting_the_segments_are_written_before_the_event(logic, nodes, app):
    import slicer

    seen = []

    def tell(event):
        if event.name == "result":
            tag = nodes[1].GetSegmentation().GetSegment("GM").HasTag("MuscleProp.Provenance")
            seen.append(tag)

    assert logic.propagate(*nodes, wait=False, onEvent=tell) is None
    with pytest.raises(RuntimeError, match="already under way"):
        logic.propagate(*nodes)
    end = time.monotonic() + 60
    while not seen and time.monotonic() < end:
        slicer.app.processEvents()
        time.sleep(0.01)
    assert seen == [True]


def test_faults_are_raised(logic, nodes):
    nodes[0].SetName("fault")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        logic.propagate(*nodes)
    nodes[1].GetSegmentation().RemoveSegment("GM")
    with pytest.raises(InputError, match="no slice is drawn"):
        logic.propagate(*nodes)
    with pytest.raises(RuntimeError, match="settings of the job are not understood"):
        from slicer_scene import disc, paint

        paint(nodes[1], "SOL", nodes[0], {2: disc()})
        logic.propagate(*nodes, no_such_setting=1)


def test_what_is_deleted_meanwhile_leaves_nothing_behind(logic, nodes):
    import slicer

    def delete(event):
        if event.name == "preview":
            slicer.mrmlScene.RemoveNode(nodes[1])
            logic._session.stop()

    nodes[0].SetName("slow")  # until it is stopped: the result must come after the preview was told of
    with pytest.raises(InputError, match="has been deleted"):
        logic.propagate(*nodes, onEvent=delete)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert not logic._session.job.job.folder.exists()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux")
@pytest.mark.parametrize("fits", [True, False])
def test_nothing_maps_the_result_any_more_when_its_folder_is_deleted(logic, nodes, monkeypatch, fits):
    """Windows deletes no file that is mapped, be it written into the segments or refused."""
    import slicer

    from MusclePropLib.gui import session

    mapped, removed = [], session.removed

    def look_first(folder):
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
        mapped.append([line.split()[-1] for line in lines if str(folder) in line])
        return removed(folder)

    def crop(event):
        if event.name == "preview":
            if not fits:
                slicer.util.updateVolumeFromArray(nodes[0], np.zeros((4, 30, 40), np.uint8))
            logic._session.stop()

    monkeypatch.setattr(session, "removed", look_first)
    nodes[0].SetName("slow")
    with nullcontext() if fits else pytest.raises(InputError, match="has changed its size"):
        logic.propagate(*nodes, onEvent=crop)
    assert mapped == [[]]


@pytest.mark.parametrize("wait", [True, False])
def test_nothing_of_a_closed_scene_reaches_the_next_one(logic, nodes, wait):
    """The next scene's nodes may have the same IDs, and be another patient's."""
    import slicer
    from slicer_scene import add_segmentation, add_volume, disc, paint

    nodes[0].SetName("slow")
    names, ids = [], tuple(node.GetID() for node in nodes)

    def other_patient(event):
        names.append(event.name)
        if event.name == "preview":
            slicer.mrmlScene.Clear(0)
            volume = add_volume((8, 30, 40))
            segmentation = add_segmentation(volume, ["GM", "SOL"])
            paint(segmentation, "GM", volume, {3: disc()})
            assert (volume.GetID(), segmentation.GetID()) == ids

    if wait:
        with pytest.raises(RuntimeError, match="scene was closed"):
            logic.propagate(*nodes, onEvent=other_patient)
    else:
        logic.propagate(*nodes, wait=False, onEvent=other_patient)
        end = time.monotonic() + 60
        while "cancelled" not in names and time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.01)
    assert names[-1] == "cancelled"
    segment = slicer.mrmlScene.GetNodeByID(ids[1]).GetSegmentation().GetSegment("GM")
    assert not segment.HasTag("MuscleProp.Provenance")


def test_a_callback_that_raises_gives_the_job_up(logic, nodes):
    nodes[0].SetName("slow")

    def raises(event):
        raise KeyError(event.name)

    with pytest.raises(KeyError):
        logic.propagate(*nodes, onEvent=raises)
    nodes[0].SetName("calf")
    assert logic.propagate(*nodes) is not None, "nothing is under way any more"


def test_weights_are_found_from_another_folder(tmp_path, monkeypatch):
    from MusclePropLib.gui.logic import _option

    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.safetensors").touch()
    assert _option("weights", "own.safetensors") == ["--weights", str(tmp_path / "own.safetensors")]
    assert _option("weights", "bundled") == ["--weights", "bundled"]


def test_folder(logic, tmp_path, monkeypatch):
    """The command line's batch, with a stand-in for it: rows, lines, options, and what happens if nothing works."""
    from MusclePropLib.gui import logic as module

    package = tmp_path / "package"
    (package / "MusclePropLib").mkdir(parents=True)
    (package / "MusclePropLib" / "__init__.py").write_text("")
    (package / "MusclePropLib" / "__main__.py").write_text(
        "import sys, pathlib\n"
        "a = sys.argv[1:]\n"
        "print('case one', flush=True)\n"
        "print(*a, file=sys.stderr)\n"
        "sys.exit(2) if '--again' in a else None\n"
        "out = pathlib.Path(a[a.index('-o') + 1]); out.mkdir()\n"
        "(out / 'summary.csv').write_text('case,status\\none,done\\ntwo,failed\\n') if 'bad' not in a[1] else 0\n"
        "sys.exit(1)\n"
    )
    monkeypatch.setattr(module, "PACKAGE_PARENT", package)
    lines = []
    rows = logic.propagateFolder(tmp_path / "in", tmp_path / "out", onEvent=lines.append, time_limit=5)
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "case one" in lines
    assert f"batch {tmp_path / 'in'} -o {tmp_path / 'out'} --time-limit 5" in lines
    with pytest.raises(RuntimeError, match="case one"):
        logic.propagateFolder(tmp_path / "bad", tmp_path / "out2", onEvent=None)
    with pytest.raises(RuntimeError, match=r"--again$"):  # a bare switch; and an earlier table is no result
        logic.propagateFolder(tmp_path / "in", tmp_path / "out", onEvent=None, again=True, axis=None, json=False)
