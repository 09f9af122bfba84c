"""The expert's annotations in the scene: read for a job, followed while the expert works, marked by buttons."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, replace
from functools import partial

import slicer
import vtk

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation, axis_of_gaps
from MusclePropLib.core.drawings import traded_slices
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.steps import Steps, finished
from MusclePropLib.scene.geometry import volume_geometry
from MusclePropLib.scene.masks import Masks
from MusclePropLib.scene.names import name_of
from MusclePropLib.scene.segments import check_grid, moment, muscle_ids, protected_ids, visible_ids
from MusclePropLib.scene.states import (
    SegmentStates,
    binding_axis,
    check_axis,
    read_states,
    recorded_states,
    tagged_axis,
    write_states,
)
from MusclePropLib.scene.voxels import SegmentVoxels, emptied, segment_voxels

EVENTS = ("SegmentModified", "SegmentAdded", "SegmentRemoved")


def propagation_axis(
    volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode, along: int = 0
) -> int:
    """Array axis (0 = K, 1 = J, 2 = I) along which slices are drawn.

    As the tags say where they count filled or absent slices; else where there are gaps, else as the tags say. `along`
    is an axis along which the label maps have been looked at, which saves another pass, and changes nothing else.
    """
    geometry = volume_geometry(volume_node)
    bound = _axis_of_tags(segmentation_node, geometry, binding_axis)
    if bound is not None:
        return bound
    voxels = [segment_voxels(segmentation_node, i, geometry, along) for i in muscle_ids(segmentation_node)]
    looked = [along, *(a for a in range(3) if a != along)]
    drawn = _axis_of_tags(segmentation_node, geometry, tagged_axis) or 0
    order = [drawn, *(a for a in range(3) if a != drawn)]  # the first of which is taken where the gaps do not tell
    profiles = [[v.profiles()[looked.index(a)] for a in order] for v in voxels if v.labels.size]
    return order[axis_of_gaps(profiles)] if profiles else drawn


def read_annotations(
    volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode, axis: int
) -> tuple[Annotations, list[str]]:
    """What the expert has drawn, slices first, and the ID of each muscle's segment.

    Muscles are the visible, uncompleted segments with a drawn slice. Completed segments and "Not muscle" are explicit
    negatives; hidden segments do not count at all. InputError if nothing is drawn, a grid does not fit, or slices were
    filled or marked absent across another axis.
    """
    found = finished(annotations_read(volume_node, segmentation_node, axis))
    assert found is not None  # nobody draws meanwhile
    return found


def annotations_read(
    volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode, axis: int
) -> Generator[None, None, tuple[Annotations, list[str]] | None]:
    """The same step by step. None if the segments change meanwhile: what was read is old in parts, and new in parts."""
    before, geometry = moment(segmentation_node), volume_geometry(volume_node)

    def voxels_of(segment_id: str) -> SegmentVoxels:
        return segment_voxels(segmentation_node, segment_id, geometry, axis)

    found = {i: voxels_of(i) for i in muscle_ids(segmentation_node)}
    segments = {i: segmentation_node.GetSegmentation().GetSegment(i) for i in found}
    for segment_id, segment in segments.items():
        check_axis(segment, found[segment_id])
    known = {i: states for i in found if (states := read_states(segments[i], found[i])).drawn}
    protected = [voxels_of(i) for i in protected_ids(segmentation_node)]
    shape = geometry.moved(axis).shape
    muscles = [MuscleAnnotation(s.name, Masks(shape[1:]), s.absent, s.color) for s in known.values()]
    annotations = Annotations(shape, muscles, Masks(shape[1:]), axis)
    if not known:
        annotations.validate(f"segmentation '{name_of(segmentation_node)}'")
    for segment_id, muscle in zip(known, muscles, strict=True):
        yield from found[segment_id].add_masks(muscle.drawn, known[segment_id].drawn)
    for voxels in protected:
        yield from voxels.add_masks(annotations.not_muscle, voxels.drawings())
    return (annotations, list(known)) if moment(segmentation_node) == before else None


@dataclass(frozen=True)
class Subject:
    """What is being annotated, by node ID: nodes may vanish between two calls."""

    volume_id: str
    segmentation_id: str
    axis: int

    def nodes(self) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSegmentationNode] | None:
        """Volume and segmentation, None if one is gone."""
        volume = slicer.mrmlScene.GetNodeByID(self.volume_id)
        segmentation = slicer.mrmlScene.GetNodeByID(self.segmentation_id)
        return (volume, segmentation) if volume and segmentation else None

    def existing_nodes(self) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSegmentationNode]:
        """The same; InputError if one is gone."""
        nodes = self.nodes()
        if nodes is None:
            raise InputError("the volume or the segmentation has been deleted")
        return nodes


def looked_at(subject: Subject, ids: Callable[[slicer.vtkMRMLSegmentationNode], list[str]]) -> Steps:
    """The passes over the label maps of these segments that `read_states` needs; again where they change meanwhile.

    Raises InputError if one does not lie on the volume's grid.
    """
    before = None
    while (nodes := subject.nodes()) is not None and (now := moment(nodes[1])) != before:
        geometry = volume_geometry(nodes[0])
        for voxels in [segment_voxels(nodes[1], i, geometry, subject.axis) for i in ids(nodes[1])]:
            yield from voxels.look()
        before = now


class AnnotationTracker:
    """Follows what the expert does to the visible segments and keeps their tags up to date.

    `on_event` is called at every change in the scene, many times for one stroke; the caller waits until it is quiet
    and calls `refresh`, which compares contents and is therefore right whatever the events were.
    """

    def __init__(self, on_event: Callable[[], None]) -> None:
        self.states: dict[str, SegmentStates] = {}
        self.subject: Subject | None = None
        self._segmentation: slicer.vtkSegmentation | None = None
        self._painted = False
        self._on_event = on_event
        self._observed: list[tuple[vtk.vtkObject, int]] = []

    def follow(self, subject: Subject | None) -> None:
        """Begin with another subject; None ends."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed, self._segmentation = [], None
        self.subject, self.states, self._painted = subject, {}, True
        nodes = subject.nodes() if subject else None
        if nodes is not None:
            self._segmentation, display = nodes[1].GetSegmentation(), nodes[1].GetDisplayNode()
            self._observe(nodes[1], slicer.vtkMRMLSegmentationNode.SegmentationChangedEvent)
            self._observe(self._segmentation, *(getattr(slicer.vtkSegmentation, event) for event in EVENTS))
            self._observe(self._segmentation, slicer.vtkSegmentation.SourceRepresentationModified, then=self._on_paint)
            if display is not None:  # segments that are shown or hidden
                self._observe(display, vtk.vtkCommand.ModifiedEvent)
            for node in nodes:
                self._observe(node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent)

    def refresh(self) -> bool:
        """Read all states anew and write what changed into the tags; True if there was a change.

        After an undo, which paints nothing, tags that give the states as they are stay behind in the list of drawn
        slices: writing them would cost the redo.

        Raises InputError, and knows no states, if a segment does not lie on the volume's grid, or a muscle's slices
        were filled or marked absent on another one or across another axis.
        """
        nodes = self.subject.nodes() if self.subject else None
        if nodes and nodes[1].GetSegmentation() is not self._segmentation:
            self.follow(self.subject)  # the node holds another drawing now
        before, self.states = self.states, {}
        if nodes:
            check_grid(*nodes)
        voxels = self._voxels(*nodes) if nodes else {}
        segments = {i: nodes[1].GetSegmentation().GetSegment(i) for i in voxels}
        for segment_id in muscle_ids(nodes[1]) if nodes else ():
            check_axis(segments[segment_id], voxels[segment_id])
        known = {i: read_states(segments[i], v) for i, v in voxels.items()}
        old = {i: before.get(i) or recorded_states(segments[i], voxels[i], its) for i, its in known.items()}
        self.states = _without_overpainted(known, old, voxels, before.keys())
        for segment_id, its in self.states.items() if self.states != before else ():
            if self._painted or its != known[segment_id]:
                write_states(segments[segment_id], voxels[segment_id], its)
        self._painted = False
        return self.states != before

    def refreshed(self) -> Generator[None, None, bool]:
        """`refresh` step by step; what changes meanwhile is looked at, too."""
        with contextlib.suppress(InputError):  # `refresh` raises it, and knows no states then
            if self.subject is not None:
                yield from looked_at(self.subject, visible_ids)
        return self.refresh()

    def mark_absent(self, segment_id: str, slices: Collection[int]) -> None:
        """The expert says that the muscle does not exist on these slices, of which the drawn ones are left out.

        What a propagation has filled there goes.
        """
        self._set_absent(segment_id, lambda its: its.absent | (frozenset(slices) - its.drawn))

    def clear_absent(self, segment_id: str, slices: Collection[int]) -> None:
        """Take that back."""
        self._set_absent(segment_id, lambda its: its.absent - frozenset(slices))

    def drawings(self) -> dict[str, tuple]:
        """All that a propagation depends on, to be compared with an earlier value."""
        return {
            i: (s.name, s.absent, frozenset((t, s.slices[t].checksum) for t in s.drawn))
            for i, s in self.states.items()
            if s.drawn or s.absent
        }

    def _voxels(
        self, volume_node: slicer.vtkMRMLScalarVolumeNode, segmentation_node: slicer.vtkMRMLSegmentationNode
    ) -> dict[str, SegmentVoxels]:
        geometry = volume_geometry(volume_node)
        ids = visible_ids(segmentation_node)
        return {i: segment_voxels(segmentation_node, i, geometry, self.subject.axis) for i in ids}

    def _set_absent(self, segment_id: str, wanted: Callable[[SegmentStates], frozenset[int]]) -> None:
        self.refresh()  # a stroke may have ended just now
        nodes = self.subject.nodes() if self.subject else None
        if nodes is not None and segment_id in self.states:
            before = self.states[segment_id]
            absent = wanted(before)
            gone, geometry = absent & before.filled, volume_geometry(nodes[0])
            emptied(nodes[1], segment_id, segment_voxels(nodes[1], segment_id, geometry, self.subject.axis), gone)
            slices = {t: its for t, its in before.slices.items() if t not in gone}
            states = replace(before, slices=slices, filled=before.filled - gone, absent=absent)
            self.states = {**self.states, segment_id: states}
            voxels = segment_voxels(nodes[1], segment_id, geometry, self.subject.axis)
            write_states(nodes[1].GetSegmentation().GetSegment(segment_id), voxels, states)

    def _on_paint(self) -> None:
        self._painted = True
        self._on_event()

    def _observe(self, observed: vtk.vtkObject, *events: int, then: Callable[[], None] | None = None) -> None:
        then = then or self._on_event
        self._observed += [(observed, observed.AddObserver(event, lambda *_: then())) for event in events]


def _axis_of_tags(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    geometry: Geometry,
    tagged: Callable[[slicer.vtkSegment], int | None],
) -> int | None:
    """The volume's axis that `tagged` finds in the first muscle's tags that name one."""
    for segment_id in muscle_ids(segmentation_node):
        own_axis = tagged(segmentation_node.GetSegmentation().GetSegment(segment_id))
        for axis in range(3) if own_axis is not None else ():
            if own_axis == segment_voxels(segmentation_node, segment_id, geometry, axis).own_axis:
                return axis
    return None


def slices_to_the_end(states: SegmentStates, slice_index: int, count: int) -> range:
    """Slices from `slice_index` to that end of the volume on which the muscle is not drawn.

    InputError between two drawn slices, where there is no such end.
    """
    drawn = states.drawn
    if not drawn or slice_index > max(drawn):
        return range(slice_index, count)
    if slice_index < min(drawn):
        return range(slice_index + 1)
    raise InputError(f"{states.name} is drawn on both sides of this slice, so it does not end here")


def absent_run(states: SegmentStates, slice_index: int) -> range:
    """The slices next to each other that are marked absent and hold `slice_index`; empty if that is not absent."""
    if slice_index not in states.absent:
        return range(0)
    first = last = slice_index
    while first - 1 in states.absent:
        first -= 1
    while last + 1 in states.absent:
        last += 1
    return range(first, last + 1)


def _without_overpainted(
    new: dict[str, SegmentStates],
    old: dict[str, SegmentStates],
    voxels: dict[str, SegmentVoxels],
    followed: Collection[str],
) -> dict[str, SegmentStates]:
    """Keep slices *filled* that only lost voxels to another segment painted over them: nobody drew these anew.

    Strokes that were `followed` came one by one, so what a segment lost is what another one gained. Of what nobody saw,
    the earlier area of drawn slices is not known, and the voxels have to tell.
    """
    gained: Counter[int] = Counter()
    for segment_id, states in new.items():
        known = old[segment_id].slices.keys() if segment_id in followed else old[segment_id].filled
        for t, drawing in states.slices.items():
            gained[t] += max(0, drawing.area - (old[segment_id].slices[t].area if t in known else 0))
    seen = new.keys() <= set(followed)
    traded = traded_slices((old[i].slices, states.slices) for i, states in new.items())

    def still_filled(segment_id: str, states: SegmentStates) -> frozenset[int]:
        def taken(t: int, row: int, column: int) -> bool:
            return seen or t in traded or any(its.holds(t, row, column) for i, its in voxels.items() if i != segment_id)

        before = old[segment_id]
        pairs = {t: (before.slices[t], states.slices[t]) for t in states.drawn & before.filled}
        return frozenset(t for t, (its, now) in pairs.items() if its.overpainted(now, gained[t], partial(taken, t)))

    return {i: replace(states, filled=states.filled | still_filled(i, states)) for i, states in new.items()}
