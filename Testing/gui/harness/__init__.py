"""A thin stand-in for Slicer's Python: real Qt (PySide6, offscreen) and real MRML with the manners of PythonQt.

An attribute that the real class lacks raises AttributeError, as in Slicer. `install()` puts `qt`, `ctk` and the missing
parts of `slicer` in place; with SLICER_PYTHON naming the folder of Slicer's own Python files, those are used for
parameterNodeWrapper, ScriptedLoadableModule and i18n instead of the stand-ins.
"""
