"""`slicer.app` and the Python parts of Slicer that the wheel lacks."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import slicer
import slicer.util
from PySide6 import QtCore, QtWidgets

from harness import modules, parameter_node
from harness.plot_view import qMRMLLayoutManager
from harness.wrapping import call_slot, wrap, wrapper_of

SETTINGS = tempfile.TemporaryDirectory(prefix="slicer-settings-")  # of this process: others may be testing, too
PYTHON_PARTS = ("i18n", "parameterNodeWrapper", "ScriptedLoadableModule")


class Application:
    """What the panel asks of `slicer.app`; the rest raises AttributeError."""

    def __init__(self, logic) -> None:
        self.applicationLogic = logic
        self.testing = True
        self.connected: list[tuple[str, object]] = []
        self.layout_manager = None

    def testingEnabled(self) -> bool:
        return self.testing

    def processEvents(self) -> None:
        QtWidgets.QApplication.processEvents()

    def sendEvent(self, receiver, event) -> bool:
        return QtWidgets.QApplication.sendEvent(receiver._real, event._real)

    def connect(self, signal: str, slot) -> bool:
        self.connected.append((signal, slot))
        return True

    def translate(self, context: str, text: str) -> str:
        return text

    def start_up(self) -> None:
        """Slicer has started."""
        for signal, slot in self.connected:
            if signal == "startupCompleted()":
                call_slot(slot, [])

    def layoutManager(self):
        """None as without a main window, until `add_main_window`."""
        return self.layout_manager and wrap(self.layout_manager)

    def moduleManager(self):
        return SimpleNamespace(connect=lambda *_: True, disconnect=lambda *_: True)

    def setOverrideCursor(self, cursor) -> None:
        pass

    def restoreOverrideCursor(self) -> None:
        pass


def install(application_logic) -> Application:
    """Put everything in place for a fresh scene; returns the application."""
    _qt_application()
    if not isinstance(sys.modules.get("qt"), modules.QtModule):
        modules.install(named_only="SLICER_PYTHON" in os.environ)
    _install_python_parts()
    slicer.app = Application(application_logic)
    slicer.util.mainWindow = lambda: None
    return slicer.app


def add_main_window():
    """From now on there is a main window with views, as without --no-main-window."""
    window = QtWidgets.QMainWindow()
    slicer.util.mainWindow = lambda: wrap(window)
    slicer.app.layout_manager = qMRMLLayoutManager(window)
    return window


def _qt_application():
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    QtCore.qInstallMessageHandler(_print_message)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["Slicer"])
    application.setOrganizationName("MusclePropTesting")
    application.setApplicationName("Slicer")
    ini = QtCore.QSettings.Format.IniFormat
    QtCore.QSettings.setDefaultFormat(ini)
    QtCore.QSettings.setPath(ini, QtCore.QSettings.Scope.UserScope, SETTINGS.name)
    return application


def _print_message(kind, context, message: str) -> None:
    """Without what the offscreen platform says about every window."""
    if "propagateSizeHints" not in message:
        print(message, file=sys.stderr)


def _install_python_parts() -> None:
    source = os.environ.get("SLICER_PYTHON")
    for part in PYTHON_PARTS:
        name = f"slicer.{part}"
        if name in sys.modules:
            continue
        if source:
            folder = str(Path(source) / "slicer")
            if folder not in slicer.__path__:
                slicer.__path__.append(folder)
            __import__(name)
        else:
            sys.modules[name] = module = ModuleType(name)
            vars(module).update(STAND_INS[part]())
            setattr(slicer, part, module)


def _i18n() -> dict:
    return {"tr": lambda text: text, "translate": lambda context, text: text}


def _parameter_node() -> dict:
    names = ("parameterNodeWrapper", "WithinRange")
    return {name: getattr(parameter_node, name) for name in names}


def _scripted_module() -> dict:
    from harness import scripted_module

    names = ("ScriptedLoadableModule", "ScriptedLoadableModuleWidget", "ScriptedLoadableModuleLogic")
    return {name: getattr(scripted_module, name) for name in (*names, "ScriptedLoadableModuleTest")}


STAND_INS = {"i18n": _i18n, "parameterNodeWrapper": _parameter_node, "ScriptedLoadableModule": _scripted_module}

__all__ = ["add_main_window", "install", "wrapper_of"]
