"""Small volumes with a bright tube that drifts and swells: something to propagate through in seconds."""

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.guided.hidden import hidden_task, hideable
from MusclePropLib.core.volumes import Volume


def tube(slices=13, rows=60, columns=70, centre=(28.0, 30.0), drift=(0.6, 0.8), radius=11.0, seed=0):
    """(image float32, mask bool): a textured tube whose texture moves along with it."""
    rng = np.random.default_rng(seed)
    texture = rng.standard_normal((rows * 2, columns * 2)).astype(np.float32)
    y, x = np.mgrid[:rows, :columns]
    image, mask = np.empty((slices, rows, columns), np.float32), np.empty((slices, rows, columns), bool)
    for t in range(slices):
        row, column = centre[0] + drift[0] * t, centre[1] + drift[1] * t
        mask[t] = (y - row) ** 2 + (x - column) ** 2 < (radius + 0.2 * t) ** 2
        moved = np.roll(texture, (round(drift[0] * t), round(drift[1] * t)), (0, 1))[:rows, :columns]
        image[t] = 60 + 60 * mask[t] + 12 * moved
    return image, mask


def volume_of(image, spacing=(2.0, 0.5, 0.5), **more):
    return Volume(image, Geometry.from_spacing(image.shape, spacing), **more)


def annotate(masks, slices, **more):
    """Annotations of {name: mask stack}, each drawn on `slices` (or on its own of {name: slices})."""
    chosen = slices if isinstance(slices, dict) else dict.fromkeys(masks, slices)
    shape = next(iter(masks.values())).shape
    muscles = [
        MuscleAnnotation(name, {t: mask[t] for t in chosen[name] if mask[t].any()}) for name, mask in masks.items()
    ]
    return Annotations(shape, muscles, **more)


def hidden_tasks(array, positions, spacing, drawn, *rest):
    """The tasks of all drawn slices, hidden in turn; arguments as `hidden_task`."""
    return [hidden_task(t, array, positions, spacing, drawn, *rest) for t in hideable(drawn)]


def dice(one, two):
    return 2 * (one & two).sum() / (one.sum() + two.sum())
