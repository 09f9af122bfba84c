"""The Python modules `qt` and `ctk`."""

from __future__ import annotations

import sys
from types import ModuleType

from PySide6 import QtCore, QtGui, QtWidgets

from harness import widgets
from harness.loader import UiLoader
from harness.wrapping import wrapper_of

NAMED_ONLY = (
    *("ctkCheckBox", "ctkCheckablePushButton", "ctkDoubleSlider", "ctkDoubleSpinBox", "ctkComboBox", "ctkRangeWidget"),
    *("ctkDirectoryButton", "ctkColorPickerButton", "ctkDoubleRangeSlider", "ctkCollapsibleGroupBox"),
    *("qMRMLSliderWidget", "qMRMLSpinBox", "qMRMLRangeWidget", "qMRMLCheckableNodeComboBox"),
)
LIBRARIES = (QtCore, QtGui, QtWidgets)


class QtModule(ModuleType):
    """`qt.QLabel` and so on; AttributeError for what Qt does not have."""

    def __getattr__(self, name: str):
        if name == "QUiLoader":
            return UiLoader
        for library in LIBRARIES:
            value = getattr(library, name, None)
            if value is not None:
                return value if name == "Qt" or not isinstance(value, type) else wrapper_of(value)
        raise AttributeError(f"module 'qt' has no attribute '{name}'")


def install(named_only: bool = False) -> None:
    """Make `import qt` and `import ctk` work, and the qMRML classes known to `slicer`.

    Slicer's own parameterNodeWrapper names widgets that the panel has not; with `named_only` there are empty classes
    for them.
    """
    import slicer

    sys.modules["qt"] = QtModule("qt")
    sys.modules["ctk"] = ctk = ModuleType("ctk")
    for name in NAMED_ONLY if named_only else ():
        setattr(ctk if name.startswith("ctk") else slicer, name, type(name, (), {}))
    for stand_in in widgets.CLASSES:
        module = ctk if stand_in.__name__.startswith("ctk") else slicer
        setattr(module, stand_in.__name__, wrapper_of(stand_in))
