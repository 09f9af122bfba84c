"""What the editor's strokes may change: kept as the panel promises, for it does not show the editor's own masking."""

from __future__ import annotations

import slicer
import vtk


class Masking:
    """Follows the editor's parameter node: strokes take no voxel from hidden segments, whatever the grey level.

    Closing the scene sets the node back to Slicer's own choice, which takes them, and the editor's key I switches on a
    range of grey levels outside which strokes paint nothing.
    """

    def __init__(self) -> None:
        self._node: slicer.vtkMRMLSegmentEditorNode | None = None
        self._tag = 0

    def follow(self, node: slicer.vtkMRMLSegmentEditorNode | None) -> None:
        """From now on this node; None ends."""
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._keep())
            self._keep()

    def _keep(self) -> None:
        self._node.SetOverwriteMode(self._node.OverwriteVisibleSegments)
        self._node.SetSourceVolumeIntensityMask(False)
