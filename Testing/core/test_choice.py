"""Which candidate is trusted, and how far."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from MusclePropLib.core.annotations import MuscleAnnotation
from MusclePropLib.core.guided.choice import Overlap, Trust, own_error, trust
from MusclePropLib.core.guided.muscle import FREE_NETWORK, NETWORK, TELLING, MuscleWork
from MusclePropLib.core.priors.distance import signed_distance
from MusclePropLib.core.priors.frame import SIZE
from MusclePropLib.core.priors.stack import CARRIED, FAINT, INTERPOLATED, MEAN, WALKED, build_stack
from Testing.core.tubes import hidden_tasks, tube


def hidden(reach, beyond=False, tapering=False):
    return SimpleNamespace(reach=reach, beyond=beyond, tapering=tapering)


def test_trust_grows_with_the_gap_and_follows_the_score():
    tasks = [hidden(4.0), hidden(4.0)]
    good = trust(tasks, [Overlap(95, 100, 100)] * 2, 0.75)
    bad = trust(tasks, [Overlap(60, 100, 100)] * 2, 0.75)
    assert good.error(np.array([4.0]), np.array([False]))[0] == pytest.approx(0.05)
    near, far = good.error(np.array([1.0, 8.0]), np.array([False, False]))
    assert near < 0.05 < far
    assert bad.error(np.array([4.0]), np.array([False]))[0] == pytest.approx(0.4)


@pytest.mark.parametrize("end", [{"beyond": True}, {"tapering": True}])
def test_a_slice_hidden_at_an_end_says_little_of_those_between_drawn_ones(end):
    found = [Overlap(95, 100, 100), Overlap(95, 100, 100), Overlap(0, 100, 100)]
    between = trust([hidden(4.0)] * 2, found[:2], 0.75).scale
    assert trust([hidden(4.0)] * 2 + [hidden(4.0, **end)], found, 0.75).scale < 3 * between
    assert trust([hidden(4.0)] * 3, found, 0.75).scale > 7 * between
    assert trust([hidden(4.0, **end)], found[2:], 0.75).hidden_error == pytest.approx(1), "where there is no other"


def test_of_three_drawn_slices_the_two_at_the_ends_say_something_too():
    found = [Overlap(90, 100, 100), Overlap(30, 100, 100), Overlap(30, 100, 100)]
    lone = trust([hidden(4.0), hidden(4.0, beyond=True), hidden(4.0, beyond=True)], found, 0.75)
    several = trust([hidden(4.0)] * 2 + [hidden(4.0, beyond=True)] * 2, [found[0], *found], 0.75)
    assert lone.scale > 2.5 * several.scale
    assert lone.hidden_error < 0.2, "whether anything reaches an inner slice is for that one to say"


def test_where_nothing_tells_them_apart_the_network_is_preferred(stack):
    work = MuscleWork(0, MuscleAnnotation("x"), stack, np.arange(9.0))
    work.add_network(work.candidates[CARRIED], [])
    work.trusts = dict.fromkeys([CARRIED, FREE_NETWORK], Trust(0.05, 0.05, 0.75, 0.1))
    work.choose()
    assert work.chosen == FREE_NETWORK
    work.trusts[CARRIED] = Trust(0.04, 0.04, 0.75, 0.1)
    work.choose()
    assert work.chosen == CARRIED


def test_a_network_s_own_error_is_what_its_chances_come_to():
    rng = np.random.default_rng(0)
    logits = rng.normal(-0.5, 4, (4, 90, 90)).astype(np.float32)
    truths = rng.random((200, *logits.shape)) < 1 / (1 + np.exp(-logits))
    found = logits > 0
    dice = 2 * (truths & found).sum() / (truths.sum() + len(truths) * found.sum())
    assert own_error(logits) == pytest.approx(1 - dice, abs=0.02)
    assert own_error(np.full((2, 9, 9), -100.0)) == 1, "nothing was found"


def test_a_network_that_is_sure_of_itself_is_trusted_more_than_hidden_slices_say():
    image, mask = tube(slices=9)
    around = image, np.arange(9.0), (0.5, 0.5), {t: mask[t] for t in (0, 4, 8)}, frozenset(), np.arange(9)

    def told(sureness):
        work = MuscleWork(0, MuscleAnnotation("x"), build_stack(*around), np.arange(9.0), hidden_tasks(*around))
        work.score_drafts()
        work.add_network(
            work.candidates[CARRIED] * sureness, [np.roll(t.fields[CARRIED], SIZE // 12, axis=0) for t in work.tasks]
        )
        return work.estimate(FREE_NETWORK), work.trusts[FREE_NETWORK].hidden_error

    (sure, error), (doubtful, same_error) = told(20), told(0.05)
    assert sure > doubtful + 0.02 and error == same_error


def test_where_every_hidden_slice_lies_towards_the_muscle_s_end_the_network_is_chosen_and_believed():
    image, mask = tube(slices=17)
    around = image, np.arange(17.0), (0.5, 0.5), {4: mask[4], 12: mask[12]}, frozenset({0, 16}), np.arange(17)

    def error(sureness):
        stack = build_stack(*around)
        work = MuscleWork(0, MuscleAnnotation("GL"), stack, np.arange(17.0), hidden_tasks(*around))
        assert all(task.tapering for task in work.tasks)
        work.score_drafts()
        logits = work.candidates[CARRIED] * sureness
        work.add_network(logits, [np.roll(t.fields[CARRIED], 6, axis=0) for t in work.tasks])
        work.choose()
        assert work.chosen == NETWORK, "although the flow did better on the hidden slices"
        return 1 - work.estimate(NETWORK)

    assert error(0.05) > 5 * error(20), "which counts more than the hidden slices, the same for both"


def test_from_one_slice_a_walk_that_loses_the_muscle_a_little_way_off_is_not_chosen():
    image, mask = tube()
    drawn = {6: mask[6]}
    whole = build_stack(image, np.arange(13.0), (0.5, 0.5), drawn, frozenset(), np.arange(13))
    work = MuscleWork(0, MuscleAnnotation("SOL", drawn), whole, np.arange(13.0))
    work.score_drafts()
    work.add_walk()
    work.choose()
    assert work.chosen == WALKED, "grey levels alone tell the muscle"
    work.candidates[WALKED][[*range(5), *range(8, 13)]] = -60.0
    work.choose()
    assert work.chosen == CARRIED


@pytest.mark.parametrize("wall", [100.0, 0.0])
def test_a_walk_competes_where_it_finds_a_hidden_slice_though_grey_levels_do_not_tell(wall):
    """A vessel, say: its inside is as grey as what surrounds it, but for a bright wall; it runs obliquely."""
    mask = tube(slices=17, drift=(2.5, 2.5))[1]
    around_it = ndimage.binary_dilation(mask, np.ones((1, 3, 3)), iterations=2) & ~mask
    image = (60 + wall * around_it + np.random.default_rng(0).normal(0, 8, mask.shape)).astype(np.float32)
    around = image, np.arange(17.0), (0.5, 0.5), {t: mask[t] for t in (0, 5, 11, 16)}, frozenset(), np.arange(17)
    work = MuscleWork(0, MuscleAnnotation("GM"), build_stack(*around), np.arange(17.0), hidden_tasks(*around))
    assert np.mean([task.stack.told_apart(task.place, task.truth) for task in work.tasks]) < TELLING
    work.score_drafts()
    work.add_walk()
    assert (WALKED in work.candidates) == (wall > 0)


@pytest.mark.parametrize("swing", [1.0, 8.0])
def test_a_walk_competes_where_no_draft_finds_the_hidden_slices_well(swing):
    """To and fro from one drawn slice to the next, with nothing in the image that tells it."""
    t = np.arange(17)
    y, x = np.mgrid[:60, :70]
    middle = 35 + swing * np.sin(np.pi * t / 8)
    mask = np.hypot(y - 30, x - middle[:, None, None]) < 11
    image = np.random.default_rng(0).normal(60, 8, mask.shape).astype(np.float32)
    around = image, np.arange(17.0), (0.5, 0.5), {i: mask[i] for i in (0, 4, 12, 16)}, frozenset(), t
    work = MuscleWork(0, MuscleAnnotation("GM"), build_stack(*around), np.arange(17.0), hidden_tasks(*around))
    work.score_drafts()
    work.add_walk()
    assert (WALKED in work.candidates) == (swing > 1)


def test_beyond_the_drawn_slices_what_sees_the_image_wins_a_tie():
    image, mask = tube(slices=17)
    around = image, np.arange(17.0), (0.5, 0.5), {t: mask[t] for t in (4, 8, 12)}, frozenset(), np.arange(17)
    work = MuscleWork(0, MuscleAnnotation("GM"), build_stack(*around), np.arange(17.0), hidden_tasks(*around))
    work.score_drafts()
    work.candidates[NETWORK] = work.candidates[CARRIED].copy()
    within, beyond = Trust(0.02, 0.02, 0.75, 0.1), Trust(0.02, 0.022, 0.75, 0.1)
    work.trusts = {CARRIED: within, NETWORK: beyond}
    work.choose()
    assert work.chosen == NETWORK
    work.trusts[NETWORK] = Trust(0.02, 0.03, 0.75, 0.1)
    work.choose()
    assert work.chosen == CARRIED, "unless the hidden slices are clear about it"


def test_a_candidate_that_loses_the_muscle_is_not_chosen():
    image, mask = tube()
    drawn = {t: mask[t] for t in (0, 6, 12)}
    whole = build_stack(image, np.arange(13.0), (0.5, 0.5), drawn, frozenset(), np.arange(13))
    work = MuscleWork(0, MuscleAnnotation("SOL", drawn), whole, np.arange(13.0))
    work.tasks = list(hidden_tasks(image, np.arange(13.0), (0.5, 0.5), drawn, frozenset(), np.arange(13)))
    work.score_drafts()
    work.add_network(np.full_like(whole.images, -60.0), [task.truth for task in work.tasks])
    work.trusts[NETWORK] = work.sized_trusts[NETWORK] = Trust(0.0, 0.0, 1.0, 0.0)
    work.choose()
    assert work.estimate(NETWORK) >= work.estimate(work.chosen) and work.chosen != NETWORK


def test_an_estimate_from_three_slices_counts_the_belly_that_only_the_hidden_one_shows():
    """Of a spindle's three slices the ends tell nothing of the middle one's area; all three together do."""
    t = np.arange(21)
    y, x = np.mgrid[:64, :64]
    mask = np.hypot(y - 32, x - 32) < (6 + 14 * np.sin(np.pi * t / 20))[:, None, None]
    image = np.random.default_rng(0).normal(mask, 3.0)
    drawn = {i: mask[i] for i in (0, 10, 20)}
    whole = build_stack(image, t.astype(float), (0.5, 0.5), drawn, frozenset(), t)
    work = MuscleWork(0, MuscleAnnotation("SOL", drawn), whole, t.astype(float))
    work.tasks = list(hidden_tasks(image, t.astype(float), (0.5, 0.5), drawn, frozenset(), t))
    work.score_drafts()
    hidden = next(task for task in work.tasks if not task.beyond)
    for name in whole.drafts:
        areas = [int((f > 0).sum()) for f in (hidden.fields[name], hidden.resized(hidden.fields[name]), hidden.truth)]
        assert areas[0] < areas[1] < areas[2]
        assert work.sized_trusts[name].error(np.ones(1), np.zeros(1, bool)) < work.trusts[name].error(
            np.ones(1), np.zeros(1, bool)
        )
    for task in work.tasks:
        if task.beyond:
            assert (task.resized(task.fields[CARRIED]) == task.fields[CARRIED]).all()


def test_two_slices_that_lie_many_diameters_apart_promise_less_of_what_is_between():
    """A hidden slice says how far carrying goes, not whether there is a belly between two tips."""
    image, mask = tube(rows=90, columns=110, drift=(1.0, 3.0))
    image += np.random.default_rng(0).normal(0, 60, image.shape).astype(np.float32)

    def estimate(step, drawn, absent=()):
        known = {t: mask[t] for t in drawn}, frozenset(absent), np.arange(13)
        around = image, step * np.arange(13), (0.5, 0.5), *known
        work = MuscleWork(0, MuscleAnnotation("SOL", *known[:2]), build_stack(*around), around[1])
        work.tasks = hidden_tasks(*around)
        work.score_drafts()
        return work.estimate(CARRIED), work.errors(CARRIED)[6]

    nearest, near, far, farther = (estimate(step, (0, 12)) for step in (1.0, 2.0, 4.0, 8.0))
    assert nearest == pytest.approx(near, abs=0.01), "up to two diameters it is what hidden slices say"
    assert [far[1] / near[1], farther[1] / far[1]] == pytest.approx([48 / (2 * 12.2), 2], rel=0.02)
    assert near[0] > far[0] + 0.05 > farther[0] + 0.2
    assert estimate(8.0, (0, 6, 12)) == pytest.approx(estimate(2.0, (0, 6, 12))), "a third slice tells it"
    ends = (0, 1, 12)
    near, far, farther = (estimate(step, (2, 11), ends)[1] for step in (2.0, 10.0, 20.0))
    assert near == pytest.approx(far, rel=0.05) and farther > 1.1 * far, "where it ends is told: up to eight"


@pytest.mark.parametrize("drawn", [(0, 20), (0, 3, 20)])
def test_between_two_tips_a_network_may_see_a_belly(drawn):
    t = np.arange(21)
    y, x = np.mgrid[:64, :64]
    mask = np.hypot(y - 32, x - 32) < (6 + 3 * np.sin(np.pi * t / 20))[:, None, None]
    known = {i: mask[i] for i in drawn}
    whole = build_stack(mask.astype(float), t.astype(float), (0.5, 0.5), known, frozenset(), t)
    work = MuscleWork(0, MuscleAnnotation("SOL", known), whole, t.astype(float))
    belly = np.stack([signed_distance(m, whole.frame, i) for i, m in enumerate(mask)]) + 12
    work.candidates |= {FREE_NETWORK: belly, CARRIED: belly, NETWORK: belly - 60}
    assert work.fills(FREE_NETWORK) == (len(drawn) == 2), "a third slice tells how large it is"
    assert not work.fills(CARRIED) and not work.fills(NETWORK)
    work.candidates[FREE_NETWORK] = belly - 60
    assert not work.fills(FREE_NETWORK), "one that loses it is none"


def test_the_network_corrects_a_draft_that_follows_the_image(stack):
    work = MuscleWork(0, MuscleAnnotation("x"), stack, np.arange(9.0))
    work.trusts = {CARRIED: Trust(0.06, 0.06, 0.75, 0.1), MEAN: Trust(0.05, 0.05, 0.75, 0.1)}
    work.trusts[INTERPOLATED] = Trust(0.04, 0.04, 0.75, 0.1)
    work.choose()
    assert work.chosen == INTERPOLATED and work.draft == MEAN


@pytest.mark.parametrize("far", [0.0, 30.0], ids=["beside each other", "apart"])
def test_from_two_slices_that_lose_each_other_the_network_starts_from_next_to_nothing(far):
    image, mask = tube(slices=9, rows=90, columns=110, centre=(45.0, 35.0), drift=(0.0, far / 8))
    image = np.random.default_rng(0).normal(60, 8, image.shape).astype(np.float32)
    around = image, 5 * np.arange(9.0), (0.5, 0.5), {t: mask[t] for t in (0, 8)}, frozenset(), np.arange(9)
    work = MuscleWork(0, MuscleAnnotation("GM", around[3]), build_stack(*around), around[1], hidden_tasks(*around))
    work.score_drafts()
    work.add_faint()
    assert (work.draft == FAINT) == (far > 0)
    if not far:
        return
    carried, faint = work.stack.drafts[CARRIED], work.stack.drafts[FAINT]
    assert all((faint[place] == distance).all() for place, distance in work.stack.known.items())
    assert ((faint > 0) == (carried > 0))[1:8].all() and np.abs(faint[1:8]).max() < np.abs(carried[1:8]).max() / 4
    work.choose()
    assert work.chosen in work.trusts, "it is nothing to be shown"
    belly = np.stack([signed_distance(m, work.stack.frame, i) for i, m in enumerate(mask)])
    work.add_network(2 * belly, [task.fields[FAINT] for task in work.tasks])
    work.choose()
    assert work.chosen == FREE_NETWORK, "whatever it found of the slices that nothing reached"
    near = 1  # farther off an error may be all that there is

    def strained(name):
        told = work.sized_trusts[name].error(work.reach, work.beyond)[near]
        return work.errors(name)[near] / told

    assert strained(CARRIED) > 1.2 and strained(FREE_NETWORK) == pytest.approx(strained(CARRIED) ** 0.5)


@pytest.mark.parametrize("across", [False, True], ids=["at one side", "from side to side"])
def test_a_muscle_that_the_edge_cuts_off_is_not_too_small_for_its_room(across):
    image, mask = tube(centre=(28.0, -1.0), drift=(0.6, 0.0), columns=14 if across else 70, radius=14.0)
    drawn = {t: mask[t] for t in (0, 6, 12)}
    whole = build_stack(image, np.arange(13.0), (0.5, 0.5), drawn, frozenset(), np.arange(13))
    work = MuscleWork(0, MuscleAnnotation("SOL", drawn), whole, np.arange(13.0))
    shown = work.areas(CARRIED)[1:12].sum()
    assert shown * 1.5 < whole.areas[1:12].sum(), "less than two thirds of it is on the image"
    assert all(work.fills(name) for name in whole.drafts)
    work.candidates[CARRIED] = np.where(whole.inside, work.candidates[CARRIED], -6.0)
    assert not work.fills(CARRIED), "what loses the part beyond the edge has lost some of the muscle"
