"""From a volume and a few annotated slices to every slice: drafts first, then a network that corrects them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.guided.fill_estimate import FillEstimate
from MusclePropLib.core.guided.result import result_of
from MusclePropLib.core.guided.run import Run, WarmState
from MusclePropLib.core.outcome import MuscleOutcome, Propagation, Settings
from MusclePropLib.core.overlaps import overlap_warnings
from MusclePropLib.core.progress import Cancelled, Control, OnEvent, Progress
from MusclePropLib.core.volumes import Volume

__all__ = ["Cancelled", "MuscleOutcome", "Propagation", "Settings", "WarmState", "propagate"]


def propagate(
    volume: Volume,
    annotations: Annotations,
    settings: Settings | None = None,
    on_event: OnEvent | None = None,
    control: Control | None = None,
    warm: WarmState | None = None,
) -> Propagation:
    """Propagate the drawn slices of every muscle through the volume.

    `annotations` are slices first, like `volume.array`. Events are dicts with a key "event": stage, progress, preview
    (labels uint8 (slices, rows', columns') and `strides`), log. `control` answers "", "stop" or "cancel". With `warm`
    a later call on the same volume goes on from the networks of the one before. Raises InputError for unusable input
    and Cancelled when cancelled.
    """
    settings = settings or Settings()
    _check(volume, annotations)
    progress = Progress(settings.time_limit, on_event, control)
    warnings = overlap_warnings(annotations)
    for sentence in warnings:
        progress.log(sentence, "warning")
    run = Run(volume, annotations, settings, progress, warm if warm is not None else WarmState())
    run.draft()
    with FillEstimate(annotations.muscles, progress) as fill:
        run.judge()
        if settings.method != "interpolation" and progress.check():
            run.network()
        return replace(result_of(run, fill), warnings=warnings)


def _check(volume: Volume, annotations: Annotations) -> None:
    name = volume.source or "the volume"
    annotations.validate(volume.source or "the annotation")
    if volume.array.shape != tuple(annotations.shape):
        raise InputError(f"{name}: its grid {volume.array.shape} differs from the annotation's {annotations.shape}")
    if len(volume.array) < 2:
        raise InputError(f"{name}: there is one slice only, nothing to propagate to")
    if volume.array.dtype.kind == "f" and not all(np.isfinite(part).all() for part in volume.array):
        raise InputError(f"{name}: the image holds values that are not finite (NaN or infinity)")
