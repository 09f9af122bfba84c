"""The result of a run: the label map on the full grid, and what is to be said of it."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import datetime

import numpy as np
import torch

from MusclePropLib import __version__
from MusclePropLib.core.guided.fill_estimate import FillEstimate
from MusclePropLib.core.guided.muscle import MuscleWork
from MusclePropLib.core.guided.run import Run
from MusclePropLib.core.metrics import slice_thickness
from MusclePropLib.core.outcome import NO_WEIGHTS, MuscleOutcome, Propagation
from MusclePropLib.core.priors.stack import INTERPOLATED
from MusclePropLib.core.progress import peak_memory_mb


def result_of(run: Run, fill: FillEstimate) -> Propagation:
    """Put the chosen candidates of all muscles together, and beside them what Fill between slices would give."""
    with run.progress.stage("finish", "Writing the full resolution"):
        labels = run.labels()
        confidence = np.stack([_confidence(work, run) for work in run.works]).astype(np.float32)
        counts = [_voxels(work, run, labels) for work in run.works]
        outcomes = [_outcome(*each, run) for each in zip(run.works, fill.of(run.works), counts, strict=True)]
    return Propagation(
        labels=labels,
        annotations=run.annotations,
        confidence=confidence,
        muscles=outcomes,
        next_slice=next_slice(run),
        seconds=run.progress.seconds | {"total": run.progress.elapsed},
        peak_memory_mb=peak_memory_mb(),
        provenance=_provenance(run),
        found=[np.flatnonzero(each).tolist() for each in counts],
    )


def _provenance(run: Run) -> dict:
    """Versions, date, weights' checksum and settings; of a tracked sweep also where its frames lie (slices,) in mm."""
    tracked = run.volume.positions is not None
    return {
        "version": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "weights": NO_WEIGHTS if run.settings.method == "interpolation" else run.warm.checksum,
        "settings": asdict(run.settings),
        **({"positions_mm": [round(float(p), 4) for p in run.positions]} if tracked else {}),
    }


def next_slice(run: Run) -> int | None:
    """The slice with the largest expected area of disagreement over all muscles; None when all are known.

    Where nothing is shown of what is not known, the slice farthest from all that is.
    """
    doubt, away = np.zeros(len(run.slices)), np.zeros(len(run.slices))
    for work in run.works:
        areas = work.areas(work.chosen) * work.stack.frame.step[0] ** 2
        errors = work.errors(work.chosen) if work.trusts else work.reach / max(work.reach.max(), 1e-6)
        doubt += errors * areas * work.placed().valid
        away = np.maximum(away, work.reach * work.stack.possible)
    most = doubt if doubt.any() else away
    return int(run.slices[np.argmax(most)]) if most.any() else None


def _confidence(work: MuscleWork, run: Run) -> np.ndarray:
    """Expected Dice (slices,): 1 where known, nan where nothing can tell."""
    every = np.arange(len(run.positions))
    if work.chosen not in work.trusts:
        return np.where(np.isin(every, [*work.annotation.drawn, *work.annotation.absent]), 1.0, np.nan)
    return 1 - np.interp(every, run.slices, work.errors(work.chosen))


def _voxels(work: MuscleWork, run: Run, labels: np.ndarray) -> np.ndarray:
    """Voxels (slices,) that the result gives a muscle, as drawn where it is drawn."""
    counts = np.array([np.count_nonzero(plane == work.index + 1) for plane in labels])
    for t, mask in run.annotations.muscles[work.index].drawn.items():
        counts[t] = np.count_nonzero(mask)
    return counts


def _outcome(work: MuscleWork, fill_estimate: float, counts: np.ndarray, run: Run) -> MuscleOutcome:
    return MuscleOutcome(
        name=work.annotation.name,
        method=work.chosen,
        estimate=work.estimate(work.chosen),
        fill_estimate=fill_estimate,
        interpolation_estimate=work.estimate(INTERPOLATED),
        volume_ml=float(counts @ _voxel_ml(run)),
        drawn_slices=work.annotation.drawn_slices,
    )


def _voxel_ml(run: Run) -> np.ndarray:
    """Millilitres (slices,) of one voxel, by the true distance of tracked frames where there are poses."""
    geometry = run.volume.geometry
    return geometry.voxel_ml * slice_thickness(run.positions, geometry) / geometry.spacing[0]
