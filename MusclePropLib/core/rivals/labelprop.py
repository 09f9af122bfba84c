"""LabelProp (Decaux et al. 2023, PyPI `deep-labelprop`): registration between slices, trained on the scan itself.

Its requirements (MONAI, Lightning, Flask, an older way with torch) do not belong in ours, so it lives in a virtual
environment of its own, made by `Testing/benchmarks/labelprop_env.sh`, or named by the variable MUSCLEPROP_LABELPROP,
which holds the path of that environment's Python. `epochs` and `size` are the package's defaults. On a processor an
epoch takes some 20 to 30 s for a sweep of 200 slices, so the whole training takes most of an hour; a step holds all
slices between two drawn ones, so 50 of them at size 256 take 13 GB of memory, and size 128 a quarter of that.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.rivals import RivalUnavailable
from MusclePropLib.core.rivals.isolated import ROOT, run_isolated
from MusclePropLib.core.volumes import Volume

VARIABLE = "MUSCLEPROP_LABELPROP"
ENVIRONMENT = ROOT / ".venv-labelprop"


def run(
    volume: Volume, annotations: Annotations, epochs: int = 100, size: int = 256, time_limit: float = 4 * 3600.0
) -> list[np.ndarray]:
    """One bool mask (slices, rows, columns) per muscle, propagated beyond the outermost drawn slices where need be.

    Where every muscle is known to be absent there, it is not: the package would take one direction alone on these
    slices, for every muscle. Slices are resampled to `size` x `size`. Where drawn masks overlap, the later muscle has
    the voxel.
    """
    given = {
        "image": np.asarray(volume.array, np.float32),
        "labels": _labels(annotations),
        "epochs": np.array(epochs),
        "size": np.array(size),
        "extrapolate": np.array(any(_is_open(m, len(volume.array)) for m in annotations.muscles)),
    }
    labels = run_isolated(f"{__package__}.labelprop_child", given, time_limit, str(python()))["labels"]
    return [labels == value for value in range(1, len(annotations.muscles) + 1)]


def python() -> Path:
    """The Python of LabelProp's environment; RivalUnavailable if there is none."""
    named = os.environ.get(VARIABLE)
    inside = Path("Scripts", "python.exe") if sys.platform == "win32" else Path("bin", "python")
    found = Path(named) if named else ENVIRONMENT / inside
    if not found.exists():
        raise RivalUnavailable(
            f"LabelProp has no environment at {found}; make one with Testing/benchmarks/labelprop_env.sh"
        )
    return found


def _is_open(muscle: MuscleAnnotation, count: int) -> bool:
    """Whether nobody knows of the muscle on some of the `count` slices before its first or after its last drawn one."""
    drawn = muscle.drawn_slices
    return bool(drawn) and not {*range(drawn[0]), *range(drawn[-1] + 1, count)} <= muscle.absent


def _labels(annotations: Annotations) -> np.ndarray:
    labels = np.zeros(annotations.shape, np.uint8)
    for value, muscle in enumerate(annotations.muscles, 1):
        for t, mask in muscle.drawn.items():
            labels[t][mask] = value
    return labels
