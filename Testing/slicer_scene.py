"""The real Slicer libraries of the `slicer-core` wheel, arranged as `slicer` looks inside the application."""

from __future__ import annotations

import tempfile
from types import SimpleNamespace

import numpy as np
import slicer
import slicer.util
import vtk
from vtk.util import numpy_support

OBLIQUE = np.array([[0.3, 0.02, 0.1, 12.0], [-0.05, 0.28, -0.2, -7.0], [-0.02, 0.1, 1.4, 30.0], [0, 0, 0, 1.0]])
RULES = (
    "vtkBinaryLabelmapToClosedSurfaceConversionRule",
    "vtkClosedSurfaceToBinaryLabelmapConversionRule",
    "vtkClosedSurfaceToFractionalLabelmapConversionRule",
    "vtkFractionalLabelmapToClosedSurfaceConversionRule",
)
LOGICS = {
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "volumes": "vtkSlicerVolumesLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "transforms": "vtkSlicerTransformLogic",
    "plots": "vtkSlicerPlotsLogic",
}
CACHE = tempfile.TemporaryDirectory(prefix="slicer-cache-")


def new_scene() -> slicer.vtkMRMLScene:
    """A fresh scene with the logics that Slicer always has, known to `slicer` as in the application."""
    register_conversion_rules()
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.GetColorLogic().SetMRMLScene(scene)
    application.SetModuleLogic("Colors", application.GetColorLogic())
    scene.SetDataIOManager(data_manager(scene))
    logics = {name: add_logic(application, scene, name, cls) for name, cls in LOGICS.items()}
    slicer.mrmlScene = scene
    slicer.app = SimpleNamespace(applicationLogic=lambda: application)  # logics hold no reference to it
    slicer.modules = SimpleNamespace(**{name: SimpleNamespace(logic=lambda it=it: it) for name, it in logics.items()})
    return scene


def data_manager(scene) -> slicer.vtkDataIOManager:
    """Scene files are unpacked through the cache folder that the application gives to this."""
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(CACHE.name)
    cache.SetMRMLScene(scene)
    manager = slicer.vtkDataIOManager()
    manager.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    return manager


def register_conversion_rules() -> None:
    """Slicer's Segmentations module does this when it loads; without it no surface can be made."""
    factory = slicer.vtkSegmentationConverterFactory.GetInstance()
    if not getattr(register_conversion_rules, "done", False):
        for name in RULES:
            factory.RegisterConverterRule(getattr(slicer, name)())
        register_conversion_rules.done = True


def add_logic(application, scene, name: str, class_name: str):
    logic = getattr(slicer, class_name)()
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(scene)
    application.SetModuleLogic(name.capitalize(), logic)
    return logic


def add_volume(shape=(14, 30, 40), ijk_to_ras=OBLIQUE, name="calf"):
    """A scalar volume node of a ramp with the given array shape (k, j, i)."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.arange(np.prod(shape), dtype=np.int16).reshape(shape))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.array(ijk_to_ras, float)))
    node.CreateDefaultDisplayNodes()
    return node


def add_segmentation(volume, names):
    """A segmentation node on the volume's grid with empty segments; their IDs are their names."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "muscles")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name in names:
        node.GetSegmentation().AddEmptySegment(name, name)
    return node


def paint(segmentation, segment_id, volume, masks):
    """Set the segment to exactly these masks, {(slice, axis 0): (rows, columns) bool}, as an import does."""
    array = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
    for index, mask in masks.items():
        array[index] = mask
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, segment_id, volume)


def bend(node, name="bend"):
    """Put a node under a transform that is not linear."""
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", name)
    spline, before, after = vtk.vtkThinPlateSplineTransform(), vtk.vtkPoints(), vtk.vtkPoints()
    for x, y, z in ((0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 10), (10, 10, 10)):
        before.InsertNextPoint(x, y, z)
        after.InsertNextPoint(x + y * z / 10, y, z)
    spline.SetSourceLandmarks(before)
    spline.SetTargetLandmarks(after)
    spline.SetBasisToR()
    transform.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(transform.GetID())


def disc(shape=(30, 40), centre=(12, 18), radius=7):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


class Editor:
    """The logic under Slicer's Segment Editor, painting as its effects do: save a state, then modify the segment."""

    def __init__(self, segmentation, volume, overwrite=True):
        self.volume, self.segmentation = volume, segmentation
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        self.node.SetOverwriteMode(self.node.OverwriteAllSegments if overwrite else self.node.OverwriteNone)
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.logic.SetSegmentationHistory(slicer.vtkSegmentationHistory())
        self.logic.SetSegmentEditorNode(self.node)
        self.logic.SetSegmentationNode(segmentation)
        self.logic.SetSourceVolumeNode(volume)
        self.logic.SetMaximumNumberOfUndoStates(20)

    def stroke(self, segment_id, index, mask, erase=False):
        """One stroke on slice `index` of array axis 0 (or an index expression into the array)."""
        self.logic.SaveStateForUndo()
        image = slicer.vtkSlicerSegmentationsModuleLogic.CreateOrientedImageDataFromVolumeNode(self.volume)
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        array = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
        array[...] = 0
        array[index] = mask
        mode = self.logic.ModificationModeRemove if erase else self.logic.ModificationModeAdd
        self.logic.ModifySegmentByLabelmap(self.segmentation, segment_id, image, mode, False, False)


def add_slice_views():
    """The three slice nodes of Slicer's usual layout."""
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene, True)
    for name, orientation in (("Red", "Axial"), ("Green", "Coronal"), ("Yellow", "Sagittal")):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", name)
        node.SetLayoutName(name)
        node.SetOrientation(orientation)
