"""Nothing is stood in for but Slicer's window: real scene, real widgets, the real worker with its network.

Draw on the simulated calf, propagate, watch previews come, accept, undo. MUSCLEPROP_SCREENSHOTS=1 renews the pictures
of the panel in Testing/screenshots on the way.
"""

import sys

import numpy as np
import pytest

STEP = 2  # every second voxel of the sample: enough to see something, quick enough for a test


@pytest.fixture
def calf(app, requirements):
    """The panel with the bundled sample, with the slices that are drawn in it."""
    import slicer
    from driver import REPOSITORY, Driver

    from MusclePropLib.core.segmentation import read_segmentation
    from MusclePropLib.core.volumes import read_volume
    from MusclePropLib.jobs.channel import worker_command
    from MusclePropLib.scene.geometry import RAS_TO_LPS

    folder = REPOSITORY / "MuscleProp" / "Resources" / "SampleData"
    volume = read_volume(folder / "SimulatedCalf.nrrd")
    array = volume.array[:, ::STEP, ::STEP]
    driver = Driver(requirements, worker_command(sys.executable), array.shape, "SimulatedCalf")
    slicer.util.updateVolumeFromArray(driver.volume, np.ascontiguousarray(array))
    matrix = RAS_TO_LPS @ volume.geometry.strided((1, STEP, STEP)).affine[:, [2, 1, 0, 3]]
    driver.volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    driver.parameters.volume = driver.volume
    driver.click("createSegmentsButton")
    drawn = read_segmentation(folder / "SimulatedCalf-annotations.seg.nrrd")
    for index, segment in enumerate(drawn.segments):
        mask = drawn.mask(index)[:, ::STEP, ::STEP]
        for t in np.flatnonzero(mask.any(axis=(1, 2))):
            driver.editor().stroke(driver.id_of(segment.name), int(t), mask[t])
    driver.settle()
    yield driver
    driver.close()


def test_draw_propagate_look_accept_undo(calf):
    import slicer

    names = ("GM", "GL", "SOL")
    before = {name: calf.array(name) for name in names}
    calf.ui.timeLimitSlider.setValue(15)
    calf.work.go_to(int(np.flatnonzero(before["SOL"].any(axis=(1, 2)))[1]))
    calf.screenshot("panel-annotated")
    calf.click("propagateButton")
    calf.until(lambda: calf.session.preview_node_id, "the first preview", 180)
    calf.until(lambda: any(calf.session.progress.estimate.values()) or not calf.session.busy, "an estimate", 180)
    calf.screenshot("panel-running", 1000)
    calf.until(lambda: not calf.session.busy, "the result", 240)
    assert calf.session.summary is not None, calf.session.failure
    assert len(calf.session.summary["muscles"]) == 3
    calf.screenshot("panel-result", 1080)
    calf.click("nextSliceButton")
    assert calf.work.current_slice() == calf.session.summary["next_slice"]
    calf.click("acceptButton")
    calf.settle()
    for name in names:
        after, drawn = calf.array(name), before[name].any(axis=(1, 2))
        np.testing.assert_array_equal(after[drawn], before[name][drawn])
        first, *_, last = np.flatnonzero(drawn)
        filled = after[first : last + 1].any(axis=(1, 2))
        assert filled.mean() > 0.9, f"{name} has {filled.sum()} of {len(filled)} slices between its first and last"
        assert calf.drawn(name) == np.flatnonzero(drawn).tolist()
    calf.click("measureButton")
    calf.screenshot("panel-accepted", 1100)
    calf.ui.segmentEditor.undo()
    for name in names:
        np.testing.assert_array_equal(calf.array(name), before[name])
    hidden = [n for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode") if n.GetHideFromEditors()]
    assert not hidden


def test_pictures_of_the_other_states(app, tmp_path):
    """The panel before anything is chosen, and while packages are missing."""
    from driver import STAND_IN, Driver

    requirements = tmp_path / "requirements.txt"
    requirements.write_text("no-such-package-of-muscles\n", encoding="utf-8")
    driver = Driver(requirements, [sys.executable, str(STAND_IN)])
    driver.screenshot("panel-setup")
    driver.close()
