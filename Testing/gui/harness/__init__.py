"""A thin stand-in for Slicer's Python: real Qt (PySide6, offscreen) and real MRML with the manners of PythonQt.

An attribute that the real class lacks raises AttributeError, as in Slicer. `application.install()` puts `qt`, `ctk` and
the missing parts of `slicer` in place; with SLICER_PYTHON naming the folder of Slicer's own Python files (Base/Python
of its sources), those are used for parameterNodeWrapper, ScriptedLoadableModule and i18n instead of the stand-ins.
"""

import ctypes
import sys

if sys.version_info < (3, 12):
    # PySide6 6.12 gives back a reference to None at every call without a result, which ends the process after some
    # thousands of them. From Python 3.12 on None is immortal.
    ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40
