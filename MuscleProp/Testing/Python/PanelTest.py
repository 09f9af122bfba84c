"""Self-tests of the panel in a real Slicer: real buttons, the real Segment Editor, a real worker process."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import qt
import slicer
import vtk

sys.path.append(str(Path(__file__).resolve().parent))
from self_test_case import SelfTestCase

HAS_WINDOW = slicer.util.mainWindow() is not None


def running(pid: int) -> bool:
    """Whether a process exists (on Windows it is not asked)."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class PanelTest(SelfTestCase):
    def drawn_panel(self, name: str = "calf"):
        """A panel with GM and SOL on two slices and GL on one."""
        self.add_volume(name)
        panel = self.add_panel()
        panel.ui.createSegmentsButton.click()
        self.draw(panel, {"GM": (4, 15), "SOL": (4, 15), "GL": (9,)})
        return panel

    def test_module_builds_its_widget(self):
        widget = slicer.modules.muscleprop.widgetRepresentation()
        self.assertIsNotNone(widget)
        self.assertTrue(hasattr(widget.self(), "panel"))

    @unittest.skipUnless(HAS_WINDOW, "needs a main window")
    def test_module_is_entered_and_left(self):
        slicer.util.selectModule("MuscleProp")
        panel = slicer.modules.muscleprop.widgetRepresentation().self().panel
        keys = {shortcut.key.toString() for shortcut in panel._shortcuts._installed}
        self.assertEqual(keys, {"Shift+P", "Shift+N", "Shift+A"})
        panel.ui.segmentEditor.setActiveEffectByName("Paint")
        slicer.util.selectModule("Data")
        self.assertEqual(panel._shortcuts._installed, [])
        self.assertIsNone(panel.ui.segmentEditor.activeEffect())

    def test_begins_with_the_volume_and_says_what_is_missing(self):
        volume = self.add_volume()
        panel = self.add_panel()
        self.assertIs(panel.work.choices.volume, volume)
        self.assertFalse(panel.ui.propagateButton.enabled)
        self.assertIn("Choose a volume and a segmentation", panel.ui.propagateButton.toolTip)
        panel.ui.createSegmentsButton.click()
        segmentation = panel.work.choices.segmentation.GetSegmentation()
        names = [segmentation.GetSegment(i).GetName() for i in segmentation.GetSegmentIDs()]
        self.assertEqual(names, ["GM", "GL", "SOL"])
        self.assertIs(panel.ui.segmentEditor.segmentationNode(), panel.work.choices.segmentation)
        self.draw(panel, {"GM": (4,)})
        self.assertTrue(panel.ui.propagateButton.enabled, panel.ui.propagateButton.toolTip)

    def test_propagate_preview_accept_undo(self):
        panel = self.drawn_panel()
        before = {name: self.array(panel, name) for name in ("GM", "GL", "SOL")}
        panel.ui.propagateButton.click()
        self.assertEqual(panel.ui.propagateButton.text, "Cancel")
        self.until(lambda: panel.session.preview_node_id, "the first preview")
        self.until(lambda: not panel.work.busy, "the result")
        self.assertIsNone(panel.session.failure)
        self.assertIn("Dice on your own slices", panel.ui.resultLabel.text)
        panel.ui.acceptButton.click()
        self.assertIsNone(panel.session.preview_node_id)
        for name, mask in before.items():
            slices = mask.any(axis=(1, 2))
            np.testing.assert_array_equal(self.array(panel, name)[slices], mask[slices])
        panel.ui.segmentEditor.undo()
        for name, mask in before.items():
            np.testing.assert_array_equal(self.array(panel, name), mask)
        self.until(lambda: panel.at_rest, "the panel comes to rest")
        self.assertEqual(self.drawn(panel, "GM"), [4, 15])

    def test_drawing_while_a_job_runs_is_kept(self):
        panel = self.drawn_panel("slow")
        panel.ui.propagateButton.click()
        self.until(lambda: panel.session.preview_node_id, "the preview")
        self.draw(panel, {"GM": (9,)}, radius=4)
        mine = self.array(panel, "GM")[9]
        panel.ui.stopButton.click()
        self.until(lambda: not panel.work.busy, "the best so far")
        self.assertEqual(panel.ui.propagateButton.text, "Propagate again")
        panel.ui.acceptButton.click()
        np.testing.assert_array_equal(self.array(panel, "GM")[9], mine)
        self.assertEqual(self.drawn(panel, "GM"), [4, 9, 15])

    def test_cancel_and_again(self):
        panel = self.drawn_panel("slow")
        before, nodes = self.array(panel, "GM"), slicer.mrmlScene.GetNumberOfNodes()
        for _round in range(3):
            panel.ui.propagateButton.click()
            self.until(lambda: panel.session.preview_node_id, "the preview")
            panel.ui.propagateButton.click()
            self.until(lambda: not panel.work.busy, "idle")
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)
        np.testing.assert_array_equal(self.array(panel, "GM"), before)

    def test_crash_of_the_worker_is_told(self):
        panel = self.drawn_panel("crash")
        panel.ui.propagateButton.click()
        self.until(lambda: not panel.work.busy, "the end")
        self.assertIn("ended unexpectedly", panel.ui.progressLabel.text)

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib, which draws the page, is not installed")
    def test_report_is_written_in_the_background(self):
        from MusclePropLib.gui import report

        panel = self.drawn_panel()
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "leg.html"
            with (
                mock.patch.object(report, "ask_where", lambda *_: page),
                mock.patch.object(report, "show_page") as shown,
            ):
                panel.ui.reportButton.click()
                self.until(lambda: not panel.report.busy, "the report")
            shown.assert_called_once_with(page)
            self.assertIn("GM", page.read_text(encoding="utf-8"))
        self.assertIn("leg.html", panel.ui.reportLabel.text)

    def test_table_is_exported(self):
        from MusclePropLib.gui import csv_export

        panel = self.drawn_panel()
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "leg.csv"
            with mock.patch.object(csv_export, "ask_where", lambda *_: table):
                panel.ui.exportButton.click()
                self.until(lambda: not panel.csv.busy, "the table")
            lines = table.read_text(encoding="utf-8").splitlines()
        self.assertEqual([line.split(",")[1] for line in lines], ["muscle", "GM", "GL", "SOL"])

    def test_closing_scene_and_panel_leave_nothing(self):
        panel = self.drawn_panel("slow")
        pids = []
        panel.session.event.connect(lambda event: pids.append(event.data["pid"]) if event.name == "ready" else None)
        panel.ui.propagateButton.click()
        self.until(lambda: panel.session.preview_node_id, "the preview")
        panel.scene_closes()
        slicer.mrmlScene.Clear(0)
        self.assertIsNone(panel.session.preview_node_id)
        self.until(lambda: not panel.work.busy, "idle")
        panel.close()
        if os.name != "nt" and pids:
            self.until(lambda: not running(pids[0]), "the worker ends")

    def test_strip_is_painted_and_clicked(self):
        panel = self.drawn_panel()
        strip = panel.annotate.strip
        self.assertEqual(list(strip.content.names), ["GM", "GL", "SOL"])
        panel.widget.resize(430, 900)
        panel.widget.show()
        slicer.app.processEvents()
        image = strip.grab().toImage()
        color = image.pixelColor(round(strip._x_of(4)), 12)
        wanted = panel.work.tracker.states[self.id_of(panel, "GM")].color
        np.testing.assert_allclose((color.redF(), color.greenF(), color.blueF()), wanted, atol=0.05)
        where = qt.QPointF(strip._x_of(11), 12.0)
        event = qt.QMouseEvent(qt.QEvent.MouseButtonPress, where, qt.Qt.LeftButton, qt.Qt.LeftButton, qt.Qt.NoModifier)
        slicer.app.sendEvent(strip, event)
        if HAS_WINDOW:
            self.assertEqual(panel.work.current_slice(), 11)
        self.assertEqual(panel.ui.segmentEditor.currentSegmentID(), self.id_of(panel, "GM"))
        panel.widget.hide()

    @unittest.skipUnless(HAS_WINDOW, "needs slice views")
    def test_brush_stroke_in_the_slice_view(self):
        """The real Paint effect with the real mouse, and its undo, in the module's own panel: a second one would share
        the editor's node with it, and both would draw."""
        volume = self.add_volume()
        slicer.util.selectModule("Data")
        slicer.util.selectModule("MuscleProp")
        self._closing.append(lambda: slicer.util.selectModule("Data"))
        slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        panel = slicer.modules.MusclePropWidget.panel
        panel.ui.createSegmentsButton.click()
        panel.work.go_to(7)
        editor = panel.ui.segmentEditor
        editor.setCurrentSegmentID(self.id_of(panel, "SOL"))
        editor.setActiveEffectByName("Paint")
        editor.activeEffect().setCommonParameter("BrushDiameterIsRelative", "1")
        editor.activeEffect().setCommonParameter("BrushRelativeDiameter", "10")
        view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
        middle = view.width // 2, view.height // 2
        slicer.util.clickAndDrag(view, start=middle, end=(middle[0] + 20, middle[1]), steps=5)
        self.until(lambda: panel.at_rest, "the panel comes to rest")
        self.assertEqual(self.drawn(panel, "SOL"), [7])
        editor.undo()
        self.until(lambda: panel.at_rest, "the panel comes to rest")
        self.assertEqual(self.drawn(panel, "SOL"), [])
        editor.setActiveEffect(None)

    @unittest.skipUnless(HAS_WINDOW, "needs a plot view")
    def test_point_selected_in_the_plot(self):
        """Slicer's plot view tells of what its chart has selected, and the panel goes there and lets go of it."""
        panel = self.drawn_panel()
        panel.ui.measureButton.click()
        self.until(lambda: not panel.measure.busy, "the figures")
        chart = slicer.app.layoutManager().plotWidget(0).plotView().chart()
        rows = vtk.vtkIdTypeArray()
        rows.InsertNextValue(11)
        chart.GetPlot(0).SetSelection(rows)
        chart.InvokeEvent(vtk.vtkCommand.SelectionChangedEvent)
        self.until(lambda: panel.work.current_slice() == 11, "the slice is shown")
        self.until(lambda: chart.GetPlot(0).GetSelection().GetNumberOfValues() == 0, "the point is let go")

    def test_choices_survive_saving_and_loading(self):
        from MuscleProp import MusclePropLogic
        from MusclePropLib.gui.parameters import Device

        panel = self.drawn_panel()
        panel.ui.timeLimitSlider.setValue(33)
        panel.work.choices.device = Device.CPU
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self.assertTrue(slicer.util.saveScene(path))
            panel.set_parameters(None)
            slicer.mrmlScene.Clear(0)
            self.assertIsNone(MusclePropLogic().getParameterNode().volume)
            slicer.util.loadScene(path)
        parameters = MusclePropLogic().getParameterNode()
        self.assertEqual(parameters.volume.GetName(), "calf")
        self.assertEqual(parameters.segmentation.GetName(), "calf muscles")
        self.assertEqual((parameters.timeLimit, parameters.device), (33.0, Device.CPU))
        panel.set_parameters(parameters)
        self.assertEqual(self.drawn(panel, "GM"), [4, 15])

    def test_reload(self):
        """The button Reload: the package is loaded anew, the old panel ends."""
        widget = slicer.modules.muscleprop.widgetRepresentation().self()
        old = widget.panel
        widget.onReload()
        new = slicer.modules.MusclePropWidget.panel
        self.assertIsNot(new, old)
        self.assertFalse(any(timer.active for timer in old._timers))
