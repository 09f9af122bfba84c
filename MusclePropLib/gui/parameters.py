"""The module's parameter node: the expert's choices, saved with the scene."""

import enum
from pathlib import Path
from typing import Annotated, Any

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from MusclePropLib.core.errors import InputError


class Axis(enum.Enum):
    """Across which axis slices are drawn."""

    AUTOMATIC = "auto"
    K = "0"
    J = "1"
    I = "2"  # noqa: E741 (Slicer's name of the axis)

    def label(self) -> str:
        """As the combo box shows it."""
        return {
            "auto": _("Automatic"),
            "0": _("K (slices of the file, often axial)"),
            "1": _("J (rows of the file, often coronal)"),
            "2": _("I (columns of the file, often sagittal)"),
        }[self.value]


class Device(enum.Enum):
    """Where to compute."""

    AUTOMATIC = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"

    def label(self) -> str:
        """As the combo box shows it."""
        return {
            "auto": _("Automatic (graphics card if there is one)"),
            "cpu": _("Processor"),
            "cuda": _("NVIDIA graphics card"),
            "mps": _("Apple graphics processor"),
        }[self.value]


class Weights(enum.Enum):
    """What the network starts from."""

    BUNDLED = "bundled"
    NONE = "none"
    FILE = "file"

    def label(self) -> str:
        """As the combo box shows it."""
        return {"bundled": _("Pretrained, bundled"), "none": _("None"), "file": _("From a file")}[self.value]


class Method(enum.Enum):
    """How to fill the slices."""

    AUTOMATIC = "auto"
    NETWORK = "network"
    INTERPOLATION = "interpolation"

    def label(self) -> str:
        """As the combo box shows it."""
        return {
            "auto": _("Automatic (the best by its own test)"),
            "network": _("Network"),
            "interpolation": _("Interpolation and optical flow only"),
        }[self.value]


@parameterNodeWrapper
class MusclePropParameters:
    """volume, segmentation - what is annotated.
    axis - across which slices are drawn.
    device, timeLimit (s), weights, weightsFile, method - how it is propagated.
    previewOpacity, preview3D - how previews are shown.
    """

    volume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    axis: Axis = Axis.AUTOMATIC
    device: Device = Device.AUTOMATIC
    timeLimit: Annotated[float, WithinRange(5, 1800)] = 100.0
    weights: Weights = Weights.BUNDLED
    weightsFile: Path
    method: Method = Method.AUTOMATIC
    previewOpacity: Annotated[float, WithinRange(0, 1)] = 0.6
    preview3D: bool = False

    @property
    def fixed_axis(self) -> int | None:
        """Array axis, None if it is to be found."""
        return None if self.axis is Axis.AUTOMATIC else int(self.axis.value)

    def settings(self) -> dict[str, Any]:
        """For the worker, as `core.propagation.Settings` names them. InputError if the weights' file is missing."""
        weights = self.weights.value
        if self.weights is Weights.FILE:
            weights = str(self.weightsFile)
            if not self.weightsFile.is_file():
                raise InputError(_("{file}: no such file of weights").format(file=weights))
        limit, method = float(self.timeLimit), self.method.value
        return {"device": self.device.value, "time_limit": limit, "weights": weights, "method": method}
