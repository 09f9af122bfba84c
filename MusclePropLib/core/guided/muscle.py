"""One muscle's propagation in progress: its candidates, how far each is trusted, and which one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from MusclePropLib.core.annotations import MuscleAnnotation
from MusclePropLib.core.assemble import Placed
from MusclePropLib.core.guided.choice import (
    Trust,
    best,
    expected_dice,
    exponent_of,
    joined_error,
    overlap,
    own_error,
    strain,
    trust,
)
from MusclePropLib.core.guided.ending import ended_beyond
from MusclePropLib.core.guided.hidden import HiddenTask, reach
from MusclePropLib.core.guided.inputs import LOGIT_LIMIT, draft_logits
from MusclePropLib.core.guided.sizes import joined_areas, network_share, shares
from MusclePropLib.core.priors.area import enclosed, with_areas
from MusclePropLib.core.priors.distance import bracket
from MusclePropLib.core.priors.stack import BOTH, CARRIED, FAINT, INTERPOLATED, WALKED, MuscleStack

NETWORK, FREE_NETWORK = "network", "network, free in size"
CORRECTION_SHARE = 0.75
"""Of the network's logits in its candidates; the rest is the draft's, a guess that errs differently."""

CREDIT = 0.95
"""Of a network's error, as long as it keeps its own size, when candidates are compared (measured on organs in CT)."""

SEEING, BEYOND_CREDIT = (WALKED, NETWORK, FREE_NETWORK), 0.8
"""Candidates that find the muscle in the image, and what is taken of their error beyond the drawn slices when they are
compared with those that only carry it on: the slices hidden there are few (organs in CT, ultrasound and calves)."""

LEAST_TRUST = 0.3
"""Beyond the known slices a muscle ends where its expected Dice falls below this."""

HOPELESS = 0.8
"""Error on the hidden slices from which on a candidate's score says nothing about it."""

LOST = 0.6
"""Mean error of the best draft on the only two drawn slices, each hidden in turn, from which on drafts say little."""

POOR = 0.25
"""Error of the best draft on slices hidden between others from which on a random walk is worth its time."""

TELLING = 0.85
"""Share of pixels near a hidden border that grey levels must tell apart before a random walk is worth its time."""

PLAIN = 0.95
"""The same share on the slices that the grey levels were learnt from, from which on they can be relied upon."""

BETTER = 0.7
"""Of the best draft's error on a hidden slice, what a random walk's may be there to be worth its time on the others:
much less, for on large calves the walks take half as long as the network, and are hardly ever chosen."""

LONGEST_TRIAL = 100
"""Places of a hidden slice's stack; on more of them the trial itself takes too long."""


LARGEST_FACTOR = 1.5
"""How far a candidate's room may be from the expected one: a walk or a network may lose a muscle altogether."""


@dataclass
class MuscleWork:
    """State of one muscle; `candidates` maps names to logits (n, rows, columns) on the places of `stack`.

    `trusts` rank the candidates; `sized_trusts`, from hidden slices whose area is better known, say how good they are.
    `network_areas` (n,) is the size that the network is given; on places `gone` (n,) the muscle has ended by what the
    network believes, whichever candidate is chosen.
    """

    index: int
    annotation: MuscleAnnotation
    stack: MuscleStack
    positions: np.ndarray
    tasks: list[HiddenTask] = field(default_factory=list)
    candidates: dict[str, np.ndarray] = field(default_factory=dict)
    trusts: dict[str, Trust] = field(default_factory=dict)
    sized_trusts: dict[str, Trust] = field(default_factory=dict)
    chosen: str = CARRIED
    network_areas: np.ndarray = field(default_factory=lambda: np.empty(0))
    _draft: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.candidates = {name: draft_logits(draft) for name, draft in self.stack.drafts.items()}
        known = sorted(int(self.stack.slices[p]) for p in self.stack.known)
        slices = [int(t) for t in self.stack.slices]
        self.reach = np.array([reach(self.positions, known, t) for t in slices])
        self.beyond = np.array([t < known[0] or t > known[-1] for t in slices])
        ends = [bracket(known, t) for t in slices]
        self.gone = np.zeros(len(slices), bool)
        self.tapering = np.array([len({*pair} & self.annotation.absent) == 1 and None not in pair for pair in ends])

    @property
    def draft(self) -> str:
        """What the network corrects: the most trusted of the drafts that follow the image, or the faint one.

        Shapes interpolated without a look at it are corrected worse than their mean with the carried ones, even where
        they are closer themselves.
        """
        if FAINT in self.stack.drafts:
            return FAINT
        if not self._draft:  # every other muscle asks for it
            drafts = [n for n in self.stack.drafts if n != INTERPOLATED and n in self.trusts and self.fills(n)]
            self._draft = self._best_of(drafts) if drafts else CARRIED
        return self._draft

    def score_drafts(self) -> None:
        """Score every draft on the hidden slices; with none, everything stays untold."""
        for task in self.tasks:
            task.fields = {name: draft_logits(value) for name, value in task.fields.items()}
        for name in self.stack.drafts:
            self.score(name)

    def add_walk(self) -> None:
        """Let a random walk compete where grey levels tell inside from outside, or the drafts find slices badly."""
        if not (self.plain() or self._drafts_are_poor() or self._told() or self._walks_better()):
            return
        self.stack.add_walk()
        for task in self.tasks:
            task.stack.add_walk()
        for name in (WALKED, BOTH):
            self.candidates[name] = draft_logits(self.stack.drafts[name])
            for task in self.tasks:
                task.fields[name] = draft_logits(task.stack.drafts[name][task.place])
            self.score(name)

    def add_faint(self) -> None:
        """Let the network start from next to nothing where each of the only two drawn slices is lost without the other.

        It overrules a draft that is sure of itself too seldom, as between a muscle's tips.
        """
        if not self._two_drawn or not self.tasks or not all(task.beyond for task in self.tasks):
            return
        errors = [[overlap(task, field_).error(0.0) for field_ in task.fields.values()] for task in self.tasks]
        if np.mean(errors, axis=0).min() > LOST:
            self.stack.add_faint()
            for task in self.tasks:
                task.stack.add_faint()
                task.fields[FAINT] = draft_logits(task.stack.drafts[FAINT][task.place])

    def _told(self) -> bool:
        """Whether grey levels tell inside from outside on the hidden slices."""
        shares = [share for t in self.tasks if (share := t.stack.told_apart(t.place, t.truth)) is not None]
        return bool(shares) and float(np.mean(shares)) >= TELLING

    def _drafts_are_poor(self) -> bool:
        """Whether no draft finds the slices well that were hidden between others; a single one says too little."""
        between = sum(not (task.beyond or task.tapering) for task in self.tasks)
        return between > 1 and min(trust.hidden_error for trust in self.trusts.values()) > POOR

    def _walks_better(self) -> bool:
        """Whether a walk finds one hidden slice better than the drafts do, or these do not find it at all.

        It is the one that lies nearest to others on both sides.
        """
        if not self.tasks:
            return False
        task = min(self.tasks, key=lambda t: (t.beyond or t.tapering, t.reach))
        least = min(overlap(task, field_).error(0.0) for field_ in task.fields.values())
        if least > HOPELESS:
            return True
        if len(task.stack.slices) > LONGEST_TRIAL:
            return False
        task.stack.add_walk()
        return overlap(task, task.stack.drafts[WALKED][task.place]).error(0.0) < BETTER * least

    def fills(self, name: str) -> bool:
        """Whether a candidate takes about the room that the drawn areas lead to expect, in the crop, as these do.

        With nothing to expect, one drawn area on each slice at most, and a walk not much less than the flow in all. Two
        drawn slices do not tell of a belly, and a network that sees one may take more room.
        """
        found, inside = self._crop_areas(name), np.isfinite(self.stack.areas) & self.stack.possible & ~self.gone
        if not inside.any():
            lost = name == WALKED and found.sum() * LARGEST_FACTOR < self._crop_areas(CARRIED).sum()
            return not lost and bool(found.max() < LARGEST_FACTOR * found[list(self.stack.known)].max())
        expected = self.stack.areas[inside].sum()
        most = np.inf if name == FREE_NETWORK and self._two_drawn else expected * LARGEST_FACTOR
        return not expected or bool(expected / LARGEST_FACTOR < found[inside].sum() < most)

    def plain(self) -> bool:
        """Whether grey levels alone tell the muscle's inside from its outside on the drawn slices themselves."""
        return self.stack.plainness > PLAIN

    def add_network(
        self,
        logits: np.ndarray,
        hidden: Sequence[np.ndarray],
        farther: Callable[[np.ndarray], np.ndarray] = lambda found: found,
    ) -> None:
        """The network's logits on the stack, and those on the hidden slice of each task.

        The candidates are a mean of correction and draft, as it is and with areas between its own and the expected
        ones: the grey levels may know better, or not. `farther` may better them beyond the known slices, where both
        end with what the network believes of its own mask, unless it leaves the room of the only drawn slice.
        """
        draft = self.draft
        free = self.candidates[FREE_NETWORK] = farther(with_draft(logits, self.stack.drafts[draft]))
        for task, field_ in zip(self.tasks, hidden, strict=True):
            task.fields[FREE_NETWORK] = _mean(field_, task.fields[draft])
        hidden, known = [task.fields[FREE_NETWORK] for task in self.tasks], self.stack.known
        self.gone = np.zeros(len(free), bool)
        if self.fills(FREE_NETWORK) or self.tasks:
            self.gone = ended_beyond(free, known, self.tasks, hidden)
        free[self.gone] = -LOGIT_LIMIT
        between = network_share(self.tasks, hidden)
        share = shares(between, self.beyond, self.tapering)
        self.network_areas = np.where(self.gone, 0.0, joined_areas(self.stack.areas, enclosed(free), share))
        self.candidates[NETWORK] = with_areas(free, self.network_areas, known)
        for task in self.tasks:
            free, share = task.fields[FREE_NETWORK][None], shares(between, task.beyond, task.tapering)
            areas = joined_areas(task.stack.areas[[task.place]], enclosed(free), share)
            task.fields[NETWORK] = with_areas(free, areas)[0]
        own = own_error(logits[self._unknown])
        for name in (NETWORK, FREE_NETWORK):
            self.score(name)
            self._heed(name, own)

    def score(self, name: str) -> None:
        """Fit the candidate's trust to the hidden slices, if there are any.

        The areas of all drawn slices together tell those in between well, those of all but one badly: of three, the
        two at the ends tell nothing of the belly. Candidates that start from the expected areas would look far worse
        than they are, so what is said of them comes from hidden slices with a better area. For the choice that would
        favour them over those that find the size in the image.
        """
        self._draft = ""
        if not self.tasks:
            return
        fields = [task.fields[name] for task in self.tasks]
        self.trusts[name] = self.sized_trusts[name] = self._trust(name, fields)
        if name != WALKED:  # which owes nothing to the expected areas
            self.sized_trusts[name] = self._trust(name, [t.resized(f) for t, f in zip(self.tasks, fields, strict=True)])

    def _trust(self, name: str, fields: Sequence[np.ndarray]) -> Trust:
        overlaps = [overlap(task, field_) for task, field_ in zip(self.tasks, fields, strict=True)]
        return trust(self.tasks, overlaps, exponent_of(name))

    def _heed(self, name: str, own: float) -> None:
        """Let what the network expects of itself have a say in its trust, if there is any."""
        for trusts in (self.trusts, self.sized_trusts):
            error = 1 - self._expected(name, trusts)
            if name in trusts and error > 0:
                factor = joined_error(error, own, not self._tapers) / error
                trusts[name] = trusts[name].times(factor, factor)

    def choose(self, insist_on_network: bool = False) -> None:
        """Choose the candidate with the best estimate; where the hidden slices tell nothing, the network or the flow.

        They tell nothing when there are none, or when they lie so far apart that nothing reaches from one to another,
        the curve through their areas the least; nor when each was hidden beyond the others or towards where the muscle
        is absent, though the curve then knows where it ends.
        A muscle that grey levels alone tell from its surroundings is then left to the random walk, unless this loses it
        or leaves its room. What the network makes of the faint draft is chosen unless it is far too small.
        """
        telling = any(trust.hidden_error < HOPELESS for trust in self.trusts.values()) and not self._tapers
        if insist_on_network and NETWORK in self.candidates:
            self.chosen = NETWORK
        elif FAINT in self.stack.drafts and FREE_NETWORK in self.candidates and self.fills(FREE_NETWORK):
            self.chosen = FREE_NETWORK
        elif telling:
            fitting = [name for name in self.trusts if self.fills(name)] or [CARRIED]
            self.chosen = self._best_of(fitting)
        elif WALKED in self.candidates and self.plain() and self.fills(WALKED):
            self.chosen = WALKED
        else:
            network = NETWORK if self._tapers else FREE_NETWORK
            self.chosen = network if network in self.candidates and self.fills(network) else CARRIED

    def errors(self, name: str) -> np.ndarray:
        """Expected 1 - Dice (n,) of a candidate on each place: zero where known."""
        return self._errors(self._promises[name])

    def _errors(self, trust_: Trust) -> np.ndarray:
        return trust_.error(self.reach, self.beyond) * (self.reach > 0)

    def estimate(self, name: str) -> float:
        """Expected pooled Dice of a candidate over the slices that are not known; nan if nothing can tell.

        What it does not dare to show is missed, which counts half as much in a pooled Dice as what is shown.
        """
        return self._expected(name, self._promises)

    @property
    def _promises(self) -> dict[str, Trust]:
        """`sized_trusts`, with larger errors between the only two drawn slices where these lie far apart.

        What the network makes of a faint draft fares better there, by a root (measured on organs in CT and MR).
        """
        if not self._two_drawn or len(self.tasks) != 2:
            return self.sized_trusts
        one, two = self.tasks
        gap = abs(self.positions[one.slice_index] - self.positions[two.slice_index])
        within = strain(float(gap), [one.drawn_area, two.drawn_area], self._tapers)
        seen = np.sqrt(within) if FAINT in self.stack.drafts else within
        strains = {name: float(seen) if name in (NETWORK, FREE_NETWORK) else within for name in self.sized_trusts}
        return {name: trust_.times(strains[name], 1.0) for name, trust_ in self.sized_trusts.items()}

    def _best_of(self, names: Sequence[str]) -> str:
        credits = {name: BEYOND_CREDIT if name in SEEING else 1.0 for name in names}
        trusts = {name: self.trusts[name].times(1.0, beyond) for name, beyond in credits.items()}
        errors = {name: 1 - self._expected(name, trusts) for name in names}
        if FREE_NETWORK in errors:
            errors[FREE_NETWORK] *= CREDIT
        return best(errors)

    def _expected(self, name: str, trusts: Mapping[str, Trust]) -> float:
        if name not in trusts:
            return float("nan")
        unknown = self._unknown
        shown = self.present(name)
        errors = np.where(shown, self._errors(trusts[name]), 1.0)
        areas = (self.areas(name) + 1.0) * np.where(shown, 1.0, 0.5)
        return expected_dice(errors[unknown], areas[unknown]) if unknown.any() else 1.0

    @property
    def _two_drawn(self) -> bool:
        return len(self.annotation.drawn) == 2

    @property
    def _tapers(self) -> bool:
        """Whether slices were hidden towards where the muscle is absent, and none between two drawn ones."""
        return any(t.tapering for t in self.tasks) and all(t.tapering or t.beyond for t in self.tasks)

    @property
    def _unknown(self) -> np.ndarray:
        return (self.reach > 0) & self.stack.possible

    def areas(self, name: str) -> np.ndarray:
        """Crop pixels (n,) that a candidate gives the muscle on the slice itself, none where it has ended."""
        return ((self.candidates[name] > 0) & self.stack.inside).sum(axis=(1, 2)) * ~self.gone

    def _crop_areas(self, name: str) -> np.ndarray:
        """The same (n,) in the whole crop, where a muscle that the slice's edge cuts off goes on beyond it."""
        return enclosed(self.candidates[name]) * ~self.gone

    def present(self, name: str) -> np.ndarray:
        """Places (n,) where the muscle is shown: not beyond its end, nor where nothing can be trusted any more."""
        shown = ~self.gone
        if name in self.trusts:
            shown &= ~self.beyond | (self._errors(self.trusts[name]) <= 1 - LEAST_TRUST)
        return shown

    @property
    def expected_areas(self) -> np.ndarray:
        """Crop pixels (n,) that the muscle should have on each place where it shares the room with others.

        Beyond the known slices the network's own ones: step by step it keeps to the muscle, and a curve does not.
        """
        if self.chosen not in (NETWORK, FREE_NETWORK):
            return self.stack.areas
        return np.where(self.beyond, enclosed(self.candidates[self.chosen]), self.network_areas)

    def placed(self) -> Placed:
        """The chosen candidate, ready for the label map."""
        return Placed(self.stack.frame, self.candidates[self.chosen], self.stack.possible & self.present(self.chosen))


def with_draft(logits: np.ndarray, draft: np.ndarray) -> np.ndarray:
    """What a candidate takes of a network's logits and of the draft that it corrected, signed distances in pixels."""
    return _mean(logits, draft_logits(draft))


def _mean(logits: np.ndarray, draft: np.ndarray) -> np.ndarray:
    return CORRECTION_SHARE * logits + (1 - CORRECTION_SHARE) * draft
