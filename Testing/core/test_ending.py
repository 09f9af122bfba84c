"""Beyond the drawn slices a muscle ends where the network no longer believes its own mask."""

import numpy as np
import pytest

from MusclePropLib.core.annotations import MuscleAnnotation
from MusclePropLib.core.guided.choice import own_error
from MusclePropLib.core.guided.ending import ended_beyond, error_at_end
from MusclePropLib.core.guided.inputs import LOGIT_LIMIT
from MusclePropLib.core.guided.muscle import FREE_NETWORK, NETWORK, MuscleWork
from MusclePropLib.core.priors.area import enclosed
from MusclePropLib.core.priors.stack import CARRIED, build_stack
from Testing.core.tubes import hidden_tasks, tube

SURE, UNSURE = 1.0, 0.02
NOTHING = -1 / 3
"""With this belief nothing is left of a mask, as a quarter of the draft is added."""
DRAWN = (6, 8, 10)


def work_on(drawn, thin=()):
    """A tube of 17 slices, some of them drawn, on `thin` ones no more than its tip."""
    image, mask = tube(slices=17)
    masks = {t: mask[t] & (np.arange(mask.shape[1]) < 26)[:, None] if t in thin else mask[t] for t in drawn}
    stack = build_stack(image, np.arange(17.0), (0.5, 0.5), masks, frozenset(), np.arange(17))
    return MuscleWork(0, MuscleAnnotation("x", masks), stack, np.arange(17.0))


def found_by(work, belief):
    """Logits on the carried mask, as sure of it as `belief` (n,) says: at UNSURE, every chance is close to a half."""
    return np.clip(work.candidates[CARRIED], -LOGIT_LIMIT, LOGIT_LIMIT) * np.asarray(belief)[:, None, None]


@pytest.mark.parametrize(("drawn", "kept"), [(DRAWN, range(4, 13)), ((8,), [8])])
def test_a_muscle_ends_once_on_either_side_and_nothing_comes_behind(drawn, kept):
    work = work_on(drawn)
    belief = np.full(17, SURE)
    belief[[3, 7, 9, 13]] = UNSURE  # 7 and 9 lie between drawn slices, or on either side of the only one
    gone = ended_beyond(found_by(work, belief), work.stack.known)
    assert set(np.flatnonzero(~gone)) == set(kept)


def test_where_the_network_is_unsure_of_all_its_masks_a_muscle_does_not_end_for_that():
    work = work_on(DRAWN)
    few, all_of_them = np.where(np.arange(17) < 3, 0.2, SURE), np.full(17, 0.2)
    assert set(np.flatnonzero(ended_beyond(found_by(work, few), work.stack.known))) == {0, 1, 2}
    assert not ended_beyond(found_by(work, all_of_them), work.stack.known).any()


def test_candidates_end_there_even_where_the_curve_expects_more():
    work = work_on(DRAWN)
    belief = np.full(17, SURE)
    belief[[3, 14]] = -0.3  # a quarter of the draft is added
    work.add_network(found_by(work, belief), [])
    beyond = [0, 1, 2, 3, 14, 15, 16]
    assert (work.stack.areas[beyond] > 100).all()
    for name in (NETWORK, FREE_NETWORK):
        assert not enclosed(work.candidates[name])[beyond].any()
        assert enclosed(work.candidates[name])[4:14].all()
        work.chosen = name
        assert not work.expected_areas[beyond].any(), "beside other muscles it is given nothing back"


def corrected_with_hidden(lost, belief_there, thin=()):
    """The work after a network that ends the muscle at 3 and has another belief in the hidden slice `lost`."""
    work = work_on(DRAWN, thin)
    image, _ = tube(slices=17)
    work.tasks = list(hidden_tasks(image, work.positions, (0.5, 0.5), work.annotation.drawn, set(), np.arange(17)))
    work.score_drafts()
    belief = np.full(17, SURE)
    belief[3] = -0.3
    hidden = [(belief_there if t.slice_index == lost else SURE) * t.fields[work.draft] for t in work.tasks]
    work.add_network(found_by(work, belief), hidden)
    return work


@pytest.mark.parametrize(
    ("lost", "thin", "ends"), [(10, (), False), (10, (10,), True), (8, (), True), (None, (), True)]
)
def test_a_network_that_lost_a_drawn_outer_slice_does_not_tell_where_the_muscle_ends(lost, thin, ends):
    work = corrected_with_hidden(lost, NOTHING, thin)
    assert work.gone[:4].all() == ends and work.gone.any() == ends


def test_one_that_only_doubts_a_drawn_outer_slice_still_tells_where_it_sees_nothing_at_all():
    doubt = -0.23  # a quarter of the draft is added: it sees little of the muscle there, but something
    work = corrected_with_hidden(10, doubt)
    seen = own_error(next(t.fields[FREE_NETWORK] for t in work.tasks if t.slice_index == 10)[None])
    plain = error_at_end(work.candidates[FREE_NETWORK], work.stack.known)
    assert plain < seen < 1, "by itself, that slice would count as an end"
    assert work.gone[:4].all() and not work.gone[4:].any()


def test_a_network_that_is_sure_of_a_muscle_follows_it_to_the_last_slice():
    work = work_on((8,))
    work.add_network(found_by(work, np.full(17, SURE)), [])
    assert enclosed(work.candidates[FREE_NETWORK]).all()


def test_a_muscle_that_has_ended_is_over_for_what_is_only_carried_on_as_well():
    work = work_on(DRAWN)
    belief = np.full(17, SURE)
    belief[[3, 14]] = -0.3
    before = work.areas(CARRIED)
    work.add_network(found_by(work, belief), [])
    beyond = [0, 1, 2, 3, 14, 15, 16]
    assert before[beyond].all() and not work.areas(CARRIED)[beyond].any()
    assert not work.present(CARRIED)[beyond].any() and work.present(CARRIED)[4:14].all()
    work.chosen = CARRIED
    assert not work.placed().valid[beyond].any()
    work.add_network(found_by(work, np.full(17, SURE)), [])
    assert np.array_equal(work.areas(CARRIED), before), "a better look may find more again"


@pytest.mark.parametrize(("beyond", "ends"), [(SURE, True), (-SURE, False)])
def test_a_network_that_leaves_the_room_of_the_only_drawn_slice_does_not_tell_where_it_ends(beyond, ends):
    work = work_on((8,))
    found = found_by(work, np.where(np.isin(np.arange(17), (3, 13)), -0.3, SURE))
    found[14:] *= beyond  # all around the muscle instead of the muscle itself: behind its end, something larger
    work.add_network(found, [])
    assert work.gone.any() == ends
    work.choose()
    assert work.chosen == (FREE_NETWORK if ends else CARRIED)
