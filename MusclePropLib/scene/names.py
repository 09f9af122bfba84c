"""Names as the scene gives them: VTK hands a name over as bytes if it is not UTF-8, as in many an old file."""

from __future__ import annotations

import slicer


def name_of(named: slicer.vtkMRMLNode | slicer.vtkSegment) -> str:
    """The node's or segment's name; what cannot be read of it is replaced."""
    name = named.GetName() or ""
    return name.decode("utf-8", errors="replace") if isinstance(name, bytes) else name
