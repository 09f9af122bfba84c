"""Small files for the commands."""

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segmentation import segmentation_from_annotations, write_segmentation
from MusclePropLib.core.volumes import Volume, write_volume

SHAPE = (6, 20, 24)
GRID = Geometry.from_spacing(SHAPE, (1.4, 0.2, 0.2))


def write_case(folder, name="leg", spacing=GRID.spacing):
    """NAME.nrrd and NAME-annotations.seg.nrrd with GM and GL overlapping on slice 0."""
    image, drawn = folder / f"{name}.nrrd", folder / f"{name}-annotations.seg.nrrd"
    grid = Geometry.from_spacing(SHAPE, spacing)
    array = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    write_volume(image, Volume(array, grid))
    gm, gl = np.zeros(SHAPE[1:], bool), np.zeros(SHAPE[1:], bool)
    gm[5:12, 6:15], gl[10:16, 6:15] = True, True
    muscles = [MuscleAnnotation("GM", {0: gm, 5: gm}, color=(1.0, 0.0, 0.0)), MuscleAnnotation("GL", {0: gl})]
    write_segmentation(drawn, segmentation_from_annotations(Annotations(SHAPE, muscles), grid))
    return image, drawn
