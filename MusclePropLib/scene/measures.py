"""Measurements in the scene: from segmentation nodes, and as a table and a plot that Slicer shows and exports."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import slicer
import vtk

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.muscle import Known, MuscleMeasures, measure_muscle
from MusclePropLib.core.measurements.profile import profiled
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.measurements.tables import muscle_row
from MusclePropLib.core.steps import finished
from MusclePropLib.scene.annotations import Subject, looked_at
from MusclePropLib.scene.geometry import image_array, volume_geometry
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.segments import is_not_muscle, moment, segment_ids
from MusclePropLib.scene.states import read_record, read_states
from MusclePropLib.scene.voxels import SegmentVoxels, segment_voxels

ROLE = "MuscleProp.Measures"
"""Node attribute by which a later call finds the table, chart and series that an earlier one has made, and role of the
node's reference to the segmentation, which a scene that is added to another gives a new ID."""

MARKER = "position"


def measure_node(subject: Subject, summary: Mapping[str, Any] | None = None) -> list[MuscleMeasures]:
    """Measure every segment that holds a voxel, but "Not muscle", as the scene has it now.

    Confidence and estimate come from the segments' tags, or from a propagation's `summary`. Raises InputError if the
    nodes are gone, a segment is not on the volume's voxels, or all are empty.
    """
    return finished(node_measured(subject, summary))


def node_measured(
    subject: Subject, summary: Mapping[str, Any] | None = None
) -> Generator[None, None, list[MuscleMeasures]]:
    """The same step by step, all of one moment: it begins anew if the segments change meanwhile."""
    measured = None
    while measured is None:
        yield from looked_at(subject, _measurable_ids)
        measured = yield from _measured_unless_changed(subject, summary)
    if not measured:
        raise InputError(
            f"every segment of '{name_of(subject.existing_nodes()[1])}' is empty; there is nothing to measure"
        )
    return measured


def _measured_unless_changed(
    subject: Subject, summary: Mapping[str, Any] | None
) -> Generator[None, None, list[MuscleMeasures] | None]:
    volume_node, segmentation_node = subject.existing_nodes()
    before, geometry = moment(segmentation_node), volume_geometry(volume_node)
    stack = Stack.of(geometry.moved(subject.axis))
    image = np.moveaxis(image_array(volume_node.GetImageData()), subject.axis, 0)
    segments = [(i, segmentation_node.GetSegmentation().GetSegment(i)) for i in _measurable_ids(segmentation_node)]
    voxels_of = {i: segment_voxels(segmentation_node, i, geometry, subject.axis) for i, _ in segments}
    measured = []
    for segment_id, segment in segments:
        voxels = voxels_of[segment_id]
        states = read_states(segment, voxels)
        if states.slices:
            found = yield from profiled(voxels.labels, voxels.value, image, voxels.offset, len(image))
            confidence, provenance = _record(segment, voxels, summary)
            known = Known(tuple(sorted(states.drawn)), tuple(sorted(states.absent)), confidence, provenance)
            measured.append(measure_muscle(states.name, states.color, found, stack, known))
    return measured if moment(subject.existing_nodes()[1]) == before else None


def _measurable_ids(segmentation_node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    segmentation = segmentation_node.GetSegmentation()
    return [i for i in segment_ids(segmentation_node) if not is_not_muscle(segmentation.GetSegment(i))]


def show_table(subject: Subject, measured: Sequence[MuscleMeasures]) -> slicer.vtkMRMLTableNode:
    """The muscles' figures as a table node, one row a muscle, units in the columns' names; saved as CSV by Slicer."""
    node = _node(subject, "vtkMRMLTableNode", "table", _named(subject, "measurements"))
    rows = [muscle_row(m) for m in measured]
    table = vtk.vtkTable()
    for name in rows[0]:
        values = [row[name] for row in rows]
        column = vtk.vtkStringArray() if name == "muscle" else vtk.vtkDoubleArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(float("nan") if value is None else value)
        table.AddColumn(column)
    node.SetAndObserveTable(table)
    return node


def show_plot(subject: Subject, measured: Sequence[MuscleMeasures]) -> slicer.vtkMRMLPlotChartNode:
    """The muscles' ACSA curves, their expected range and drawn slices, and a line at the current position.

    Nodes of an earlier call are used again, and those of muscles that are gone removed.
    """
    chart = _node(subject, "vtkMRMLPlotChartNode", "chart", _named(subject, "cross-sectional areas"))
    chart.RemoveAllPlotSeriesNodeIDs()
    curves = _node(subject, "vtkMRMLTableNode", "curves", _named(subject, "cross-sectional areas"))
    _fill(curves, {name: values for m in measured for name, values in _columns(m).items()})
    kept = set()
    for m in measured:
        for column in _columns(m):
            if column != f"{m.name} position_mm":
                kept.add(column)
                chart.AddAndObservePlotSeriesNodeID(_curve(subject, curves, m, column).GetID())
    chart.AddAndObservePlotSeriesNodeID(_marker(subject, measured).GetID())
    chart.SetTitle("")
    chart.SetXAxisTitle("position along the slices (mm)")
    chart.SetYAxisTitle("cross-sectional area (cm2)")
    chart.SetLegendVisibility(True)
    _remove_others(subject, {f"series {column}" for column in kept} | {f"series {MARKER}"})
    return chart


def mark_position(subject: Subject, position_mm: float) -> None:
    """Move the line in the plot, if there is one; cheap enough for every step of a slice view."""
    table = _find(subject, f"table {MARKER}")
    if table is not None:
        column = table.GetTable().GetColumnByName("position_mm")
        for row in range(column.GetNumberOfTuples()):
            column.SetValue(row, position_mm)
        column.Modified()
        table.GetTable().Modified()
        table.Modified()


def is_own_series(subject: Subject, series_id: str) -> bool:
    """Whether `show_plot` made the series."""
    return _role(subject, slicer.mrmlScene.GetNodeByID(series_id)).startswith("series ")


def is_curve(subject: Subject, series_id: str) -> bool:
    """Whether it also has a row for every slice, as all but the line at the current position have."""
    series = slicer.mrmlScene.GetNodeByID(series_id)
    return is_own_series(subject, series_id) and _role(subject, series) != f"series {MARKER}"


def _role(subject: Subject, node: slicer.vtkMRMLNode | None) -> str:
    """What the node is for the subject's segmentation; empty if it is of another one, or none of these nodes."""
    if node is None or node.GetNodeReferenceID(ROLE) != subject.segmentation_id:
        return ""
    return node.GetAttribute(ROLE) or ""


def _record(
    segment: slicer.vtkSegment, voxels: SegmentVoxels, summary: Mapping[str, Any] | None
) -> tuple[np.ndarray | None, dict[str, Any] | None]:
    """Confidence (slices,) and provenance: from `summary`, a result shown but not yet accepted, else from the tag."""
    names = [m.get("name") for m in (summary or {}).get("muscles", [])]
    if name_of(segment) in names:
        index = names.index(name_of(segment))
        record = {**summary.get("provenance", {}), "muscle": summary["muscles"][index]}
        values = dict(enumerate(summary.get("confidence", []))).get(index)
    else:
        record = read_record(segment, voxels)
        values = record.pop("confidence", None)
    if not isinstance(values, list) or len(values) != voxels.shape[0]:
        return None, record or None
    return np.array([np.nan if v is None else v for v in values], dtype=float), record


def _columns(m: MuscleMeasures) -> dict[str, np.ndarray]:
    """Table columns of one muscle by their names; NaN where there is nothing to draw."""
    columns = {f"{m.name} position_mm": m.positions_mm, f"{m.name} acsa_cm2": m.areas_mm2 / 100}
    if m.expected is not None:
        columns[f"{m.name} low_cm2"] = m.expected.low_mm2 / 100
        columns[f"{m.name} high_cm2"] = m.expected.high_mm2 / 100
    if m.known.drawn:
        drawn = np.full(len(m.areas_mm2), np.nan)
        drawn[list(m.known.drawn)] = m.areas_mm2[list(m.known.drawn)] / 100
        columns[f"{m.name} drawn_cm2"] = drawn
    return columns


def _curve(
    subject: Subject, table: slicer.vtkMRMLTableNode, m: MuscleMeasures, column: str
) -> slicer.vtkMRMLPlotSeriesNode:
    kind = column.removeprefix(f"{m.name} ")
    series = _node(subject, "vtkMRMLPlotSeriesNode", f"series {column}", _LEGEND[kind].format(m.name))
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeScatter)
    series.SetXColumnName(f"{m.name} position_mm")
    series.SetYColumnName(column)
    series.SetColor(*m.color)
    series.SetLineWidth(2 if kind == "acsa_cm2" else 1)
    dots = kind == "drawn_cm2"
    series.SetLineStyle(
        series.LineStyleNone if dots else series.LineStyleSolid if kind == "acsa_cm2" else series.LineStyleDash
    )
    series.SetMarkerStyle(series.MarkerStyleCircle if dots else series.MarkerStyleNone)
    return series


_LEGEND = {"acsa_cm2": "{}", "low_cm2": "{}, lowest", "high_cm2": "{}, highest", "drawn_cm2": "{}, drawn"}


def _marker(subject: Subject, measured: Sequence[MuscleMeasures]) -> slicer.vtkMRMLPlotSeriesNode:
    """A vertical line from 0 to the top of the plot."""
    top = max(float((m.areas_mm2 if m.expected is None else m.expected.high_mm2).max()) for m in measured) / 100
    table = _find(subject, f"table {MARKER}")
    position = 0.0 if table is None else table.GetTable().GetColumnByName("position_mm").GetValue(0)
    table = _node(subject, "vtkMRMLTableNode", f"table {MARKER}", "current position")
    table.SetHideFromEditors(True)
    _fill(table, {"position_mm": np.full(2, position), "acsa_cm2": np.array([0.0, top])})
    series = _node(subject, "vtkMRMLPlotSeriesNode", f"series {MARKER}", "current slice")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeScatter)
    series.SetXColumnName("position_mm")
    series.SetYColumnName("acsa_cm2")
    series.SetColor(0.5, 0.5, 0.5)
    series.SetMarkerStyle(series.MarkerStyleNone)
    return series


def _fill(node: slicer.vtkMRMLTableNode, columns: Mapping[str, np.ndarray]) -> None:
    table = vtk.vtkTable()
    for name, values in columns.items():
        column = vtk.vtkDoubleArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(float(value))
        table.AddColumn(column)
    node.SetAndObserveTable(table)


def _named(subject: Subject, what: str) -> str:
    """A name that tells the recordings of a scene apart."""
    nodes = subject.nodes()
    return f"{name_of(nodes[1])} {what}" if nodes else what


def _node(subject: Subject, class_name: str, role: str, name: str) -> Any:
    """The node of this role for the subject's segmentation, made if there is none."""
    node = _find(subject, role)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass(class_name, name)
        node.SetAttribute(ROLE, role)
        node.SetNodeReferenceID(ROLE, subject.segmentation_id)
    node.SetName(name)
    return node


def _find(subject: Subject, role: str) -> Any:
    return next((n for n in _nodes() if _role(subject, n) == role), None)


def _remove_others(subject: Subject, roles: set[str]) -> None:
    """Series of muscles that are there no more."""
    for node in _nodes():
        role = _role(subject, node)
        if role.startswith("series ") and role not in roles:
            slicer.mrmlScene.RemoveNode(node)


def _nodes() -> list[Any]:
    classes = ("vtkMRMLTableNode", "vtkMRMLPlotSeriesNode", "vtkMRMLPlotChartNode")
    return [n for c in classes for n in slicer.util.getNodesByClass(c)]
