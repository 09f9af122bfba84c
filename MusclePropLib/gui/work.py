"""What the sections of the panel share: the expert's choices, the annotation states and the session.

Knows neither widgets nor Qt, so that all of it can be tested on the scene alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.steps import Steps, advance
from MusclePropLib.gui.session import Phase, Session
from MusclePropLib.gui.signal import Signal
from MusclePropLib.scene.annotations import (
    AnnotationTracker,
    Subject,
    absent_run,
    looked_at,
    propagation_axis,
    slices_to_the_end,
)
from MusclePropLib.scene.geometry import volume_geometry
from MusclePropLib.scene.inputs import inputs_read
from MusclePropLib.scene.segments import (
    check_segmentation,
    check_source_volume,
    create_default_segments,
    muscle_ids,
    use_grid_of,
)
from MusclePropLib.scene.slice_views import current_slice, go_to_slice
from MusclePropLib.scene.states import SegmentStates

STEP_SECONDS = 0.02  # of looking at the segments, at each step; the window waits for it


class Choices(Protocol):
    """What the parameter node holds."""

    volume: Any
    segmentation: Any
    fixed_axis: int | None

    def settings(self) -> dict[str, Any]:
        """For the worker."""


class Work:
    """`changed` is emitted when any of it has; `later` calls a function once the scene has been quiet for a moment.

    While it is `looking` at the segments, `step` is to be called every few hundredths of a second.
    """

    def __init__(self, session: Session, later: Callable[[Callable[[], None]], None]) -> None:
        self.changed = Signal()
        self.session = session
        self.tracker = AnnotationTracker(lambda: later(self.refresh))
        self.choices: Choices | None = None
        self.problem = ""
        self.setup_problem = ""
        self.slices = 0
        self.current_segment: Callable[[], str] = lambda: ""
        self.save_state: Callable[[], object] = lambda: None
        self.starting = False
        self._sent: dict[str, tuple] | None = None
        self._steps: Steps | None = None
        self._wanted: list[Callable[[], None]] = []  # marks for absent muscles, when all strokes are known
        session.changed.connect(self.changed.emit)

    @property
    def subject(self) -> Subject | None:
        """What is being annotated, None if volume or segmentation is not chosen."""
        return self.tracker.subject

    @property
    def looking(self) -> bool:
        """Whether there are segments that have changed and are not yet known; `starting` a propagation, perhaps."""
        return self._steps is not None

    @property
    def busy(self) -> bool:
        """Whether a propagation is under way or about to be."""
        return self.starting or self.session.busy

    def refresh(self) -> None:
        """Bring everything up to date with choices and scene; what is wrong with them becomes `problem`.

        What takes longer than a moment is left to `step`.
        """
        if self.starting:
            self._steps = self._started()  # anew
        else:
            self._go(self._refreshed())

    def step(self) -> None:
        """Go on for a moment. Raises InputError if something that waited for it cannot be done."""
        try:
            if not advance(self._steps, STEP_SECONDS):
                return
        except Exception:
            self._end_steps()
            raise
        self._end_steps()

    def missing(self) -> str:
        """Why a propagation cannot start; empty if it can."""
        if self.setup_problem:
            return self.setup_problem
        if self.problem:
            return self.problem
        if self.subject is None:
            return _("Choose a volume and a segmentation")
        ids = set(muscle_ids(self.subject.nodes()[1])) if self.subject.nodes() else set()
        if not any(states.drawn for i, states in self.tracker.states.items() if i in ids):
            return _("Outline a muscle on at least one slice; two or more make it much better")
        return ""

    def propagate(self) -> None:
        """Start, once all that is drawn by then has been looked at. Raises InputError, as `step` may later."""
        self.starting = True
        self._go(self._started())

    def cancel_start(self) -> None:
        """Give it up before it has come to that."""
        self.starting = False
        self.refresh()

    def accept(self) -> list[str]:
        """Write the result into the segments, as one step of undo."""
        self.tracker.refresh()
        names = self.session.accept(self.save_state)
        self.refresh()
        return names

    def drawn_since(self) -> bool:
        """Whether the annotations differ from those that the last propagation was given."""
        return self._sent is not None and self._sent != self.tracker.drawings()

    def create_segments(self) -> None:
        """GM, GL and SOL, in the chosen segmentation or a new one."""
        if self.choices.volume is None:
            raise InputError(_("Choose a volume first"))
        check_source_volume(self.choices.volume)
        chosen = self.choices.volume, self.choices.segmentation
        self.choices.segmentation = create_default_segments(*chosen, self.save_state)
        self.refresh()

    def current_slice(self) -> int | None:
        """The slice that the slice view shows."""
        volume = self._sound_volume()
        return current_slice(volume, self.subject.axis) if volume else None

    def go_to(self, slice_index: int) -> None:
        """Show a slice."""
        volume = self._sound_volume()
        if volume:
            go_to_slice(volume, self.subject.axis, slice_index)

    def next_slice(self) -> int | None:
        """Where the next contour would help most, as the last propagation says."""
        return self.session.summary.get("next_slice") if self._has_summary() else None

    def confidence(self, segment_id: str) -> tuple[float | None, ...] | None:
        """Expected Dice of every slice of the segment, from the last propagation of this subject; None if untold."""
        if not self._has_summary() or segment_id not in self.session.job.segment_ids:
            return None
        values = self.session.summary.get("confidence")
        return values and tuple(values[self.session.job.segment_ids.index(segment_id)])

    def proposed(self, segment_id: str) -> frozenset[int]:
        """Slices on which a result that is not accepted yet has the segment."""
        if self.session.phase is not Phase.FINISHED or not self._has_summary():
            return frozenset()
        found = dict(zip(self.session.job.segment_ids, self.session.summary.get("found", ()), strict=False))
        return frozenset(found.get(segment_id, ()))

    def mark_absent(self, to_the_end: bool = False) -> None:
        """The current muscle does not exist on the shown slice, or from there to the end.

        Raises InputError, as `step` may later if there are strokes that are not yet known.
        """
        segment_id, slice_index = self._here()

        def slices(states: SegmentStates) -> range:
            if to_the_end:
                return slices_to_the_end(states, slice_index, self.slices)
            if slice_index in states.drawn:
                raise InputError(_("{name} is drawn on this slice; erase it first").format(name=states.name))
            return range(slice_index, slice_index + 1)

        self._once_known(segment_id, slices, self.tracker.mark_absent)

    def clear_absent(self) -> None:
        """Take back the marks on the shown slice and those next to it. Raises InputError likewise."""
        segment_id, slice_index = self._here()

        def slices(states: SegmentStates) -> range:
            run = absent_run(states, slice_index)
            if not run:
                raise InputError(_("The current muscle is not marked absent on this slice"))
            return run

        self._once_known(segment_id, slices, self.tracker.clear_absent)

    def nodes_gone(self) -> None:
        """Some node was removed: end what depended on it."""
        self._drop_lost_job()
        if self.subject is not None and self.subject.nodes() is None:
            self.starting = False
            self.refresh()

    def close(self) -> None:
        """End the job and stop following the scene."""
        self._steps, self.starting = None, False
        self.tracker.follow(None)
        self.session.close()

    def _once_known(
        self,
        segment_id: str,
        slices: Callable[[SegmentStates], range],
        mark: Callable[[str, range], None],
    ) -> None:
        """Mark slices of a segment once the last stroke has been looked at, which it mostly has."""

        def act() -> None:
            if segment_id in self.tracker.states:
                those = slices(self.tracker.states[segment_id])
                self.save_state()
                mark(segment_id, those)

        self._wanted.append(act)
        self.refresh()

    def _go(self, steps: Steps) -> None:
        self._steps = steps
        self.step()
        if self.looking:
            self.changed.emit()

    def _end_steps(self) -> None:
        self._steps, self.starting = None, False
        self.changed.emit()

    def _drop_lost_job(self) -> None:
        job = self.session.job
        if job is not None and job.lost and self.session.phase is not Phase.IDLE:
            self.session.drop()

    def _refreshed(self) -> Steps:
        self._drop_lost_job()
        yield from self._looked()
        self.problem, self.slices = "", 0
        try:
            subject = self._chosen_subject()
            if subject != self.tracker.subject:
                self._begin_with(subject)
        except Exception:
            self.tracker.follow(None)  # rather than go on with what is shown no more
            raise
        try:
            yield from self.tracker.refreshed()
        except InputError as fault:
            self.problem = self.problem or str(fault)
        while self._wanted:
            self._wanted.pop(0)()

    def _looked(self) -> Steps:
        """What finding the axis needs; mostly the pass that the tracker needs, too."""
        choices = self.choices
        if choices is None or choices.fixed_axis is not None:
            return
        if not (_in_scene(choices.volume) and _in_scene(choices.segmentation)):
            return
        chosen = Subject(choices.volume.GetID(), choices.segmentation.GetID(), self._axis)
        if chosen != self.subject:
            self.tracker.follow(None)  # nothing is to be done meanwhile to what is chosen no more
        with contextlib.suppress(InputError):  # which finding the axis raises, too
            yield from looked_at(chosen, muscle_ids)

    def _started(self) -> Steps:
        """A propagation, with all annotations as they are at one moment, and the states that go with them."""
        inputs = None
        while inputs is None:
            yield from self._refreshed()
            missing = self.missing()
            if missing:
                raise InputError(missing)
            inputs = yield from inputs_read(self.subject)
        self.session.start(self.subject, inputs, self.choices.settings())
        self._sent = self.tracker.drawings()

    def _here(self) -> tuple[str, int]:
        """Current segment and shown slice."""
        segment_id, slice_index = self.current_segment(), self.current_slice()
        if segment_id not in self.tracker.states:
            raise InputError(_("Choose a muscle in the list of segments first"))
        if slice_index is None:
            raise InputError(_("No slice view shows a slice of the volume; click in the strip to go to one"))
        return segment_id, slice_index

    def _sound_volume(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The volume, if it has slices to speak of."""
        nodes = self.subject.nodes() if self.subject and self.slices else None
        return nodes[0] if nodes else None

    @property
    def _axis(self) -> int:
        """The one along which the segments were last looked at."""
        return self.subject.axis if self.subject else 0

    def _has_summary(self) -> bool:
        """Whether the last propagation was of what is being annotated."""
        return self.session.summary is not None and self.session.job.subject == self.subject

    def _begin_with(self, subject: Subject | None) -> None:
        try:
            if subject is not None and not self.problem:
                use_grid_of(*subject.nodes())
        except InputError as fault:
            self.problem = str(fault)
        self.tracker.follow(subject)
        self._sent = None
        self._wanted.clear()

    def _chosen_subject(self) -> Subject | None:
        """Volume, segmentation and axis; also when there is a `problem`, so that its end is noticed."""
        choices = self.choices
        if choices is None or not _in_scene(choices.volume) or not _in_scene(choices.segmentation):
            return None
        axis = choices.fixed_axis
        try:
            check_source_volume(choices.volume)
            check_segmentation(choices.segmentation)
            if axis is None:
                axis = propagation_axis(choices.volume, choices.segmentation, self._axis)
            self.slices = volume_geometry(choices.volume).shape[axis]
        except InputError as fault:
            self.problem = str(fault)
        return Subject(choices.volume.GetID(), choices.segmentation.GetID(), axis or 0)


def _in_scene(node: slicer.vtkMRMLNode | None) -> bool:
    """A parameter node may go on naming a node that has been removed."""
    return node is not None and node.GetScene() is not None


def choose_what_is_there(choices: Choices) -> None:
    """Save clicks: the first volume that can be worked on, and the segmentation if there is just one."""
    if choices.volume is None:
        choices.volume = next(filter(_usable, slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")), None)
    segmentations = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    shown = [node for node in segmentations if not node.GetHideFromEditors()]
    if choices.segmentation is None and choices.volume is not None and len(shown) == 1:
        choices.segmentation = shown[0]


def _usable(volume_node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    try:
        check_source_volume(volume_node)
    except InputError:
        return False
    return not volume_node.IsA("vtkMRMLLabelMapVolumeNode") and not volume_node.GetHideFromEditors()
