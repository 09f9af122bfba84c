"""Clicks on a curve of the plot go to that slice, as clicks in the strip do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import qt
import slicer

SELECTED = "dataSelected(vtkStringArray*,vtkCollection*)"


class PlotClicks:
    """Calls `clicked` with series node's ID and row of the point; it answers whether the point was one of its own.

    VTK tells of a click twice, before it has selected the nearest point and after, and of one beside all curves as
    well. So what was clicked is let go at once: a selection is then always a new one.
    """

    def __init__(self, clicked: Callable[[str, int], bool]) -> None:
        self._clicked = clicked
        self._followed: list[tuple[Any, Callable[..., None]]] = []

    def follow(self, chart: slicer.vtkMRMLPlotChartNode) -> None:
        """Listen to the plot views that show the chart, and to no others."""
        self.close()
        layout = slicer.app.layoutManager()
        for widget in (layout.plotWidget(i) for i in range(layout.plotViewCount)):
            if widget.mrmlPlotViewNode().GetPlotChartNodeID() == chart.GetID():
                view = widget.plotView()
                slot = partial(self._selected, view)
                view.connect(SELECTED, slot)
                self._followed.append((view, slot))

    def close(self) -> None:
        """Listen no more."""
        for view, slot in self._followed:
            if view:  # not yet destroyed
                view.disconnect(SELECTED, slot)
        self._followed = []

    def _selected(self, view: Any, series_ids: Any, selections: Any) -> None:
        points = _points(series_ids, selections)
        if len(points) == 1:  # several were selected for a purpose of the expert's
            qt.QTimer.singleShot(0, partial(self._answer, view, *points[0]))  # the chart is still at it

    def _answer(self, view: Any, series_id: str, row: int) -> None:
        if view and self._clicked(series_id, row):
            view.RemovePlotSelections()


def _points(series_ids: Any, selections: Any) -> list[tuple[str, int]]:
    """Series and rows of vtkStringArray and vtkCollection of vtkIdTypeArray; none if they do not go together."""
    if series_ids.GetNumberOfValues() != selections.GetNumberOfItems():
        return []
    points = []
    for index in range(selections.GetNumberOfItems()):
        rows = selections.GetItemAsObject(index)
        points += [(series_ids.GetValue(index), rows.GetValue(k)) for k in range(rows.GetNumberOfValues())]
    return points
