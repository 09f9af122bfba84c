"""Lessons, choice and fine-tuning of the correcting network."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.assemble import Placed, assemble
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.guided import bundled, tuning
from MusclePropLib.core.guided import pretrain as pretraining
from MusclePropLib.core.guided.augment import augmented, read_backwards
from MusclePropLib.core.guided.balance import LARGEST_ROOM, LARGEST_SHIFT, _Room, contested, level_of
from MusclePropLib.core.guided.copies import lesson_from_copies
from MusclePropLib.core.guided.correct import gap_clips
from MusclePropLib.core.guided.finetune import FineTuner, correction_loss
from MusclePropLib.core.guided.hidden import reach
from MusclePropLib.core.guided.inputs import (
    CHANNELS,
    CLIP_SLICES,
    IMAGES,
    corrected,
    guided_config,
    make_clip,
    thinned,
)
from MusclePropLib.core.guided.lessons import GAPS, Lessons, simulated_clips
from MusclePropLib.core.guided.muscle import MuscleWork
from MusclePropLib.core.guided.pretrain import Recipe, _begin_with, pretrain
from MusclePropLib.core.network import Network, NetworkConfig
from MusclePropLib.core.priors.frame import frame_around
from MusclePropLib.core.priors.stack import CARRIED, build_stack
from MusclePropLib.core.weights import save_weights
from Testing.core.tubes import hidden_tasks, tube

CPU = torch.device("cpu")


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


def test_of_what_fine_tuning_changes_half_is_taken_back(monkeypatch):
    image, mask = tube(slices=9)
    around = image, np.arange(9.0), (0.5, 0.5), {t: mask[t] for t in (0, 4, 8)}, frozenset(), np.arange(9)
    work = MuscleWork(0, MuscleAnnotation("x"), build_stack(*around), np.arange(9.0), hidden_tasks(*around))
    before, after = network(), {}
    for kept in (0.0, 0.5):
        monkeypatch.setattr(tuning, "KEPT", kept)
        tuned = tuning.Tuning.of(before, CPU)
        tuned.tune([work], [], tuning.PORTION, 0, lambda: True, lambda *told: None)
        after[kept] = [torch.cat([p.flatten() for p in n.parameters()]) for n in tuned.networks]
    start = torch.cat([p.flatten() for p in before.parameters()])
    for far, half in zip(after[0.0], after[0.5], strict=True):
        assert (far - start).abs().max() > 1e-4
        torch.testing.assert_close(half, (start + far) / 2)


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


def test_a_structure_gives_lessons_on_different_gaps():
    several = [clips for seed in range(8) if (clips := simulated_clips(np.random.default_rng(seed)))]
    assert max(map(len, several)) == GAPS
    for clips in several:
        assert all(np.isfinite(clip.inputs).all() and clip.counts.any() for clip in clips)
        assert len({clip.target.tobytes() for clip in clips}) == len(clips)


def test_pretraining_goes_on_where_it_was_broken_off(tmp_path, monkeypatch):
    recipe, steps = Recipe(steps=3, batch=1), []
    rate = pretraining._rate

    def broken_off_at_the_third(recipe, step):
        steps.append(step)
        if steps == [0, 1, 2]:
            raise KeyboardInterrupt
        return rate(recipe, step)

    monkeypatch.setattr(pretraining, "SAVED_EVERY", 2)
    monkeypatch.setattr(pretraining, "LOGGED_EVERY", 1)
    monkeypatch.setattr(pretraining, "_rate", broken_off_at_the_third)
    (tmp_path / "run.csv").write_text("step,seconds\n1,5\n9,50\n", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        pretrain(recipe, tmp_path / "run.ckpt", workers=0)
    pretraining._log(tmp_path / "run.csv", {"step": 3, "seconds": 9.0})
    whole = pretrain(recipe, tmp_path / "run.ckpt", workers=0)
    assert steps == [0, 1, 2, 2]
    again = pretrain(recipe, tmp_path / "run.ckpt", workers=0)
    assert steps == [0, 1, 2, 2]
    rows = list(csv.DictReader((tmp_path / "run.csv").open(encoding="utf-8")))
    assert [row["step"] for row in rows] == ["1", "2", "3"], "of this run, each once"
    assert sorted(rows, key=lambda row: float(row["seconds"])) == rows
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("other", [Recipe(steps=2, batch=1, seed=1), Recipe(steps=3, batch=1)])
def test_a_checkpoint_of_another_pretraining_is_not_gone_on_with(tmp_path, other):
    checkpoint = tmp_path / "run.ckpt"
    recipe = Recipe(steps=1, batch=1)
    pretrain(recipe, checkpoint, workers=0)
    before = checkpoint.read_bytes()
    with pytest.raises(InputError, match=r"run\.ckpt is of another recipe"):
        pretrain(other, checkpoint, workers=0)
    with pytest.raises(InputError, match=r"run\.ckpt is of another recipe or other weights"):
        pretrain(recipe, checkpoint, workers=0, initial=bundled.pretrained("bundled", 0)[0])
    assert checkpoint.read_bytes() == before
    checkpoint.write_bytes(before[: len(before) // 2])
    with pytest.raises(InputError, match=r"run\.ckpt: no checkpoint of a pretraining"):
        pretrain(recipe, checkpoint, workers=0)


def test_pretraining_keeps_a_share_of_the_weights_that_it_began_with(tmp_path):
    begun = network()
    alone, mixed = (
        pretrain(Recipe(steps=1, batch=1, kept=kept), tmp_path / f"{kept}.ckpt", workers=0, initial=begun)
        for kept in (0.0, 0.25)
    )
    assert any((a != b).any() for a, b in zip(alone.parameters(), begun.parameters(), strict=True))
    for before, after, between in zip(begun.parameters(), alone.parameters(), mixed.parameters(), strict=True):
        torch.testing.assert_close(between, 0.25 * before + 0.75 * after)


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


def test_an_installation_without_the_weights_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(bundled, "BESIDE", tmp_path / "guided.safetensors")
    monkeypatch.setattr(bundled.metadata, "files", lambda name: None)
    with pytest.raises(InputError, match="weights are not installed; install MusclePropLib again"):
        bundled.pretrained("bundled", 0)


def test_the_bundled_weights_are_there_and_small():
    net, checksum = bundled.pretrained("bundled", 0)
    assert net.config == guided_config() and len(checksum) == 64
    assert bundled.BESIDE.stat().st_size < 20e6


def test_weights_of_another_kind_are_refused(tmp_path):
    save_weights(tmp_path / "cohort.safetensors", Network(NetworkConfig(base_maps=8)), {})
    with pytest.raises(InputError, match=r"cohort\.safetensors.*not for guided propagation"):
        bundled.pretrained(str(tmp_path / "cohort.safetensors"), 0)


def test_neighbours_that_claim_the_same_room_both_keep_their_area():
    frame = frame_around({0: np.ones((120, 120), bool)}, np.arange(1), np.zeros(1), (1, 1))
    y, x = np.mgrid[:96, :96]
    fields = [(14 - np.hypot(y - 48, x - column)).astype(np.float32) for column in (40, 56)]
    placed = [Placed(frame, 0.5 * f[None], np.ones(1, bool)) for f in fields]
    areas = [np.array([float((f > 0).sum())]) for f in fields]
    annotations = Annotations((1, 120, 120), [MuscleAnnotation("GM"), MuscleAnnotation("GL")])
    plain = assemble(placed, annotations, np.zeros(1))
    fair = assemble(contested(placed, areas, [np.ones(1)] * 2, annotations), annotations, np.zeros(1))
    wanted = areas[0][0] * np.prod(frame.step)
    for label in (1, 2):
        assert (plain == label).sum() < 0.9 * wanted
        assert (fair == label).sum() == pytest.approx(wanted, rel=0.03)


def test_where_two_meet_the_one_drawn_nearby_has_its_way():
    frame = frame_around({0: np.pad(np.ones((20, 40), bool), ((20, 20), (10, 10)))}, np.arange(1), np.zeros(1), (1, 1))
    rows = np.arange(96)[:, None] * np.ones((1, 96))
    claims = [(60 - rows) / 2, (rows - 36) / 2]  # both want the rows from 36 to 60
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


def test_a_vessel_beside_a_leg_does_not_need_the_whole_leg_in_its_pixels():
    shape = (600, 800)
    big, small = np.zeros(shape, bool), np.zeros(shape, bool)
    big[100:500, 100:600], small[300:304, 700:704] = True, True
    frames = [frame_around({0: mask}, np.arange(1), np.zeros(1), (0.5, 0.5)) for mask in (big, small)]
    room = _Room.around([Placed(f, np.zeros((1, 96, 96), np.float32), np.ones(1, bool)) for f in frames], 0)
    assert max(room.shape) <= LARGEST_ROOM + 1
    alone = _Room.around([Placed(frames[1], np.zeros((1, 96, 96), np.float32), np.ones(1, bool))], 0)
    assert alone.shape == (96, 96) and (alone.step == frames[1].step).all()
