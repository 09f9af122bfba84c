"""The plot view's stand-in on a real vtkChartXY: what a click selects, and when that is told, is VTK's own doing."""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

SIZE = (500, 350)


class qMRMLLayoutManager(QtWidgets.QWidget):
    """qMRMLLayoutManager: one plot view, whatever the layout."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._plot = None
        node = slicer.vtkMRMLPlotViewNode()
        node.SetLayoutName("PlotView1")
        self._plot = qMRMLPlotWidget(self)
        self._plot.setMRMLPlotViewNode(slicer.mrmlScene.AddNode(node))

    plotViewCount = QtCore.Property(int, lambda self: 1)

    def plotWidget(self, index: int):
        return self._plot if index == 0 else None


class qMRMLPlotWidget(QtWidgets.QWidget):
    """qMRMLPlotWidget"""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._view = qMRMLPlotView(self)

    def setMRMLPlotViewNode(self, node) -> None:
        self._view.setMRMLPlotViewNode(node)

    def mrmlPlotViewNode(self):
        return self._view.node

    def plotView(self):
        return self._view


class qMRMLPlotView(QtWidgets.QWidget):
    """qMRMLPlotView in the mode in which Slicer starts, which pans: the left button selects with a click."""

    dataSelected = QtCore.Signal(object, object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self.node, self._series = None, []
        self._view, self._chart = vtk.vtkContextView(), vtk.vtkChartXY()
        self._view.GetRenderWindow().SetOffScreenRendering(1)
        self._view.GetRenderWindow().SetSize(*SIZE)
        self._view.GetScene().AddItem(self._chart)
        left = vtk.vtkContextMouseEvent.LEFT_BUTTON
        self._chart.SetClickActionToButton(vtk.vtkChart.SELECT, left)
        self._chart.SetActionToButton(vtk.vtkChart.PAN, left)
        self._chart.AddObserver(vtk.vtkCommand.SelectionChangedEvent, lambda *_: self._emit_selection())

    def setMRMLPlotViewNode(self, node) -> None:
        self.node = node

    def chart(self):
        return self._chart

    def RemovePlotSelections(self) -> None:
        self._chart.RemovePlotSelections()

    def _emit_selection(self) -> None:
        """As qMRMLPlotViewPrivate::emitSelection."""
        ids, selections = vtk.vtkStringArray(), vtk.vtkCollection()
        for index, series_id in enumerate(self._series):
            selection = self._chart.GetPlot(index).GetSelection()
            if selection is not None and selection.GetNumberOfValues() > 0:
                selections.AddItem(selection)
                ids.InsertNextValue(series_id)
        self.dataSelected.emit(ids, selections)


class Hand:
    """What shows and clicks a plot view's chart in tests; the real class draws by itself."""

    def __init__(self, view: qMRMLPlotView) -> None:
        self._plot = view

    def draw(self) -> None:
        """The chart that the view node names, as the node's series say."""
        plots, chart = self._plot._chart, slicer.mrmlScene.GetNodeByID(self._plot.node.GetPlotChartNodeID())
        plots.ClearPlots()
        self._plot._series = [chart.GetNthPlotSeriesNodeID(i) for i in range(chart.GetNumberOfPlotSeriesNodes())]
        for series in map(slicer.mrmlScene.GetNodeByID, self._plot._series):
            plot = vtk.vtkPlotLine()
            plot.SetInputData(series.GetTableNode().GetTable(), series.GetXColumnName(), series.GetYColumnName())
            plots.AddPlot(plot)
        self._plot._view.Render()

    def click(self, x: float, y: float) -> None:
        """The left button, pressed and let go at this place of the axes."""
        place = [self._pixel(axis, corner, value) for axis, corner, value in ((1, 0, x), (0, 1, y))]
        hand = self._plot._view.GetInteractor()
        hand.SetEventInformation(*place, 0, 0, chr(0), 0, None)
        for act in (hand.MouseMoveEvent, hand.LeftButtonPressEvent, hand.LeftButtonReleaseEvent):
            act()

    def _pixel(self, axis: int, corner: int, value: float) -> int:
        chart = self._plot._chart
        axis, low, high = chart.GetAxis(axis), chart.GetPoint1()[corner], chart.GetPoint2()[corner]
        return round(low + (value - axis.GetMinimum()) / (axis.GetMaximum() - axis.GetMinimum()) * (high - low))
