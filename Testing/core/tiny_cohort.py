"""A cohort that trains in seconds."""

import numpy as np

from MusclePropLib.core.cohort.frames import FrameGrid
from MusclePropLib.core.cohort.prepared import Reading
from MusclePropLib.core.cohort.settings import FitSettings
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segmentation import segmentation_from_masks, write_segmentation
from MusclePropLib.core.segments import Segment
from MusclePropLib.core.volumes import Volume, write_volume

TINY = FitSettings(
    labels=("GM",),
    variant="unet-s-r",
    base_maps=4,
    levels=2,
    reading=Reading(FrameGrid(1.0, 24, 32), axis=0, complete=True),
    slices=4,
    steps=6,
    validate_every=2,
    patience=99,
    learning_rate=5e-3,
    averaging=0.8,
    device="cpu",
)


def write_case(folder, number, seed=None):
    """A bright and a middling ellipse that drift along the stack, in noise."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number if seed is None else seed)
    shape = (10, 24, 32)
    t, rows, columns = np.ogrid[:10, :24, :32]
    gm = (rows - 12 - rng.uniform(-1, 1)) ** 2 / 40 + (columns - 8 - 0.3 * t) ** 2 / 25 < 1
    gl = (rows - 12) ** 2 / 30 + (columns - 24 + 0.2 * t) ** 2 / 16 < 1
    image = 90 * gm + 45 * gl + rng.normal(60, 12, shape)
    geometry = Geometry.from_spacing(shape, (1.0, 1.0, 1.0))
    write_volume(folder / f"x{number}.nrrd", Volume(image.clip(0, 255).astype(np.uint8), geometry))
    segments = [Segment("GM"), Segment("GL")]
    write_segmentation(folder / f"x{number}.seg.nrrd", segmentation_from_masks([gm, gl], geometry, segments))


def write_cohort(folder, count=5):
    """`count` cases of as many subjects."""
    for number in range(count):
        write_case(folder, number)
    return folder
