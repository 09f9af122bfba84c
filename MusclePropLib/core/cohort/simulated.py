"""A cohort of simulated calves as files, for experiments without anybody's data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.defaults import default_for_name
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.phantom import simulate_calf
from MusclePropLib.core.segmentation import segmentation_from_annotations, write_segmentation
from MusclePropLib.core.volumes import read_volume, write_volume


def simulate_cohort(
    folder: Path,
    count: int,
    shape: tuple[int, int, int],
    first_seed: int = 0,
    on_event: Callable[[dict], None] = lambda event: None,
) -> list[str]:
    """Write `count` calves as `calfNNN.nrrd` and `calfNNN.seg.nrrd`, every slice drawn or declared absent.

    All are left legs, right ones mirrored: which side was scanned is always known, and without it medial and lateral
    cannot be told apart. Those that are there already stay as they are; InputError if they are of another shape.
    Returns the names of all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"calf{seed:03d}" for seed in range(first_seed, first_seed + count)]
    for name in names:
        _check_shape(folder / f"{name}.nrrd", shape)
    for seed, name in enumerate(names, first_seed):
        image, labels = (folder / f"{name}{ending}" for ending in (".nrrd", ".seg.nrrd"))
        if not (image.is_file() and labels.is_file()):
            calf = simulate_calf(seed, shape)
            across = -1 if calf.subject.side == "right" else 1
            write_volume(image, replace(calf.volume, array=calf.volume.array[:, :, ::across]))
            annotations = _annotations(calf.labels[:, :, ::across], calf.names)
            write_segmentation(labels, segmentation_from_annotations(annotations, calf.volume.geometry))
        done = seed + 1 - first_seed
        on_event({"event": "progress", "fraction": done / count, "seconds_left": None, "loss": None})
    return names


def _check_shape(path: Path, shape: tuple[int, int, int]) -> None:
    """InputError if there is such a file, of another shape."""
    there = read_volume(path).array.shape if path.is_file() else shape
    if there != shape:
        found, wanted = ("x".join(map(str, each)) for each in (there, shape))
        raise InputError(f"{path} is a simulated calf of {found}, not {wanted}; give another folder or remove it")


def _annotations(labels: np.ndarray, names: Sequence[str]) -> Annotations:
    muscles = []
    for value, name in enumerate(names, 1):
        filled = (labels == value).any(axis=(1, 2))
        drawn = {int(t): labels[t] == value for t in np.flatnonzero(filled)}
        known = default_for_name(name)
        color = known.color if known else MuscleAnnotation(name).color
        muscles.append(MuscleAnnotation(name, drawn, frozenset(np.flatnonzero(~filled).tolist()), color))
    return Annotations(labels.shape, muscles)
