"""A propagation's labels as the segmentation that is handed back, with a record of how it came about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from MusclePropLib import __version__
from MusclePropLib.core.annotations import SLICES_TAG, Annotations, slices_tag
from MusclePropLib.core.drawings import with_filled_tags
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.overlaps import overlapping
from MusclePropLib.core.segments import Segment, Segmentation, segmentation_from_labels, segmentation_from_masks

PROVENANCE_TAG = "MuscleProp.Provenance"


def propagated_segmentation(
    labels: np.ndarray, annotations: Annotations, geometry: Geometry, summary: Mapping[str, Any]
) -> Segmentation:
    """The labels (slices, rows, columns), value i + 1 = muscle i, as segments on the *stored* grid `geometry`.

    Drawn slices are exactly as drawn: `labels` needs to be writable (a copy-on-write map will do), for they are set
    again. Without overlapping contours all segments share `labels`, without a copy; with them, they get as many
    layers as that takes. Names, colours and tags are the annotations'; `MuscleProp.Slices` says which slices were
    drawn, `MuscleProp.Filled` by what the others are known until somebody changes them, and PROVENANCE_TAG how they
    came about. `summary` is `Propagation.summary()`.
    """
    segments = []
    for index, muscle in enumerate(annotations.muscles):
        own = {SLICES_TAG: slices_tag(muscle, annotations.axis), PROVENANCE_TAG: provenance(summary, index)}
        segments.append(Segment(muscle.name, muscle.color, muscle.tags | own))
    if overlapping(annotations):
        masks = (np.moveaxis(m, 0, annotations.axis) for m in _exact_masks(labels, annotations))
        return with_filled_tags(segmentation_from_masks(masks, geometry, segments))
    _set_drawn(labels, annotations)
    return with_filled_tags(segmentation_from_labels(np.moveaxis(labels, 0, annotations.axis), geometry, segments))


def provenance(summary: Mapping[str, Any], muscle: int) -> str:
    """JSON for a segment's tag: the run's provenance, that muscle's own outcome and its confidence on each slice.

    Without `|`, where Slicer cuts.
    """
    outcome = dict(enumerate(summary.get("muscles", []))).get(muscle, {})
    confidence = dict(enumerate(summary.get("confidence", []))).get(muscle)
    record = {"version": __version__, **summary.get("provenance", {}), "muscle": outcome, "confidence": confidence}
    return json.dumps(record, default=str).replace("|", "\\u007c")


def _exact_masks(labels: np.ndarray, annotations: Annotations) -> Iterator[np.ndarray]:
    for index, muscle in enumerate(annotations.muscles):
        mask = labels == index + 1
        for t, drawn in muscle.drawn.items():
            mask[t] = drawn
        yield mask


def _set_drawn(labels: np.ndarray, annotations: Annotations) -> None:
    """In place, and only where it differs: every voxel written costs memory in a copy-on-write map."""
    for index, muscle in enumerate(annotations.muscles):
        for t, mask in muscle.drawn.items():
            if not np.array_equal(labels[t] == index + 1, mask):
                labels[t][labels[t] == index + 1] = 0
                labels[t][mask] = index + 1
