"""Slices are drawn across one axis: it is found, it can be set, and no choice of it costs what is known of slices."""

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the slicer-core wheel is not installed")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed")

AUTOMATIC, K, J = 0, 1, 2  # rows of the combo box


@pytest.fixture
def accepted(drawn):
    """GM was propagated and accepted, and is absent on slice 18."""
    drawn.ui.segmentEditor.setCurrentSegmentID(drawn.id_of("GM"))
    drawn.work.go_to(18)
    drawn.click("absentHereButton")
    drawn.click("propagateButton")
    drawn.until_done()
    labels = np.array(drawn.session._labels)
    labels[5:15, 15:25, 15:25] = 1
    drawn.session._labels = labels
    drawn.click("acceptButton")
    drawn.settle()
    return drawn


def choose(driver, row):
    driver.ui.axisComboBox.setCurrentIndex(row)
    driver.settle()


def known(driver, name="GM"):
    states = driver.work.tracker.states[driver.id_of(name)]
    return sorted(states.drawn), sorted(states.filled), sorted(states.absent)


@pytest.mark.parametrize("back", [AUTOMATIC, K])
def test_looking_along_another_axis_changes_nothing(accepted, back):
    before = known(accepted)
    assert before == ([4, 15], list(range(5, 15)), [18])
    choose(accepted, J)
    assert "'Slices across'" in accepted.ui.problemLabel.text and not accepted.ui.propagateButton.enabled
    choose(accepted, back)
    assert accepted.work.subject.axis == 0 and known(accepted) == before
    assert not accepted.work.problem and accepted.ui.propagateButton.enabled


def test_what_is_only_drawn_can_be_looked_at_along_any_axis(drawn):
    choose(drawn, J)
    assert not drawn.work.problem and len(drawn.drawn("GM")) == 17
    choose(drawn, K)
    assert drawn.drawn("GM") == [4, 15]


def test_finished_muscle_is_in_no_way_of_one_drawn_across_another_axis(accepted):
    import slicer

    before = known(accepted)
    segmentation, logic = accepted.segmentation.GetSegmentation(), slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(segmentation.GetSegment(accepted.id_of("GM")), logic.Completed)
    for name in ("SOL", "GL"):
        accepted.segmentation.GetDisplayNode().SetSegmentVisibility(accepted.id_of(name), False)
    choose(accepted, J)
    assert not accepted.work.problem
    assert known(accepted)[0] == [], "what was propagated is not the expert's"
    logic.SetSegmentStatus(segmentation.GetSegment(accepted.id_of("GM")), logic.InProgress)
    choose(accepted, K)
    assert known(accepted) == before


def test_automatic_follows_what_is_drawn(drive):
    driver = drive()
    driver.click("createSegmentsButton")
    found = []
    for index in (np.s_[8:10, 30, 20:50], np.s_[3:17, 30, 20:50], np.s_[3:17, 45, 20:50], np.s_[3:17, 15, 20:50]):
        mask = np.zeros((20, 60, 80), bool)
        mask[index] = True
        driver.editor().stroke(driver.id_of("GM"), slice(None), mask)
        driver.settle()
        found.append(driver.work.subject.axis)
    assert found == [0, 1, 1, 1], "the first dab, of two voxels' thickness, says nothing yet"
    assert driver.drawn("GM") == [15, 30, 45]


def test_axis_stays_while_the_gaps_are_filled(drive):
    driver = drive()
    driver.click("createSegmentsButton")
    for first in (10, 30, 50, 20, 40, *range(11, 20), *range(21, 30), *range(31, 40)):
        mask = np.zeros((20, 60, 80), bool)
        mask[4:15, first, 30:45] = True
        driver.editor().stroke(driver.id_of("GM"), slice(None), mask)
        driver.settle()
        assert driver.work.subject.axis == 1
    assert len(driver.drawn("GM")) == 32


def test_wheel_over_the_axis_moves_the_panel_and_chooses_nothing(drawn):
    from MusclePropLib.gui.parameters import Axis

    turn(drawn)
    assert drawn.parameters.axis is Axis.AUTOMATIC
    drawn.ui.axisComboBox._real.activateWindow()
    drawn.ui.axisComboBox._real.setFocus()
    drawn.qt_events()
    turn(drawn)
    assert drawn.parameters.axis is Axis.K


def turn(driver):
    """The wheel, by a notch, over the combo box; as the window system sends it, which may give the focus, too."""
    from PySide6 import QtCore, QtTest

    combo = driver.ui.axisComboBox._real
    driver.widget._real.show()
    place = QtCore.QPoint(5, 5)
    window = combo.window().windowHandle()
    QtTest.QTest.wheelEvent(window, combo.mapTo(combo.window(), place), QtCore.QPoint(0, -120))
    driver.settle()
