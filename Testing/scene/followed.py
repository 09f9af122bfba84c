"""A tracker at work on real segments, as the panel has it, and what the segments hold."""

import numpy as np
import slicer
from slicer_scene import disc

from MusclePropLib.core.annotations import SLICES_TAG
from MusclePropLib.scene.annotations import AnnotationTracker, Subject
from MusclePropLib.scene.results import accept
from MusclePropLib.scene.states import get_tag


class Followed:
    """A tracker as the panel uses it, and what it was told."""

    def __init__(self, volume, segmentation, axis=0):
        self.events = 0
        self.subject = Subject(volume.GetID(), segmentation.GetID(), axis)
        self.segmentation = segmentation
        self.tracker = AnnotationTracker(self._count)
        self.tracker.follow(self.subject)

    def _count(self):
        self.events += 1

    def drawn(self, segment_id="GM"):
        self.tracker.refresh()
        return sorted(self.tracker.states[segment_id].drawn)

    def tag(self, segment_id="GM", name=SLICES_TAG):
        return get_tag(self.segmentation.GetSegmentation().GetSegment(segment_id), name)


def masks(segmentation, segment_id, volume):
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, volume).astype(bool)


def top_of_surface(segmentation, segment_id):
    return segmentation.GetClosedSurfaceInternalRepresentation(segment_id).GetBounds()[5]


def fill(followed, volume, count=14):
    """Accept a result in which GM is a disc everywhere."""
    labels = np.zeros((count, 30, 40), np.uint8)
    labels[:, disc(radius=6)] = 1
    return accept(followed.subject, ["GM"], labels, {})
