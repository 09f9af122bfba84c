"""The window that follows a muscle, distances, flow and the drafts made of them."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.assemble import Placed, assemble
from MusclePropLib.core.guided.run import Run, WarmState
from MusclePropLib.core.outcome import Settings
from MusclePropLib.core.priors import flow
from MusclePropLib.core.priors.appearance import likelihood_ratio, walked
from MusclePropLib.core.priors.crops import MuscleCrops, suited_scale
from MusclePropLib.core.priors.distance import interpolate, signed_distance
from MusclePropLib.core.priors.frame import FAR, SIZE, CropFrame, frame_around
from MusclePropLib.core.priors.stack import build_stack
from MusclePropLib.core.progress import Progress
from Testing.core.tubes import annotate, dice, tube, volume_of


def pasted(frame, fields, shape):
    out = np.zeros(shape, bool)
    for place, t in enumerate(frame.slices):
        values, where = frame.paste(fields[place], place, shape[1:])
        out[t][where] = values > 0
    return out


def disc(rows, columns, row, column, radius):
    y, x = np.mgrid[:rows, :columns]
    return (y - row) ** 2 + (x - column) ** 2 < radius**2


def grainy(moves):
    """(images, depths): a bright disc that moves on, in grain that moves along or stays, as a probe's pattern does."""
    grain = cv2.GaussianBlur(np.random.default_rng(0).standard_normal((SIZE, 2 * SIZE)), (0, 0), 1.0)
    rows, columns = np.ogrid[:SIZE, :SIZE]
    depths = np.stack([14 - np.hypot(rows - 48, columns - 30 - 3 * t) for t in range(13)]).astype(np.float32)
    windows = [grain[:, start : start + SIZE] for start in (60 - 3 * t if moves else 60 for t in range(13))]
    return 3 / (1 + np.exp(-depths / 3)) + 4 * np.stack(windows), depths


@given(
    row=st.floats(25, 95),
    column=st.floats(25, 125),
    radius=st.floats(8, 22),
    stretch=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_a_mask_survives_the_crop_and_the_way_back(row, column, radius, stretch):
    mask = disc(120, 150, row, column, radius)
    frame = frame_around({0: mask}, np.array([0]), np.zeros(1), (0.4, 0.4 * stretch))
    back = pasted(frame, [signed_distance(mask, frame, 0)], (1, 120, 150))[0]
    assert dice(back, mask) > 0.97


@given(
    seed=st.integers(0, 10_000),
    smooth=st.sampled_from([0.0, 1.0, 4.0]),
    level=st.floats(-3, 1),
    row=st.floats(-20, 120),
    column=st.floats(-20, 170),
    step=st.floats(0.3, 4),
)
def test_no_voxel_is_positive_outside_the_part_that_is_pasted(seed, smooth, level, row, column, step):
    field = np.random.default_rng(seed).standard_normal((SIZE, SIZE)).astype(np.float32)
    if smooth:
        field = cv2.GaussianBlur(field, (0, 0), smooth) * smooth
    field += level
    frame = CropFrame(np.array([0]), np.array([[row, column]]), (step, 1.7 * step))
    whole, part = np.full((2, 120, 150), -1.0, np.float32)
    for plane, positive in ((whole, False), (part, True)):
        values, where = frame.paste(field, 0, plane.shape, positive)
        plane[where] = values
    assert ((whole > 0) != (part > 0)).mean() < 1e-3, "OpenCV rounds places to a thirty-second of a pixel"
    outside = np.ones(whole.shape, bool)
    outside[where] = False
    assert not (whole[outside] > 0).any()


def test_a_muscle_is_pasted_without_the_empty_part_of_its_window():
    mask = disc(400, 400, 200, 200, 60)
    frame = frame_around({0: mask}, np.array([0]), np.zeros(1), (0.4, 0.4))
    field = signed_distance(mask, frame, 0)
    whole, part = (frame.paste(field, 0, mask.shape, positive)[0] for positive in (False, True))
    assert part.size < 0.6 * whole.size and (part > 0).sum() == (whole > 0).sum()
    assert not frame.paste(np.full_like(field, -1), 0, mask.shape, positive=True)[0].size


def test_a_walk_that_no_seed_is_linked_with_finds_nothing_at_once():
    """A structure that is gone on the slices beside the drawn ones: the solver took minutes to find no way to it."""
    inside = disc(SIZE, SIZE, 48, 48, 20)
    images = 2.0 * np.random.default_rng(0).random((9, SIZE, SIZE)).astype(np.float32)
    images[[0, 8]] += 5.0 * inside
    images[2:7] += 3.0 * inside
    depth = np.where(inside, 5.0, -5.0).astype(np.float32)
    began = time.process_time()
    logits = walked(images, {0: depth, 8: depth})
    assert time.process_time() - began < 5
    assert (logits[1:8] < 0).all() and ((logits[[0, 8]] > 0) == inside).mean() > 0.99


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_walk_in_the_dark_knows_nothing_at_once():
    """A structure outside the fan, where all is black: the solver went on for minutes, its weights being no numbers."""
    inside = disc(SIZE, SIZE, 48, 48, 20)
    depth = np.where(inside, 5.0, -5.0).astype(np.float32)
    logits = walked(np.zeros((9, SIZE, SIZE), np.float32), {0: depth, 8: depth})
    assert not logits[1:8].any() and ((logits[[0, 8]] > 0) == inside).mean() > 0.99


def test_slices_that_were_skipped_lie_between_those_beside_them_however_the_probe_trembles():
    frame = CropFrame(np.array([0, 4]), np.full((2, 2), 40.0), (1.0, 1.0))
    radii = np.hypot(*(np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2))
    placed = Placed(frame, np.stack([20 - radii, 24 - radii]).astype(np.float32), np.ones(2, bool))
    nothing = Annotations((5, 80, 80), [MuscleAnnotation("SOL", {})])
    areas = assemble([placed], nothing, np.array([0.0, 0.3, -0.2, 0.05, 0.1])).sum(axis=(1, 2))
    assert list(np.argsort(areas[:4], kind="stable")) == [0, 2, 3, 1]
    assert areas[2] == areas[0] and areas[1] == areas[4]


def test_the_window_is_square_in_millimetres_and_follows_the_drift():
    first, last = disc(100, 100, 30, 30, 10), disc(100, 100, 60, 70, 10)
    frame = frame_around({0: first, 4: last}, np.arange(5), np.arange(5.0), (0.5, 0.25))
    assert frame.step[0] * 0.5 == pytest.approx(frame.step[1] * 0.25)
    assert frame.centres[2] == pytest.approx([45, 50], abs=0.6)


def test_a_field_moves_between_windows_of_one_slice():
    mask = disc(100, 100, 50, 45, 12)
    small = frame_around({0: mask}, np.array([0]), np.zeros(1), (1, 1))
    large = frame_around({0: disc(100, 100, 55, 50, 20)}, np.array([0]), np.zeros(1), (1, 1))
    moved = large.transfer(signed_distance(mask, small, 0), 0, small, 0)
    direct = signed_distance(mask, large, 0)
    near = np.abs(direct) < 4
    assert np.abs(moved - direct)[near].max() < 0.5


def test_outside_the_slice_is_known():
    mask = disc(40, 40, 4, 20, 6)
    frame = frame_around({0: mask}, np.array([0]), np.zeros(1), (1, 1))
    inside = frame.inside(0, (40, 40))
    assert not inside[0].any() and inside[SIZE // 2, SIZE // 2]


def test_interpolation_is_linear_in_millimetres():
    fields = {0: np.zeros((2, 2), np.float32), 2: np.ones((2, 2), np.float32)}
    assert interpolate(fields, [0, 1, 2], np.array([0.0, 3.0, 4.0]))[1] == pytest.approx(0.75)


@pytest.mark.parametrize("finest", [flow.FINE, flow.COARSE])
def test_flow_follows_a_shift(finest):
    image, mask = tube(slices=7, drift=(1.0, 2.0))
    flows = flow.neighbour_flows(image, finest)
    coordinates = flow.carried_coordinates(0, 6, flows)
    carried = flow.carry(mask[0].astype(np.float32), coordinates)
    assert dice(carried[6] > 0.5, mask[6]) > 0.85
    assert dice(mask[0], mask[6]) < 0.6


def test_carrying_back_and_forth_returns():
    image, _ = tube(slices=5, drift=(1.0, 1.0))
    flows = flow.neighbour_flows(image)
    there, back = flow.carried_coordinates(0, 4, flows)[-1], flow.carried_coordinates(4, 0, flows)[-1]
    grid = flow.carried_coordinates(0, 0, flows)[0]
    middle = (slice(20, 45), slice(22, 48))
    moved_there = (there - grid)[middle].mean(axis=(0, 1))
    moved_back = (back - grid)[middle].mean(axis=(0, 1))
    assert moved_there == pytest.approx(-moved_back, abs=0.7)


def drawn_on(images, depths):
    """Makes crops of `images` (n, SIZE, SIZE), drawn on the places that it is given."""
    where = frame_around({0: depths[0] > 0}, np.arange(len(images)), np.arange(float(len(images))), (0.5, 0.5))
    return lambda *places: MuscleCrops(where, images, images > -np.inf, {t: depths[t] for t in places})


@pytest.mark.parametrize(("grain_moves", "finest"), [(True, flow.FINE), (False, flow.COARSE)])
def test_the_flow_that_carries_the_drawn_shapes_better_is_used(grain_moves, finest):
    crops = drawn_on(*grainy(grain_moves))
    assert suited_scale([crops(0, 4, 8, 12)]) == finest
    assert suited_scale([crops(0)]) == flow.FINE


def test_flows_that_both_lose_the_drawn_shapes_tell_nothing_of_each_other():
    crops = drawn_on(*grainy(moves=False))
    assert suited_scale([crops(0, 4, 8, 12)]) == flow.COARSE
    assert suited_scale([crops(0, 6, 12)]) == flow.FINE


def test_all_muscles_of_a_volume_have_the_flow_that_suits_them_together():
    fine, coarse = (drawn_on(*grainy(moves))(0, 4, 8, 12) for moves in (True, False))
    assert suited_scale([fine]) == suited_scale([*[fine] * 12, coarse]) == flow.FINE
    assert suited_scale([coarse]) == suited_scale([fine, coarse]) == flow.COARSE
    assert suited_scale([drawn_on(*grainy(True))(0), coarse]) == flow.COARSE


def test_hidden_slices_are_judged_by_the_flow_that_is_used():
    images, depths = grainy(moves=False)
    annotations = annotate({"GM": depths > 0}, (0, 3))
    run = Run(volume_of(images), annotations, Settings(), Progress(60, None, None), WarmState())
    run.draft()
    run.judge()
    assert [task.stack.finest for task in run.works[0].tasks] == [run.works[0].stack.finest] * 2 == [flow.COARSE] * 2


def test_drafts_honour_drawn_and_absent_slices():
    image, mask = tube(slices=15)
    stack = build_stack(
        image, np.arange(15) * 2.0, (0.5, 0.5), {3: mask[3], 9: mask[9]}, frozenset({12}), np.arange(15)
    )
    assert list(stack.possible) == [True] * 12 + [False] * 3
    for draft in stack.drafts.values():
        found = pasted(stack.frame, draft, mask.shape)
        assert dice(found[3], mask[3]) > 0.96 and dice(found[6], mask[6]) > 0.85
        assert 0 < found[11].sum() < found[10].sum() < found[9].sum(), "tapers to where it is absent"
        assert not found[12:].any()


@pytest.mark.parametrize("drawn", [(0, 4), (18, 22)])
def test_beyond_the_drawn_slices_the_window_and_the_drafts_follow_the_tissue(drawn):
    image, mask = tube(slices=23, rows=120, columns=120, centre=(25.0, 40.0), drift=(3.0, 0.5))
    stack = build_stack(image, np.arange(23.0), (0.5, 0.5), {t: mask[t] for t in drawn}, frozenset(), np.arange(23))
    for end in (0, 22):
        seen = [np.flatnonzero(mask[end].any(axis=1 - axis)).mean() for axis in (0, 1)]
        assert stack.frame.centres[end] == pytest.approx(seen, abs=3)
        for draft in stack.drafts.values():
            assert dice(pasted(stack.frame, draft, mask.shape)[end], mask[end]) > 0.7, "its growth, none can tell"


@pytest.mark.filterwarnings("error")
def test_a_speck_too_small_for_the_window_is_followed_nowhere():
    image = np.random.default_rng(0).standard_normal((8, 300, 300)).astype(np.float32)
    speck = np.zeros((300, 300), bool)
    speck[150, 150] = True
    drawn = {0: disc(300, 300, 150, 150, 140), 4: speck}
    stack = build_stack(image, np.arange(8.0), (0.5, 0.5), drawn, frozenset(), np.arange(8))
    assert stack.frame.centres[5:] == pytest.approx(np.full((3, 2), 150), abs=0.6)


@pytest.mark.parametrize("drift", [0.3, 1.5])
def test_a_muscle_that_leaves_its_window_between_the_drawn_slices_has_a_wider_one(drift):
    there = tube(slices=10, rows=100, columns=100, centre=(40.0, 40.0), drift=(0.0, drift))
    image, mask = (np.concatenate([stack, stack[-2::-1]]) for stack in there)
    volume, annotations = volume_of(image), annotate({"vessel": mask}, (0, 18))
    run = Run(volume, annotations, Settings(), Progress(60, None, None), WarmState())
    run.draft()
    run.judge()
    work, positions = run.works[0], np.arange(19) * 2.0
    usual = frame_around(annotations.muscles[0].drawn, np.arange(19), positions, volume.geometry.spacing[1:])
    leaves = drift > 1
    windows = [part.frame.wider for part in (work.stack, *(task.stack for task in work.tasks))]
    assert windows == [leaves] * 3, "hidden slices are judged in the windows that are used"
    assert work.stack.frame.step == pytest.approx(np.multiply(usual.step, 1.5 if leaves else 1))
    assert dice(run.labels() == 1, mask) > 0.9


def test_grey_levels_tell_inside_from_outside():
    image, mask = tube()
    stack = build_stack(image, np.arange(13.0), (0.5, 0.5), {0: mask[0], 12: mask[12]}, frozenset(), np.arange(13))
    ratio = likelihood_ratio(stack.images, stack.known)
    truth = np.stack([stack.frame.sample(m, i) for i, m in enumerate(mask)])
    assert (ratio[truth > 0.9] > 0).mean() > 0.9 and (ratio[truth < 0.1] < 0).mean() > 0.9


def test_an_empty_part_of_a_slice_is_far():
    mask = disc(60, 60, 30, 30, 8)
    frame = frame_around({0: mask}, np.array([0]), np.zeros(1), (1, 1))
    assert (signed_distance(np.zeros_like(mask), frame, 0) == FAR).all()


def test_slices_between_those_worked_on():
    positions = np.array([0.0, 1, 2, 3, 4, 7, 10, 13, 16])
    frame = CropFrame(np.array([0, 4, 8]), np.array([[40.0, 30], [40, 50], [40, 90]]), (1.0, 1.0))
    y, x = np.mgrid[:96, :96] - 47.5
    logits = np.stack([(r - np.hypot(y, x)) / 2 for r in (8, 16, 24)]).astype(np.float32)
    labels = assemble(
        [Placed(frame, logits, np.ones(3, bool))], Annotations((9, 80, 130), [MuscleAnnotation("GM")]), positions
    )
    for t, radius, column in ((1, 10, 35), (3, 14, 45), (5, 18, 60), (7, 22, 80)):
        rows, columns = np.nonzero(labels[t])
        assert len(rows) == pytest.approx(np.pi * radius**2, rel=0.03), t
        assert (rows.mean(), columns.mean()) == pytest.approx((40, column), abs=0.3), t
