"""Scenes are saved, loaded and closed, nodes deleted, the module reloaded: nothing breaks, nothing stays behind."""

import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def module(app, requirements, monkeypatch):
    """The module's widget as Slicer makes it, with the quick stand-in for the computing."""
    import slicer
    from driver import REPOSITORY, STAND_IN
    from harness.wrapping import wrap
    from PySide6 import QtWidgets

    import MuscleProp
    from MusclePropLib.gui import channel, packages

    monkeypatch.setattr(channel, "worker_command", lambda python=None: [sys.executable, str(STAND_IN)])
    monkeypatch.setattr(packages, "read_requirements", lambda path: [])
    slicer.modules.muscleprop = SimpleNamespace(path=str(REPOSITORY / "MuscleProp" / "MuscleProp.py"))
    host = QtWidgets.QWidget()
    QtWidgets.QVBoxLayout(host)
    parent = SimpleNamespace(isEntered=True, layout=lambda: wrap(host.layout()), host=host)
    widget = MuscleProp.MusclePropWidget(parent)
    widget.setup()
    widget.enter()
    yield widget
    widget.cleanup()
    widget.panel.session._runner._channel.wait(10)


@pytest.fixture
def drawn(module):
    """The module with a volume on which GM is drawn; `volume` names the engine's behaviour."""
    import slicer
    from slicer_scene import Editor, add_volume, disc

    def draw(name="slow"):
        volume = add_volume((10, 40, 50), name=name)
        module.panel.set_parameters(module.logic.getParameterNode())
        module.panel.work.create_segments()
        parameters = module.logic.getParameterNode()
        for index in (2, 7):
            Editor(parameters.segmentation, volume).stroke("GM", index, disc((40, 50), (20, 20), 7))
        module.panel.work.refresh()
        return slicer.mrmlScene.GetNodeByID(volume.GetID())

    return draw


def wait(module, condition, seconds=60):
    import time

    import slicer

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        slicer.app.processEvents()
        time.sleep(0.005)


def test_choices_survive_saving_and_loading(module, drawn, tmp_path):
    import slicer

    from MusclePropLib.gui.parameters import Device

    drawn("calf")
    module.panel.ui.timeLimitSlider.setValue(33)
    module.panel.ui.deviceComboBox.setCurrentIndex(1)
    slicer.mrmlScene.SetRootDirectory(str(tmp_path))
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "x.mrb"))
    slicer.mrmlScene.Clear(0)
    parameters = module.logic.getParameterNode()
    assert parameters.volume is None and module.panel.ui.volumeSelector.currentNode() is None
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "x.mrb"))
    parameters = module.logic.getParameterNode()
    assert parameters.volume.GetName() == "calf"
    assert parameters.segmentation.GetName() == "calf muscles"
    assert (parameters.timeLimit, parameters.device) == (33.0, Device.CPU)
    assert module.panel.ui.volumeSelector.currentNode() is parameters.volume
    wait(module, lambda: module.panel.at_rest)
    assert sorted(module.panel.work.tracker.states["GM"].drawn) == [2, 7]


def test_two_volumes_in_one_scene(module, drawn):
    import slicer

    first = drawn("calf")
    panel, parameters = module.panel, module.logic.getParameterNode()
    segmentation = parameters.segmentation
    second = drawn("other")
    panel.ui.segmentationSelector.setCurrentNode(None)
    panel.ui.volumeSelector.setCurrentNode(second)
    panel.work.create_segments()
    assert parameters.segmentation is not segmentation
    assert not panel.work.tracker.states["GM"].drawn
    panel.ui.volumeSelector.setCurrentNode(first)
    panel.ui.segmentationSelector.setCurrentNode(segmentation)
    wait(module, lambda: panel.at_rest)
    assert len(panel.work.tracker.states["GM"].drawn) == 2
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2


def test_result_of_one_volume_is_not_accepted_while_another_is_chosen(module, drawn):
    """It would change segments that are not shown, and the editor of those that are could not undo it."""
    first = drawn("calf")
    panel, segmentation = module.panel, module.logic.getParameterNode().segmentation
    panel.work.propagate()
    wait(module, lambda: panel.session.summary)
    assert panel.ui.acceptButton.enabled
    other = drawn("other")
    panel.ui.segmentationSelector.setCurrentNode(None)
    panel.ui.volumeSelector.setCurrentNode(other)
    wait(module, lambda: panel.at_rest)
    assert not panel.ui.acceptButton.enabled and panel.ui.discardButton.enabled
    assert "'calf muscles'" in panel.ui.acceptButton.toolTip and "calf muscles" in panel.ui.resultLabel.text
    panel.ui.volumeSelector.setCurrentNode(first)
    panel.ui.segmentationSelector.setCurrentNode(segmentation)
    wait(module, lambda: panel.ui.acceptButton.enabled)
    panel.ui.acceptButton.click()
    assert panel.session.preview_node_id is None


@pytest.mark.parametrize("event", ["close the scene", "delete the volume", "delete the segmentation", "quit"])
@pytest.mark.parametrize("moment", ["running", "finished"])
def test_whatever_goes_ends_the_job(module, drawn, event, moment):
    import slicer

    volume = drawn("slow" if moment == "running" else "calf")
    panel = module.panel
    panel.work.propagate()
    wait(module, lambda: panel.session.preview_node_id)
    if moment == "finished":
        wait(module, lambda: not panel.session.busy)
    folder = panel.session.job.job.folder
    happen = {
        "close the scene": lambda: slicer.mrmlScene.Clear(0),
        "delete the volume": lambda: slicer.mrmlScene.RemoveNode(volume),
        "delete the segmentation": lambda: slicer.mrmlScene.RemoveNode(panel.work.choices.segmentation),
        "quit": module.cleanup,
    }
    happen[event]()
    assert panel.session.preview_node_id is None
    wait(module, lambda: not panel.session.busy)
    wait(module, lambda: not folder.exists())
    assert not [n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if n.GetHideFromEditors()]


def test_closing_the_scene_leaves_a_panel_that_works(module, drawn):
    import slicer

    drawn("calf")
    slicer.mrmlScene.Clear(0)
    assert not module.panel.ui.propagateButton.enabled
    drawn("calf")
    module.panel.ui.propagateButton.click()
    wait(module, lambda: module.panel.session.summary)
    module.panel.ui.acceptButton.click()
    assert len(module.panel.work.tracker.states["GM"].slices) == 2


def test_no_effect_paints_on_in_another_module(module, drawn):
    drawn("calf")
    editor = module.panel.ui.segmentEditor
    editor.setActiveEffectByName("Paint")
    assert editor._real.views_observed
    module.exit()
    assert editor.mrmlSegmentEditorNode() is not None and editor.activeEffect() is None
    assert not editor._real.views_observed
    module.enter()
    assert editor._real.views_observed and editor.activeEffect() is None


def test_scene_is_closed_while_another_module_is_shown(module, drawn):
    import slicer

    drawn("calf")
    module.exit()
    module.parent.isEntered = False
    slicer.mrmlScene.Clear(0)
    module.parent.isEntered = True
    module.enter()
    drawn("calf")
    assert module.panel.ui.propagateButton.enabled


def test_no_process_survives_the_module(module, drawn):
    from driver import running

    drawn("slow")
    pids = []
    module.panel.session.event.connect(lambda e: pids.append(e.data["pid"]) if e.name == "ready" else None)
    module.panel.work.propagate()
    wait(module, lambda: module.panel.session.preview_node_id)
    assert pids and running(pids[0])
    module.cleanup()
    wait(module, lambda: not running(pids[0]))


def test_observers_go_with_the_panel(module, drawn):
    volume = drawn("calf")
    panel = module.panel
    module.cleanup()
    heard = []
    panel.work.changed.connect(lambda: heard.append(1))
    volume.SetName("renamed")
    import slicer

    slicer.mrmlScene.RemoveNode(volume)
    wait(module, lambda: panel.at_rest)
    assert not heard


def test_reload_forgets_the_package(module, monkeypatch):
    """Slicer loads the module's file anew, but of a package beside it it would keep the old code."""
    import slicer

    reloaded = []
    monkeypatch.setattr(slicer.util, "reloadScriptedModule", reloaded.append)
    package = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "MusclePropLib"}
    module.onReload()
    left = [name for name in sys.modules if name.split(".")[0] == "MusclePropLib"]
    sys.modules.update(package)  # the other tests go on with what they have
    assert reloaded == ["MuscleProp"] and not left


def test_module_registers_without_importing_the_package(app):
    """At start-up Slicer loads every module's file: it must cost nothing and need nothing."""
    import subprocess

    from driver import REPOSITORY

    code = f"""
import sys
sys.path[:0] = [{str(REPOSITORY / "Testing" / "gui")!r}, {str(REPOSITORY / "Testing")!r}]
import slicer_scene; slicer_scene.new_scene()
import slicer
from harness import application
application.install(slicer.app.applicationLogic)
before = set(sys.modules)
sys.path.append({str(REPOSITORY / "MuscleProp")!r})
import MuscleProp
parent = type("Parent", (), {{"path": MuscleProp.__file__}})()
MuscleProp.MuscleProp(parent)
new = {{name.split(".")[0] for name in set(sys.modules) - before}}
print(sorted(new & {{"MusclePropLib", "torch", "numpy", "scipy", "SimpleITK", "cv2"}}), parent.title)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith("[] MuscleProp"), run.stdout


@pytest.mark.parametrize("give_up", ["cancel", "_forget_result"])
def test_what_comes_with_the_event_that_made_one_give_up_is_not_shown(module, drawn, monkeypatch, give_up):
    """The worker's result may be read together with the event before it."""
    from MusclePropLib.gui.session import Phase
    from MusclePropLib.jobs.protocol import Event

    drawn("slow")
    session = module.panel.session
    module.panel.ui.propagateButton.click()
    wait(module, lambda: session.phase is Phase.RUNNING and session._writer is None)
    job, runner = session.job.job.id, session._runner
    events = [
        Event("stage", job, {"name": "x", "text": "x"}),
        Event("result", job, {"labels": "no.npy", "summary": {}}),
    ]
    heard = []
    session.event.connect(lambda event: heard.append(event.name) or getattr(session, give_up)())
    with monkeypatch.context() as patch:
        patch.setattr(runner, "poll", lambda: events)
        patch.setattr(runner, "cancel", lambda: None)
        session.poll()
    assert heard[0] == "stage" and session.phase is Phase.IDLE and session.summary is None
    runner.cancel()


@pytest.mark.parametrize("change", ["warped", "smaller"])
def test_result_comes_though_the_volume_has_changed_and_previews_cannot_be_shown(module, drawn, change):
    import numpy as np
    import slicer
    from slicer_scene import bend

    volume = drawn("slow")
    panel = module.panel
    panel.work.propagate()
    wait(module, lambda: panel.session.preview_node_id)
    if change == "warped":
        bend(volume)
    else:
        slicer.util.updateVolumeFromArray(volume, np.zeros((5, 40, 50), np.int16))
    wait(module, lambda: panel.at_rest)
    panel.ui.stopButton.click()
    wait(module, lambda: not panel.work.busy)
    assert panel.session.summary is not None and panel.session.preview_node_id is None
    assert panel.ui.discardButton.enabled
    panel.ui.discardButton.click()


@pytest.fixture
def in_one_batch(module, drawn, monkeypatch):
    """A propagation that was stopped, whose last events come together; what is to be done with them before."""
    from harness import wrapping

    drawn("slow")
    session, runner, kept, acts = module.panel.session, module.panel.session._runner, [], []
    module.panel.work.propagate()
    wait(module, lambda: session.preview_node_id)
    read = runner.poll

    def together():
        kept.extend(read())
        if runner.busy:
            return []
        for act in acts if kept else ():
            act(kept)
        return [kept.pop(0) for _ in range(len(kept))]

    monkeypatch.setattr(runner, "poll", together)
    module.panel.ui.stopButton.click()
    yield acts
    assert wrapping.slot_errors, "it is told"
    wrapping.slot_errors.clear()


def test_a_fault_in_the_window_costs_no_event(module, in_one_batch):
    heard = []

    def fail(event):
        heard.append(event.name)
        raise ZeroDivisionError(event.name)

    module.panel.session.event.connect(fail)
    wait(module, lambda: not module.panel.session.busy)
    assert heard[-1] == "result" and len(heard) > 1
    assert module.panel.session.summary is not None and module.panel.ui.acceptButton.enabled
    module.panel.session.event.disconnect(fail)


def test_what_nobody_answers_any_more_can_be_cancelled(module, in_one_batch):
    """The result's file is gone."""
    session, button = module.panel.session, module.panel.ui.propagateButton
    in_one_batch.append(lambda events: (session.job.job.folder / events[-1].data["labels"]).unlink())
    wait(module, lambda: not session.busy)
    assert button.text == "Cancel"
    button.click()
    assert button.text == "Propagate" and button.enabled


@pytest.mark.parametrize("moment", ["running", "finished"])
def test_result_is_not_written_into_another_drawing(module, drawn, moment):
    """The segmentation becomes an item of a sequence, and the next item is shown in its node."""
    import numpy as np
    import slicer
    from slicer_scene import paint

    volume = drawn("slow" if moment == "running" else "calf")
    panel = module.panel
    node = panel.work.choices.segmentation
    panel.work.propagate()
    wait(module, lambda: panel.session.preview_node_id)
    if moment == "finished":
        wait(module, lambda: not panel.session.busy)
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "items")
    sequence.SetDataNodeAtValue(node, "0")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    other.Copy(node)
    paint(other, "GM", volume, {4: np.ones((40, 50), bool)})
    sequence.SetDataNodeAtValue(other, "1")
    slicer.mrmlScene.RemoveNode(other)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "sweep")
    browser.AddSynchronizedSequenceNode(sequence)
    browser.SetSaveChanges(sequence, True)
    browser.AddProxyNode(node, sequence, False)
    for item in (0, 1):
        browser.SetSelectedItemNumber(item)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    panel.work.refresh()
    wait(module, lambda: panel.at_rest and not panel.session.busy)
    assert "choose Clone" in panel.ui.problemLabel.text
    assert panel.session.summary is None and not panel.ui.acceptButton.enabled
    assert panel.session.preview_node_id is None
