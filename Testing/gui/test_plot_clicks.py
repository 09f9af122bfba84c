"""A click on a curve of the plot shows that slice, on the real chart of VTK."""

import pytest

pytest.importorskip("slicer_core", reason="the slicer-core wheel is not installed")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not installed")

STEP_MM, PIXEL_CM2 = 1.4, 0.05 * 0.05


@pytest.fixture
def plot(app, request):
    """A hand on the plot view, with what has been measured on the panel that `drawn` makes."""
    from harness import application
    from harness.plot_view import Hand

    application.add_main_window()
    driver = request.getfixturevalue("drawn")
    driver.click("measureButton")
    import slicer

    hand = Hand(slicer.app.layoutManager().plotWidget(0).plotView()._real)
    hand.draw()
    hand.driver, hand.chart = driver, hand._plot.chart()
    return hand


def click(plot, slice_index, name="SOL"):
    """On the muscle's curve."""
    plot.click(slice_index * STEP_MM, plot.driver.array(name)[slice_index].sum() * PIXEL_CM2)
    for _ in range(3):
        plot.driver.qt_events()


def test_goes_to_the_slice_of_a_curve(plot):
    for slice_index, name in ((15, "SOL"), (4, "SOL"), (9, "GL"), (4, "GM")):
        click(plot, slice_index, name)
        assert plot.driver.work.current_slice() == slice_index


def test_the_same_point_again_goes_there_again(plot):
    click(plot, 15)
    plot.driver.work.go_to(2)
    click(plot, 15)
    assert plot.driver.work.current_slice() == 15


def test_beside_the_curves_nothing_happens(plot):
    click(plot, 15)
    plot.driver.work.go_to(2)
    plot.click(12 * STEP_MM, 0.3)
    plot.driver.qt_events()
    assert plot.driver.work.current_slice() == 2


def test_the_line_at_the_shown_slice_is_no_curve(plot):
    plot.driver.work.go_to(7)
    plot.draw()
    plot.click(7 * STEP_MM, plot.driver.array("SOL")[4].sum() * PIXEL_CM2)  # the line's upper end
    plot.driver.qt_events()
    assert plot.driver.work.current_slice() == 7
    click(plot, 15)
    assert plot.driver.work.current_slice() == 15


def test_points_selected_together_stay_selected(plot):
    import vtk

    rows = vtk.vtkIdTypeArray()
    for row in (3, 4):
        rows.InsertNextValue(row)
    plot.driver.work.go_to(2)
    plot.chart.GetPlot(0).SetSelection(rows)
    plot.chart.InvokeEvent(vtk.vtkCommand.SelectionChangedEvent)
    plot.driver.qt_events()
    assert plot.driver.work.current_slice() == 2
    assert plot.chart.GetPlot(0).GetSelection().GetNumberOfValues() == 2


def test_a_closed_panel_listens_no_more(plot):
    height = plot.driver.array("SOL")[15].sum() * PIXEL_CM2
    plot.driver.panel.measure.close()
    plot.driver.work.go_to(2)
    plot.click(15 * STEP_MM, height)
    plot.driver.qt_events()
    assert plot.driver.work.current_slice() == 2


def test_other_charts_are_left_alone(plot):
    """The expert's own chart may stand in the same view later."""
    import slicer
    from slicer_scene import add_segmentation

    other = add_segmentation(plot.driver.volume, ["GM"])
    for node in slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode"):
        node.SetNodeReferenceID("MuscleProp.Measures", other.GetID())
    plot.driver.work.go_to(2)
    click(plot, 15)
    assert plot.driver.work.current_slice() == 2
