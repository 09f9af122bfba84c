"""MuscleProp's module in 3D Slicer: registration only. What it does is in the package MusclePropLib beside it."""

from __future__ import annotations

import importlib.util
import sys
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from MusclePropLib.gui.parameters import MusclePropParameters

HOMEPAGE = "https://github.com/MuscleProp/MuscleProp"  # as the extension's CMakeLists.txt says
MODULE_RESOURCES = Path(__file__).resolve().parent / "Resources"

if importlib.util.find_spec("MusclePropLib") is None:
    sys.path.append(str(Path(__file__).resolve().parents[1]))  # in a source tree the package lies one folder up


class MuscleProp(ScriptedLoadableModule):
    """What Slicer shows of the module in its menus. Nothing of the package is imported until it is used."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MuscleProp")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "SegmentEditor", "SubjectHierarchy", "Plots"]
        parent.contributors = ["The MuscleProp contributors"]
        parent.helpText = _(
            "Outline muscles on a few slices of a 3D ultrasound volume, click Propagate, and every slice is filled; "
            'redraw the worst slice, propagate again, accept. See the <a href="{url}">tutorial</a>.'
        ).format(url=HOMEPAGE)
        parent.acknowledgementText = _(
            "Built on the network of Gonzalez Duque et al. (2020), Spatio-temporal consistency and negative label "
            "transfer for 3D freehand US segmentation, MICCAI."
        )
        slicer.app.connect("startupCompleted()", _register_sample_data)


def _register_sample_data() -> None:
    from MusclePropLib.gui.sample_data import register_sample_data

    register_sample_data(MODULE_RESOURCES)


class MusclePropWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Slicer's plumbing around the panel: module shown or hidden, scene closed or loaded, module reloaded."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self) -> None:
        """The module is opened for the first time."""
        from MusclePropLib.gui.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/MuscleProp.ui"))
        self.layout.addWidget(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = MusclePropLogic()
        self.panel = Panel(widget, Path(self.resourcePath("requirements.txt")))
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_closes)
        self.addObserver(scene, scene.StartImportEvent, self._on_scene_loads)
        self.addObserver(scene, scene.EndCloseEvent, self._on_scene_is_there)
        self.addObserver(scene, scene.EndImportEvent, self._on_scene_is_there)
        self.panel.set_parameters(self.logic.getParameterNode())

    def enter(self) -> None:
        """The module is shown."""
        self.panel.set_parameters(self.logic.getParameterNode())
        self.panel.enter()

    def exit(self) -> None:
        """Another module is shown."""
        self.panel.exit()

    def cleanup(self) -> None:
        """The module is reloaded or Slicer ends."""
        self.removeObservers()
        self.panel.close()
        self.logic.close()

    def onReload(self) -> None:
        """Slicer reloads this file only; the package beside it has to be forgotten first."""
        for name in [n for n in sys.modules if n.split(".")[0] == "MusclePropLib"]:
            del sys.modules[name]
        super().onReload()

    def _on_scene_closes(self, caller: object, event: object) -> None:
        self.panel.scene_closes()

    def _on_scene_loads(self, caller: object, event: object) -> None:
        """The selectors would write None into the parameter node while nodes come."""
        self.panel.set_parameters(None)

    def _on_scene_is_there(self, caller: object, event: object) -> None:
        if self.parent.isEntered:
            self.panel.set_parameters(self.logic.getParameterNode())
            self.panel.scene_opened()


class MusclePropLogic(ScriptedLoadableModuleLogic):
    """For the Python console and for scripts; see MusclePropLib.gui.logic.PropagationLogic.

    summary = MusclePropLogic().propagate(getNode("calf"), getNode("muscles"), onEvent=print, time_limit=60)
    rows = MusclePropLogic().propagateFolder("recordings", "results", time_limit=60)
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        from MusclePropLib.gui.logic import PropagationLogic

        self._propagation = PropagationLogic()
        self.propagate: Callable[..., Any] = self._propagation.propagate
        self.propagateFolder: Callable[..., Any] = self._propagation.propagateFolder
        self.close: Callable[[], None] = self._propagation.close

    def getParameterNode(self) -> MusclePropParameters:
        """The module's only parameter node, made if there is none."""
        from MusclePropLib.gui.parameters import MusclePropParameters

        return MusclePropParameters(super().getParameterNode())


class MusclePropTest(ScriptedLoadableModuleTest):
    """Runs the self-tests of a source tree; an installed extension comes without them."""

    def runTest(self, **_kwargs: object) -> None:
        """What the button Reload and Test calls."""
        folder = Path(__file__).parent / "Testing" / "Python"
        if not folder.is_dir():
            print(f"MuscleProp: no self-tests in {folder}; they come with the source tree")
            return
        suite = unittest.defaultTestLoader.discover(str(folder), "*Test.py", str(folder))
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        self.assertTrue(result.wasSuccessful(), f"{len(result.errors) + len(result.failures)} self-tests failed")
