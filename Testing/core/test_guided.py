"""Lessons, choice and fine-tuning of the correcting network."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.assemble import Placed, assemble
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.guided import bundled
from MusclePropLib.core.guided.augment import augmented, read_backwards
from MusclePropLib.core.guided.balance import LARGEST_SHIFT, contested, level_of
from MusclePropLib.core.guided.choice import Overlap, Trust, trust
from MusclePropLib.core.guided.copies import lesson_from_copies
from MusclePropLib.core.guided.correct import gap_clips
from MusclePropLib.core.guided.finetune import FineTuner, correction_loss
from MusclePropLib.core.guided.hidden import hidden_tasks, reach
from MusclePropLib.core.guided.inputs import (
    CHANNELS,
    CLIP_SLICES,
    IMAGES,
    corrected,
    guided_config,
    make_clip,
    thinned,
)
from MusclePropLib.core.guided.lessons import Lessons, simulated_clip
from MusclePropLib.core.guided.muscle import FREE_NETWORK, NETWORK, MuscleWork
from MusclePropLib.core.guided.pretrain import Recipe, _begin_with, pretrain
from MusclePropLib.core.network import Network, NetworkConfig
from MusclePropLib.core.priors.frame import frame_around
from MusclePropLib.core.priors.stack import CARRIED, build_stack
from MusclePropLib.core.weights import save_weights
from Testing.core.tubes import tube

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stack():
    image, mask = tube(slices=9)
    return build_stack(
        image, np.arange(9.0), (0.5, 0.5), {0: mask[0], 4: mask[4], 8: mask[8]}, frozenset(), np.arange(9)
    )


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(guided_config())


def test_at_step_zero_the_output_is_the_draft(stack):
    clip = make_clip(stack, np.arange(5), CARRIED, None)
    assert clip.inputs.shape == (5, len(CHANNELS), 96, 96)
    with torch.no_grad():
        assert torch.equal(corrected(network(), clip, CPU), torch.from_numpy(clip.draft))


def test_nothing_is_corrected_outside_the_slice(stack):
    clip = make_clip(stack, np.arange(5), CARRIED, None)
    clip.inside[:, :, 50:] = 0
    net = network()
    torch.nn.init.ones_(net.segmentation.last.bias)
    with torch.no_grad():
        changed = corrected(net, clip, CPU).numpy() != clip.draft
    assert changed[..., :50].any() and not changed[..., 50:].any()


def test_a_hidden_slice_leaves_no_trace():
    image, mask = tube(slices=9)
    drawn = {0: mask[0], 4: mask[4], 8: mask[8]}
    elsewhere = drawn | {4: np.roll(mask[4], 12, axis=1)}
    for one, two in zip(
        *(hidden_tasks(image, np.arange(9.0), (0.5, 0.5), d, frozenset(), np.arange(9)) for d in (drawn, elsewhere)),
        strict=True,
    ):
        if one.slice_index == 4:
            assert (one.stack.frame.centres == two.stack.frame.centres).all()
            assert all((one.fields[name] == two.fields[name]).all() for name in one.fields)
            assert (one.truth != two.truth).any()


def test_hidden_tasks_end_at_the_nearest_other_slices():
    image, mask = tube(slices=9)
    tasks = list(
        hidden_tasks(image, np.arange(9.0), (0.5, 0.5), {t: mask[t] for t in (1, 4, 7)}, frozenset({8}), np.arange(9))
    )
    assert [(t.slice_index, t.stack.slices[0], t.stack.slices[-1]) for t in tasks] == [
        (1, 1, 4),
        (4, 1, 7),
        (7, 4, 8),
    ]
    assert [t.beyond for t in tasks] == [True, False, False]
    assert [t.tapering for t in tasks] == [False, False, True]
    clip = tasks[1].clip(CARRIED)
    assert clip.counts[3].all() and clip.counts.sum() == clip.counts[3].sum()


def test_reach_is_that_of_a_bridge():
    assert reach(np.arange(10.0), [0, 6], 3) == pytest.approx(1.5)
    assert reach(np.arange(10.0), [0, 6], 9) == 3
    assert reach(np.arange(10.0), [0, 6], 6) == 0


@pytest.mark.parametrize("longest", [24, 8])
@pytest.mark.parametrize(
    ("known", "count"), [([0, 9], 10), ([3], 10), ([0, 100], 101), ([5, 40], 90), ([4, 7, 8, 9], 10)]
)
def test_gap_clips_cover_what_is_unknown_and_no_gap_twice(known, count, longest):
    clips = list(gap_clips(known, count, longest))
    assert set(np.concatenate(clips)) >= set(range(count)) - set(known)
    assert not any(set(c) <= set(known) for c in clips)
    assert all((np.diff(c) > 0).all() and len(c) <= longest for c in clips)
    inner = np.concatenate([c[1:-1] for c in clips])
    assert len(inner) == len(set(inner))


def test_thinned_clips_keep_the_ends_and_the_hidden_slice():
    for hidden in range(1, 60):
        places = thinned(0, 60, CLIP_SLICES, keep=hidden)
        assert {0, hidden, 60} <= set(places) and len(places) <= CLIP_SLICES and (np.diff(places) > 0).all()


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


def test_loss_ignores_what_is_unknown():
    logits = torch.randn(3, 8, 8, requires_grad=True)
    counts = torch.zeros(3, 8, 8)
    counts[1] = 1
    correction_loss(logits, (torch.rand(3, 8, 8) > 0.5).float(), counts).backward()
    assert (logits.grad[[0, 2]] == 0).all() and (logits.grad[1] != 0).all()


def test_fine_tuning_learns_its_lesson(stack):
    clip = make_clip(stack, np.arange(5), CARRIED, None)
    clip.target = np.roll(np.clip(clip.draft + 0.5, 0, 1), 3, axis=2)
    clip.counts = np.ones_like(clip.target)
    net = network()
    tuner = FineTuner(net, [clip], CPU, seed=0)
    tuner.run(1)
    before = tuner.loss
    tuner.run(12)
    assert tuner.loss < before
    assert all(p.grad is None for p in net.parameter_groups()["reconstruction"]), "the other decoder is left alone"


def test_a_clip_read_backwards_twice_is_itself(stack):
    clip = make_clip(stack, np.arange(5), CARRIED, None)
    clip.target = clip.counts = clip.inside
    twice = read_backwards(read_backwards(clip))
    assert all((a == b).all() for a, b in zip(vars(clip).values(), vars(twice).values(), strict=True))
    turned = augmented(np.random.default_rng(1), clip)
    assert turned.inputs.shape == clip.inputs.shape


def test_the_drawn_image_comes_along_with_the_drawn_mask():
    image, mask = tube(slices=9, drift=(1.0, 2.0))
    crops = build_stack(image, np.arange(9.0), (0.5, 0.5), {0: mask[0], 8: mask[8]}, frozenset(), np.arange(9))
    clip = make_clip(crops, np.arange(9), CARRIED, None)
    now, before, after = (clip.inputs[:, at] for at in IMAGES)
    assert (before[0] == now[0]).all() and (after[8] == now[8]).all()
    near = np.abs(crops.drafts[CARRIED]) < 6

    def unlike(image, t):
        return 1 - np.corrcoef(image[near[t]], now[t][near[t]])[0, 1]

    for t in (3, 4, 5):
        assert unlike(before[t], t) < 0.6 * unlike(now[0], t)
        assert unlike(after[t], t) < 0.6 * unlike(now[8], t)
    backwards = read_backwards(clip)
    assert (backwards.inputs[:, IMAGES[1]] == after[::-1]).all()


def test_copies_start_at_the_drawn_slice_and_move_away():
    image, mask = tube()
    clip = lesson_from_copies(image[3], mask[3], (0.5, 0.5), np.random.default_rng(0))
    assert not clip.counts[0].any() and clip.counts[1:].all()
    assert (clip.target[0] > 0.5).sum() == pytest.approx((clip.draft[0] > 0).sum(), rel=0.05)
    moved = [np.abs(clip.target[i] - clip.target[0]).sum() for i in (1, 4, 8)]
    assert moved == sorted(moved) and moved[0] < moved[2]


def test_lessons_repeat_for_a_seed():
    one, two = (next(iter(Lessons(3))) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    clip = next(c for c in map(simulated_clip, [np.random.default_rng(s) for s in range(20)]) if c is not None)
    assert np.isfinite(clip.inputs).all() and clip.counts.any()


def test_pretraining_resumes_where_it_was_broken_off(tmp_path):
    recipe = Recipe(steps=2, batch=1)
    network_ = pretrain(recipe, tmp_path / "run.ckpt", workers=0)
    again = pretrain(recipe, tmp_path / "run.ckpt", workers=0)
    assert all(torch.equal(a, b) for a, b in zip(network_.parameters(), again.parameters(), strict=True))


def test_pretraining_goes_on_from_a_network_with_fewer_inputs(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        narrow = Network(replace(guided_config(), in_channels=9))
        torch.nn.init.normal_(narrow.segmentation.last.weight)
    wide = network()
    _begin_with(wide, narrow)
    inputs = torch.randn(3, len(CHANNELS), 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(wide(inputs).logits, narrow(inputs[:, :9]).logits)
    with pytest.raises(InputError, match="of another kind of network"):
        pretrain(Recipe(steps=1, batch=1), tmp_path / "run.ckpt", 0, initial=Network(NetworkConfig(base_maps=8)))


def test_the_bundled_weights_are_there_and_small():
    net, checksum = bundled.pretrained("bundled", 0)
    assert net.config == guided_config() and len(checksum) == 64
    assert bundled.PATH.stat().st_size < 20e6


def test_weights_of_another_kind_are_refused(tmp_path):
    save_weights(tmp_path / "cohort.safetensors", Network(NetworkConfig(base_maps=8)), {})
    with pytest.raises(InputError, match=r"cohort\.safetensors.*not for guided propagation"):
        bundled.pretrained(str(tmp_path / "cohort.safetensors"), 0)


def test_neighbours_that_claim_the_same_room_both_keep_their_area():
    frame = frame_around({0: np.ones((60, 60), bool)}, np.arange(1), np.zeros(1), (1, 1))
    y, x = np.mgrid[:96, :96]
    fields = [(14 - np.hypot(y - 48, x - column)).astype(np.float32) for column in (40, 56)]
    placed = [Placed(frame, 0.5 * f[None], np.ones(1, bool)) for f in fields]
    areas = [np.array([float((f > 0).sum())]) for f in fields]
    annotations = Annotations((1, 60, 60), [MuscleAnnotation("GM"), MuscleAnnotation("GL")])
    plain = assemble(placed, annotations, np.zeros(1))
    fair = assemble(contested(placed, areas, [np.ones(1)] * 2, annotations), annotations, np.zeros(1))
    wanted = areas[0][0] * np.prod(frame.step)
    for label in (1, 2):
        assert (plain == label).sum() < 0.9 * wanted
        assert (fair == label).sum() == pytest.approx(wanted, rel=0.03)


def test_where_two_meet_the_one_drawn_nearby_has_its_way():
    frame = frame_around({0: np.pad(np.ones((20, 40), bool), ((20, 20), (10, 10)))}, np.arange(1), np.zeros(1), (1, 1))
    rows = np.arange(96)[:, None] * np.ones((1, 96))
    claims = [(60 - rows) / 2, (rows - 40) / 2]  # both want the rows from 40 to 60
    placed = [Placed(frame, np.clip(c, -6, 6)[None].astype(np.float32), np.ones(1, bool)) for c in claims]
    annotations = Annotations((1, 60, 60), [MuscleAnnotation("GM"), MuscleAnnotation("GL")])

    def parts(*placed_):
        labels = assemble(list(placed_), annotations, np.zeros(1))
        return [int((labels == label).sum()) for label in (1, 2)]

    nothing_expected = [np.full(1, np.nan)] * 2
    even = parts(*contested(placed, nothing_expected, [np.array([5.0]), np.array([5.0])], annotations))
    alone = parts(placed[0], replace(placed[1], valid=np.zeros(1, bool)))[0]
    sure = parts(*contested(placed, nothing_expected, [np.array([0.5]), np.array([20.0])], annotations))
    assert abs(even[0] - even[1]) < 0.1 * sum(even)
    assert sure[0] == pytest.approx(alone, rel=0.03) and sure[0] > 1.2 * even[0]
    assert sum(sure) == sum(even), "nothing is lost to the background"


def test_a_muscle_that_meets_no_other_has_its_area_however_the_other_was_drawn():
    frame = frame_around({0: np.ones((60, 60), bool)}, np.arange(1), np.zeros(1), (1, 1))
    y, x = np.mgrid[:96, :96]
    fields = [(7 - np.hypot(y - 48, x - column)).astype(np.float32) for column in (34, 62)]
    placed = [Placed(frame, 0.5 * f[None], np.ones(1, bool)) for f in fields]
    areas = [np.array([1.2 * (f > 0).sum()]) for f in fields]
    annotations = Annotations((1, 60, 60), [MuscleAnnotation("GM"), MuscleAnnotation("GL")])
    for reaches in ((1.0, 1.0), (1.0, 30.0), (30.0, 1.0)):
        fair = contested(placed, areas, [np.array([r]) for r in reaches], annotations)
        found = (assemble(fair, annotations, np.zeros(1)) == 1).sum()
        assert found == pytest.approx(areas[0][0] * np.prod(frame.step), rel=0.05)


@given(
    values=st.lists(st.floats(-9, 9, width=32) | st.sampled_from([-1e3, 0, 3, 1e3]), min_size=2, max_size=60),
    share=st.floats(0, 1),
)
def test_the_offset_that_gives_a_muscle_its_area_is_that_of_a_full_sort(values, share):
    lead = np.array(values, np.float32)
    count = int(np.clip(round(share * len(lead)), 1, len(lead)))
    expected = np.clip(np.sort(lead)[::-1][count - 1], -LARGEST_SHIFT, LARGEST_SHIFT)
    assert level_of(lead, count, LARGEST_SHIFT) == expected


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
