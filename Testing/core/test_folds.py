"""What a network has been shown of a slice does not judge it: folds, copies, neighbours."""

import numpy as np
import pytest
import torch

from MusclePropLib.core.annotations import MuscleAnnotation
from MusclePropLib.core.guided.copies import lesson_from_copies
from MusclePropLib.core.guided.inputs import guided_config
from MusclePropLib.core.guided.muscle import MuscleWork
from MusclePropLib.core.guided.others import others_distance
from MusclePropLib.core.guided.tuning import Tuning
from MusclePropLib.core.network import Network
from MusclePropLib.core.priors.frame import FAR
from MusclePropLib.core.priors.stack import build_stack
from Testing.core.tubes import hidden_tasks, tube

SPACING, SLICES = (0.5, 0.5), 13


def work_on(drawn, name="GM", index=0, **shape):
    image, mask = tube(slices=SLICES, **shape)
    places = np.arange(SLICES)
    masks = {t: mask[t] for t in drawn}
    stack = build_stack(image, places.astype(float), SPACING, masks, frozenset(), places)
    tasks = list(hidden_tasks(image, places.astype(float), SPACING, masks, frozenset(), places))
    work = MuscleWork(index, MuscleAnnotation(name, masks), stack, places.astype(float), tasks)
    work.score_drafts()
    return work


@pytest.fixture(scope="module")
def fresh():
    return lambda: Tuning.of(Network(guided_config()), torch.device("cpu"))


def learn(tuning, works, copies=()):
    """One round; returns the hidden slices, by muscle, that each network was shown."""
    tuning._share_out(works)
    lessons = tuning._lessons(works, copies)
    hidden = {(w.annotation.name, t.slice_index): t.clip(w.draft).target.tobytes() for w in works for t in w.tasks}
    return [{key for key, target in hidden.items() if target in {c.target.tobytes() for c in own}} for own in lessons]


def judged(tuning, works):
    """The hidden slices that each network answers for."""
    all_of_them = {(w.annotation.name, t.slice_index) for w in works for t in w.tasks}
    return [{key for key in all_of_them if 1 - tuning.folds[key] == network} for network in (0, 1)]


def test_neighbouring_slices_are_judged_by_different_networks(fresh):
    tuning = fresh()
    shown = learn(tuning, [work_on((0, 4, 8, 12))])
    assert shown == [{("GM", 0), ("GM", 8)}, {("GM", 4), ("GM", 12)}]
    assert judged(tuning, [work_on((0, 4, 8, 12))]) == shown[::-1]


def test_slices_stay_with_their_network_when_others_are_added_or_a_muscle_goes(fresh):
    tuning = fresh()
    first, second = work_on((0, 4, 8, 12), "GL"), work_on((0, 6, 12), "GM", 1)
    shown = learn(tuning, [first, second])
    for later in ([work_on((0, 2, 4, 8, 12), "GL"), second], [work_on((0, 6, 12), "GM", 0)]):
        now = learn(tuning, later)
        for network in (0, 1):
            assert not judged(tuning, later)[network] & (shown[network] | now[network])
    assert tuning.folds["GL", 2] != tuning.folds["GL", 0]


def test_copies_of_a_slice_are_kept_from_the_network_that_is_judged_by_it(fresh):
    work = work_on((2, 10))
    image, _ = tube(slices=SLICES)
    rng = np.random.default_rng(0)
    copies = [("GM", t, lesson_from_copies(image[t], mask, SPACING, rng)) for t, mask in work.annotation.drawn.items()]
    copies.append(("SOL", 5, lesson_from_copies(image[5], work.annotation.drawn[2], SPACING, rng)))
    tuning = fresh()
    tuning._share_out([work])
    lessons = tuning._lessons([work], copies)
    assert [len(own) for own in lessons] == [3, 3], "the hidden slice, its copy, and that of a muscle drawn but once"
    for fold, (_, _, clip) in zip((0, 1), copies[:2], strict=True):
        assert any(np.array_equal(own.target, clip.target) for own in lessons[fold])
        assert not any(np.array_equal(own.target, clip.target) for own in lessons[1 - fold])


def test_a_neighbour_drawn_on_the_hidden_slice_alone_says_nothing_there():
    work = work_on((0, 6, 12))
    task = next(t for t in work.tasks if t.slice_index == 6)
    alone, elsewhere = (work_on((t,), "GL", 1, centre=(28.0, 52.0)) for t in (6, 5))
    assert (others_distance(work, [work, alone], task) == FAR).all()
    assert (others_distance(work, [work, elsewhere], task)[task.place] > 0).any()
    assert (others_distance(work, [work, alone]) > 0).any(), "where nothing is hidden it counts"


def test_the_network_that_was_not_shown_a_slice_answers_for_it(monkeypatch):
    tuning = Tuning.of(Network(guided_config()), torch.device("cpu"))
    work = work_on((0, 4, 8, 12))
    shown = learn(tuning, [work])
    monkeypatch.setattr("MusclePropLib.core.guided.tuning.correct_stack", lambda network, *_, **__: network)
    for task in work.tasks:
        answering = [n is tuning._hidden(task, work) for n in tuning.networks].index(True)
        assert ("GM", task.slice_index) not in shown[answering]
