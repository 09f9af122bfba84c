"""How large the network's candidates are: by the curve through the drawn areas, or as the network finds them."""

from types import SimpleNamespace

import numpy as np

from MusclePropLib.core.annotations import MuscleAnnotation
from MusclePropLib.core.guided.muscle import FREE_NETWORK, NETWORK, MuscleWork
from MusclePropLib.core.guided.sizes import BEYOND, joined_areas, network_share
from MusclePropLib.core.priors.area import enclosed
from MusclePropLib.core.priors.stack import CARRIED, build_stack
from Testing.core.tubes import hidden_tasks, tube


def hidden_area(expected, drawn, **end):
    """A hidden slice with an area expected there, and one drawn; and logits that enclose an area."""
    truth = np.where(np.arange(400).reshape(20, 20) < drawn, 1.0, -1.0)
    stack = SimpleNamespace(areas=np.array([float(expected)]))
    return SimpleNamespace(stack=stack, place=0, truth=truth, **({"beyond": False, "tapering": False} | end))


def work_on(drawn, absent=()):
    """A tube of 17 slices, some of them drawn and scored."""
    image, mask = tube(slices=17)
    masks, absent = {t: mask[t] for t in drawn}, frozenset(absent)
    around = image, np.arange(17.0), (0.5, 0.5), masks, absent, np.arange(17)
    annotation = MuscleAnnotation("x", masks, absent)
    work = MuscleWork(0, annotation, build_stack(*around), np.arange(17.0), hidden_tasks(*around))
    work.score_drafts()
    return work


def test_areas_are_those_of_whoever_told_the_hidden_ones():
    def share(expected, found, slices=1, **end):
        return network_share([hidden_area(expected, 100, **end)] * slices, [hidden_area(0, found).truth] * slices)

    assert share(100, 40) < 0.05 < 0.9 < share(40, 100)
    assert share(60, 60) < 0.5, "the curve gains more from the hidden slice than the network does"
    assert share(40, 100, slices=4) == 0, "so many are joined by a smooth curve"
    assert share(40, 100, beyond=True) == share(40, 100, tapering=True) == network_share([], []) == 0.5, "none tells"
    areas = joined_areas(np.array([50.0, 50.0, np.nan]), np.array([80, 80, 80]), 0.5)
    np.testing.assert_allclose(areas, [np.sqrt(50 * 80)] * 2 + [np.nan])


def test_a_network_that_grows_everywhere_is_brought_back_to_the_expected_areas():
    work = work_on([0, 4, 8, 12, 16])
    work.add_network(work.candidates[CARRIED] + 3.0, [task.fields[CARRIED] + 3.0 for task in work.tasks])
    unknown = ~np.isin(np.arange(17), list(work.stack.known))
    sizes = {name: enclosed(work.candidates[name])[unknown] for name in (CARRIED, NETWORK, FREE_NETWORK)}
    np.testing.assert_allclose(sizes[NETWORK], work.network_areas[unknown], rtol=0.02, atol=2)
    assert (sizes[FREE_NETWORK] > 1.2 * sizes[CARRIED]).all(), "as it is, it competes, too"
    assert (sizes[NETWORK] < 0.5 * sizes[FREE_NETWORK] + 0.5 * sizes[CARRIED]).all()
    work.chosen = NETWORK
    np.testing.assert_array_equal(work.expected_areas, work.network_areas)
    work.chosen = CARRIED
    assert work.expected_areas is work.stack.areas


def test_beyond_the_drawn_slices_the_network_has_its_say_however_many_there_are():
    work = work_on([4, 6, 8, 10, 12])
    work.add_network(work.candidates[CARRIED] + 3.0, [task.fields[CARRIED] + 3.0 for task in work.tasks])
    beyond = [0, 1, 2, 3, 13, 14, 15, 16]
    found, curve = enclosed(work.candidates[FREE_NETWORK])[beyond], work.stack.areas[beyond]
    np.testing.assert_allclose(work.network_areas[beyond], found**BEYOND * curve ** (1 - BEYOND))
    assert (found > 1.2 * curve).all()
    for work.chosen in (NETWORK, FREE_NETWORK):
        own = enclosed(work.candidates[work.chosen])
        np.testing.assert_array_equal(work.expected_areas[beyond], own[beyond], "what it is to keep beside others")
        np.testing.assert_array_equal(np.delete(work.expected_areas - work.network_areas, beyond), 0)


def test_where_a_muscle_tapers_off_its_area_is_the_curve_s():
    work = work_on([2, 6, 10], absent=[0, 14, 15, 16])
    whole = work.stack
    assert set(np.flatnonzero(work.tapering & (work.reach > 0))) == {1, 11, 12, 13}
    inner = next(task for task in work.tasks if not task.tapering)
    inner.stack.areas = inner.stack.areas / 3  # as if the curve had erred on the slice that was hidden
    work.add_network(work.candidates[CARRIED] + 2.0, [task.truth for task in work.tasks])
    tapers, between = [1, 11, 12, 13], [3, 4, 5, 7, 8, 9]
    np.testing.assert_allclose(work.network_areas[tapers], np.maximum(whole.areas[tapers], 1))
    assert (work.network_areas[between] > 1.1 * whole.areas[between]).all()
