"""Propagation as users rely on it: their slices, their absences, their time."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.guided import run
from MusclePropLib.core.guided.inputs import guided_config
from MusclePropLib.core.guided.run import working_slices
from MusclePropLib.core.guided.tuning import PORTION
from MusclePropLib.core.network import Network
from MusclePropLib.core.propagation import Cancelled, Settings, WarmState, propagate
from MusclePropLib.core.rivals import fill
from MusclePropLib.core.training import build_network
from MusclePropLib.core.weights import load_weights, save_weights
from Testing.core.tubes import annotate, dice, tube, volume_of

DRAFTS_ONLY = Settings(method="interpolation")
UNTRAINED = Settings(weights="none", time_limit=600)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """What is tested here holds after any number of fine-tuning steps, and with nothing to compare with."""
    monkeypatch.setattr(fill, "SOURCES", ())
    monkeypatch.setattr(run, "STEPS", 15)
    monkeypatch.setattr(run, "WARM_STEPS", 5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_drawn_slices_come_back_voxel_for_voxel(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    shape = tuple(data.draw(st.tuples(st.integers(2, 9), st.integers(9, 40), st.integers(9, 40))))
    image = rng.integers(0, 255, shape).astype(data.draw(st.sampled_from([np.uint8, np.int16, np.float32])))
    muscles = []
    for name in ("GM", "SOL")[: data.draw(st.integers(1, 2))]:
        slices = data.draw(st.sets(st.integers(0, shape[0] - 1), min_size=1, max_size=4))
        masks = {t: rng.random(shape[1:]) < rng.uniform(0.02, 0.6) for t in slices}
        muscles.append(MuscleAnnotation(name, {t: m for t, m in masks.items() if m.any()} or {0: ~masks.popitem()[1]}))
    result = propagate(volume_of(image), Annotations(shape, muscles), DRAFTS_ONLY)
    assert result.labels.shape == shape and result.labels.dtype == np.uint8
    for index, muscle in enumerate(muscles):
        for t, drawn in muscle.drawn.items():
            assert (result.mask(index)[t] == drawn).all()


def test_it_follows_the_muscle_and_expects_to():
    image, mask = tube()
    result = propagate(volume_of(image), annotate({"SOL": mask}, [0, 6, 12]), DRAFTS_ONLY)
    assert dice(result.mask(0), mask) > 0.93
    outcome = result.muscles[0]
    assert outcome.estimate >= outcome.interpolation_estimate
    assert outcome.volume_ml == pytest.approx(result.mask(0).sum() * 2.0 * 0.25 / 1000)
    assert result.confidence.shape == (1, 13) and result.confidence[0, 6] == 1 > result.confidence[0, 3]
    assert result.next_slice not in (None, 0, 6, 12)


def test_an_untrained_network_changes_nothing():
    image, mask = tube()
    annotations = annotate({"SOL": mask}, [0, 6, 12])
    stop_before_tuning = iter([""] * 1000)
    seen = []

    def control():
        return "stop" if "correct" in seen else next(stop_before_tuning)

    def on_event(event):
        if event["event"] == "stage":
            seen.append(event["name"])

    with_network = propagate(
        volume_of(image), annotations, Settings(weights="none", method="network"), on_event, control
    )
    without = propagate(volume_of(image), annotations, DRAFTS_ONLY)
    assert with_network.muscles[0].method == "network"
    assert (with_network.labels == without.labels).mean() > 0.9999


def test_the_same_seed_gives_the_same_result():
    image, mask = tube(slices=7, rows=40, columns=44, centre=(18.0, 20.0), radius=7.0)
    annotations = annotate({"SOL": mask}, [0, 3, 6])
    runs = [propagate(volume_of(image), annotations, UNTRAINED) for _ in range(2)]
    assert (runs[0].labels == runs[1].labels).all()
    assert (runs[0].confidence == runs[1].confidence).all()


def test_muscles_do_not_overlap_and_respect_each_other_and_what_is_not_muscle():
    image, one = tube(centre=(20.0, 20.0), drift=(0, 0.3))
    _, two = tube(centre=(40.0, 40.0), drift=(0, -0.3))
    two &= ~one
    nothing = np.zeros(one.shape[1:], bool)
    nothing[:12] = True
    annotations = annotate({"GM": one, "SOL": two}, {"GM": [0, 12], "SOL": [0, 6, 12]}, not_muscle={5: nothing})
    result = propagate(volume_of(image), annotations, DRAFTS_ONLY)
    assert not (result.mask(0) & result.mask(1)).any()
    assert not (result.mask(0)[6] & two[6]).any(), "GM is unknown on slice 6, but SOL is drawn there"
    assert not result.labels[5][nothing].any()


def test_drawn_masks_that_overlap_are_both_kept():
    image, one = tube()
    two = np.roll(one, 5, axis=2)
    annotations = annotate({"GM": one, "SOL": two}, [0, 12])
    result = propagate(volume_of(image), annotations, DRAFTS_ONLY)
    assert (result.mask(0)[0] == one[0]).all() and (result.mask(1)[0] == two[0]).all()


def test_the_summary_says_on_which_slices_a_muscle_was_found():
    image, mask = tube(slices=15)
    mask[11:] = False
    annotations = annotate({"GM": mask}, [2, 6, 10])
    annotations.muscles[0].absent = frozenset({11})
    result = propagate(volume_of(image), annotations, DRAFTS_ONLY)
    (found,) = result.summary()["found"]
    assert found == [t for t in range(15) if result.mask(0)[t].any()]
    assert {*range(2, 11)} <= {*found} and not {11, 12, 13, 14} & {*found}


def test_absent_slices_stay_empty():
    image, mask = tube(slices=15)
    annotations = annotate({"GM": mask}, [2, 6])
    annotations.muscles[0].absent = frozenset({10})
    result = propagate(volume_of(image), annotations, DRAFTS_ONLY)
    assert not result.mask(0)[10:].any() and result.mask(0)[8].any()


def test_one_drawn_slice_is_enough():
    image, mask = tube(slices=7)
    result = propagate(volume_of(image), annotate({"SOL": mask}, [3]), UNTRAINED)
    assert dice(result.mask(0), mask) > 0.8
    assert np.isnan(result.muscles[0].estimate) and result.summary()["muscles"][0]["estimate"] is None


def test_grey_levels_that_tell_all_make_up_for_slices_never_drawn():
    y, x = np.mgrid[:60, :70]
    mask = np.stack([np.hypot(y - 30, x - 35) < 6 + 4 * np.sin(t) for t in range(9)])
    image = 100.0 * mask + np.random.default_rng(0).standard_normal(mask.shape)
    result = propagate(volume_of(image.astype(np.float32)), annotate({"organ": mask}, [2]), DRAFTS_ONLY)
    copied = np.broadcast_to(mask[2], mask.shape)
    assert dice(result.mask(0), mask) > 0.93 > dice(copied, mask) + 0.1


def test_every_preview_promises_at_least_as_much_as_the_one_before():
    image, mask = tube()
    events = []
    propagate(volume_of(image), annotate({"SOL": mask}, [0, 6, 12]), UNTRAINED, events.append)
    promises = [e["estimate"]["SOL"] for e in events if e["event"] == "preview"][1:]
    assert promises == sorted(promises) and len(promises) > 1
    fractions = [e["fraction"] for e in events if e["event"] == "progress"]
    assert fractions == sorted(fractions) and 0 < fractions[-1] <= 1


def test_a_coarse_preview_is_the_result_thinned(monkeypatch):
    image, mask = tube()
    events = []
    monkeypatch.setattr(run, "PREVIEW_VOXELS", mask.size // 8)
    result = propagate(volume_of(image), annotate({"SOL": mask}, [0, 6, 12]), DRAFTS_ONLY, events.append)
    previews = [e for e in events if e["event"] == "preview"]
    assert len(previews) > 1 and all(e["strides"] == [1, 3, 3] for e in previews)
    thinned = result.labels[:, ::3, ::3]
    for preview in previews:
        assert preview["labels"].shape == thinned.shape
        assert (preview["labels"][6] == mask[6, ::3, ::3]).all()
    assert dice(previews[-1]["labels"] == 1, thinned == 1) > 0.97


def test_cancel_raises_and_stop_keeps_the_best():
    image, mask = tube()
    annotations = annotate({"SOL": mask}, [0, 6, 12])
    with pytest.raises(Cancelled):
        propagate(volume_of(image), annotations, UNTRAINED, control=lambda: "cancel")
    result = propagate(volume_of(image), annotations, UNTRAINED, control=lambda: "stop")
    assert dice(result.mask(0), mask) > 0.9


def test_cancel_and_stop_are_heard_while_slices_are_hidden():
    image, mask = tube()
    annotations = annotate({"SOL": mask, "GM": np.roll(mask, 12, axis=2)}, [0, 6, 12])

    def result_of(wish):
        events = []

        def asked():
            return wish if any(event.get("name") == "judge" for event in events) else ""

        return propagate(volume_of(image), annotations, UNTRAINED, events.append, asked)

    with pytest.raises(Cancelled):
        result_of("cancel")
    assert all(0 < muscle.estimate < 1 for muscle in result_of("stop").muscles), "one slice of each was hidden"


def test_a_second_round_goes_on_from_the_first():
    image, mask = tube(slices=9)
    warm = WarmState()
    annotations = annotate({"SOL": mask}, [0, 8])
    steps = []
    for more in ([], [4]):
        annotations.muscles[0].drawn |= {t: mask[t] for t in more}
        events = []
        result = propagate(volume_of(image), annotations, UNTRAINED, events.append, warm=warm)
        steps.append(sum(e["event"] == "progress" for e in events))
    assert (result.mask(0)[4] == mask[4]).all()
    assert 0 < steps[1] < steps[0]
    other = propagate(volume_of(image + 1), annotations, UNTRAINED, events.append, warm=warm)
    assert other.labels.any() and len(events) > steps[0], "another volume starts from the pretrained network"


def test_weights_that_were_replaced_are_read_again(tmp_path):
    """By others of the same name, as after another training."""
    image, mask = tube(slices=9)
    annotations, warm, path = annotate({"SOL": mask}, [0, 4, 8]), WarmState(), tmp_path / "own.safetensors"
    used = []
    for seed in (0, 1):
        save_weights(path, build_network(lambda: Network(guided_config()), seed), {})
        result = propagate(volume_of(image), annotations, Settings(weights=str(path), time_limit=60), warm=warm)
        used.append((result.provenance["weights"], load_weights(path).checksum))
    assert used[0] != used[1] and all(told == there for told, there in used)


def test_a_round_that_was_stopped_before_it_learned_leaves_that_to_the_next():
    image, mask = tube(slices=9)
    warm, stages = WarmState(), []
    annotations = annotate({"SOL": mask}, [0, 4, 8])

    def hear(event):
        stages.extend([event["name"]] if event["event"] == "stage" else [])

    propagate(volume_of(image), annotations, UNTRAINED, hear, lambda: "stop" if "correct" in stages else "", warm)
    assert "correct" in stages and "tune" not in stages
    learned = []
    for _ in range(2):
        events = []
        propagate(volume_of(image), annotations, UNTRAINED, events.append, warm=warm)
        learned.append(sum(e["event"] == "progress" and "loss" in e for e in events))
    assert learned == [run.STEPS // PORTION, run.WARM_STEPS // PORTION]


@pytest.mark.parametrize("training", [False, True], ids=["correcting", "learning"])
def test_a_propagation_survives_running_out_of_memory(training, monkeypatch):
    image, mask = tube(slices=25)
    seen, events, forward = [], [], Network.forward
    monkeypatch.setattr(run, "STEPS", 5)

    def short_of_memory(self, clip, **more):
        if torch.is_grad_enabled() == training:
            seen.append((len(clip), self.checkpointing))
            if not self.checkpointing:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, clip, **more)

    monkeypatch.setattr(Network, "forward", short_of_memory)
    annotations = annotate({"SOL": mask}, [0, 12, 24])
    result = propagate(volume_of(image), annotations, UNTRAINED, events.append)
    warnings = [e["text"] for e in events if e["event"] == "log" and e["level"] == "warning"]
    assert len(warnings) == 2 and "6 slices" in warnings[0] and "checkpointing" in warnings[1], "once for all"
    assert [checkpointed for _, checkpointed in seen][:3] == [False, False, True]
    assert seen[0][0] > max(slices for slices, _ in seen[1:])
    assert all((result.mask(0)[t] == mask[t]).all() for t in (0, 12, 24))
    assert dice(result.mask(0), mask) > 0.9


def test_a_propagation_without_any_memory_says_so(monkeypatch):
    def no_memory(self, clip, **more):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Network, "forward", no_memory)
    image, mask = tube()
    with pytest.raises(torch.OutOfMemoryError):
        propagate(volume_of(image), annotate({"SOL": mask}, [0, 6, 12]), UNTRAINED)


def test_tracked_positions_set_the_volume():
    image, mask = tube(slices=9)
    positions = np.cumsum([0, 1, 1, 1, 1, 3, 3, 3, 3]).astype(float)
    uneven = propagate(volume_of(image, positions=positions), annotate({"SOL": mask}, [0, 4, 8]), DRAFTS_ONLY)
    even = propagate(volume_of(image), annotate({"SOL": mask}, [0, 4, 8]), DRAFTS_ONLY)
    areas = uneven.mask(0).sum(axis=(1, 2)) * 0.25
    assert uneven.muscles[0].volume_ml == pytest.approx(areas @ np.gradient(positions) / 1000)
    assert uneven.muscles[0].volume_ml != pytest.approx(even.muscles[0].volume_ml, rel=0.02)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: a.muscles[0].drawn.clear(), "no slice is drawn"),
        (lambda a: setattr(a, "shape", (13, 60, 71)), "has a mask of another size"),
        (lambda a: a.muscles[0].drawn.update({99: np.ones((60, 70), bool)}), "outside the volume"),
    ],
)
def test_unusable_annotations_are_named(change, sentence):
    image, mask = tube()
    annotations = annotate({"SOL": mask}, [0, 6])
    change(annotations)
    with pytest.raises(InputError, match=sentence):
        propagate(volume_of(image, source="scan.nrrd"), annotations, DRAFTS_ONLY)


def test_close_slices_are_thinned_but_known_ones_kept():
    kept = list(working_slices(np.arange(400) * 0.25, [3, 7]))
    assert kept[:6] == [0, 3, 4, 7, 8, 12] and kept[-2:] == [396, 399]
    assert len(working_slices(np.arange(20) * 1.0, [3])) == 20


def test_a_small_structure_is_worked_on_in_as_many_slices_as_a_large_one():
    """Of a vessel in slices of a thirtieth of a millimetre only the drawn ones were."""
    image, mask = tube()
    found = {}
    for scale in (1.0, 0.01):
        volume = volume_of(image, tuple(scale * np.array([2.0, 0.5, 0.5])))
        found[scale] = propagate(volume, annotate({"SOL": mask}, [0, 6, 12]), DRAFTS_ONLY)
    assert (found[1.0].labels == found[0.01].labels).mean() > 0.999
    assert found[1.0].muscles[0].estimate == pytest.approx(found[0.01].muscles[0].estimate, abs=0.02)
    assert len(working_slices(np.arange(300) * 0.01, [0])) in range(64, 130)


def test_where_nothing_is_dared_the_next_slice_is_the_farthest_one():
    """Two neighbouring slices that have nothing in common say that nothing can be followed."""
    shape = (13, 40, 40)
    masks = {0: np.zeros(shape[1:], bool), 1: np.zeros(shape[1:], bool)}
    masks[0][2:8, 2:8] = masks[1][30:36, 30:36] = True
    image = np.random.default_rng(0).normal(size=shape)
    result = propagate(volume_of(image), Annotations(shape, [MuscleAnnotation("SOL", masks)]), DRAFTS_ONLY)
    assert not result.mask(0)[2:].any()
    assert result.next_slice == 12


def test_a_probe_that_rests_or_goes_slowly_does_not_cost_the_rest_its_slices():
    rest = np.concatenate([np.zeros(140), 0.5 * np.arange(1, 111)])
    kept = working_slices(rest, [0, 139, 200])
    assert np.diff(rest[kept]).max() <= 1.0
    slow = np.concatenate([0.1 * np.arange(100), 9.9 + np.arange(1, 51)])
    assert set(range(99, 150)) <= set(working_slices(slow, [0])), "slices one millimetre apart are all worked on"
    there_and_back = np.concatenate([0.2 * np.arange(250), 49.8 - 0.2 * np.arange(1, 250)])
    assert np.diff(working_slices(there_and_back, [0])).max() in (4, 5)
    trembling = 1.3 * np.arange(50) - 1.2 * (np.arange(50) % 2)
    assert len(working_slices(trembling, [0])) == 50, "where most slices are worked on, none is left out"


def test_values_that_are_not_finite_are_told_of():
    image, mask = tube(slices=5)
    image[2, 3, 4] = np.nan
    with pytest.raises(InputError, match="not finite"):
        propagate(volume_of(image), annotate({"GM": mask}, [0, 4]))


def test_another_volume_starts_from_the_pretrained_network():
    image, mask = tube(slices=9)
    annotations, warm, learned = annotate({"SOL": mask}, [0, 4, 8]), WarmState(), []
    for voxels in (image, image + 1):
        events = []
        propagate(volume_of(voxels), annotations, UNTRAINED, events.append, warm=warm)
        learned.append(
            ([e["name"] for e in events if e["event"] == "stage"], sum(e["event"] == "progress" for e in events))
        )
    assert learned[0] == learned[1]


def test_when_time_is_up_no_network_is_begun():
    image, mask = tube(slices=9)
    events = []
    settings = Settings(weights="none", time_limit=1e-3)
    result = propagate(volume_of(image), annotate({"SOL": mask}, [0, 4, 8]), settings, events.append)
    stages = {e["name"] for e in events if e["event"] == "stage"}
    assert not stages & {"network", "correct", "tune"} and (result.mask(0)[4] == mask[4]).all()
