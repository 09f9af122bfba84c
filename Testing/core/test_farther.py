"""Step by step beyond the drawn slices."""

import numpy as np
import pytest
import torch

from MusclePropLib.core.annotations import MuscleAnnotation
from MusclePropLib.core.guided.farther import step_by_step
from MusclePropLib.core.guided.inputs import draft_logits, guided_config
from MusclePropLib.core.guided.muscle import FREE_NETWORK, MuscleWork, with_draft
from MusclePropLib.core.guided.tuning import Tuning
from MusclePropLib.core.network import Network
from MusclePropLib.core.priors.distance import signed_distance
from MusclePropLib.core.priors.stack import CARRIED, build_stack
from Testing.core.tubes import dice, tube

SPACING, POSITIONS = (0.5, 0.5), 2.0 * np.arange(33)
DRAWN = (12, 16, 20)


@pytest.fixture(scope="module")
def drifting():
    """A tube that drifts through an image which stands still, drawn in the middle, and its work."""
    image, mask = tube(slices=33, centre=(22.0, 22.0), drift=(0.3, 0.5), radius=9.0)
    image[:] = image[16]
    drawn = {t: mask[t] for t in DRAWN}
    stack = build_stack(image, POSITIONS, SPACING, drawn, frozenset(), np.arange(33))
    return mask, MuscleWork(0, MuscleAnnotation("x", drawn), stack, POSITIONS)


def mending(mask, most=4.0):
    """A network that moves a draft's borders towards the true ones, by `most` pixels."""

    def correct(stack, others):
        truth = np.stack([signed_distance(mask[t], stack.frame, at) for at, t in enumerate(stack.slices)])
        draft = stack.drafts[CARRIED]
        return draft_logits(draft + np.clip(truth - draft, -most, most))

    return correct


def scores(work, logits, mask):
    truth = np.stack([signed_distance(mask[t], work.stack.frame, t) > 0 for t in range(33)])
    return np.array([dice(found > 0, true) for found, true in zip(logits, truth, strict=True)])


def test_small_corrections_keep_a_muscle_that_is_carried_wrongly(drifting):
    mask, work = drifting
    correct = mending(mask)
    once = with_draft(correct(work.stack, None), work.stack.drafts[CARRIED])
    found = step_by_step(work, once, None, SPACING, correct)
    inner = slice(DRAWN[0], DRAWN[-1] + 1)
    np.testing.assert_array_equal(found[inner], once[inner])
    before, after = scores(work, once, mask), scores(work, found, mask)
    for far in ([0, 1, 2], [30, 31, 32]):
        assert after[far].mean() > before[far].mean() + 0.03
    assert (after >= before - 0.005).all()


def test_where_nothing_was_found_there_is_nothing_to_go_on_from(drifting):
    _, work = drifting
    nothing = np.full_like(work.stack.images, -6)
    asked = []
    found = step_by_step(work, nothing, None, SPACING, lambda stack, others: asked.append(stack))
    assert not asked
    np.testing.assert_array_equal(found, nothing)


def test_each_step_starts_at_the_found_mask_and_sees_the_others_on_its_own_slices(drifting):
    mask, work = drifting
    others = np.broadcast_to(np.arange(33.0)[:, None, None], work.stack.images.shape)
    once = with_draft(mending(mask)(work.stack, None), work.stack.drafts[CARRIED])

    def correct(stack, seen):
        assert np.array_equal(seen[:, 0, 0], stack.slices)
        assert len(stack.known) == 1 and not {int(stack.slices[place]) for place in stack.known} & set(DRAWN)
        assert np.array_equal(stack.likelihood, work.stack.likelihood[stack.slices]), "learnt from what was drawn"
        return mending(mask)(stack, seen)

    step_by_step(work, once, others, SPACING, correct)


def test_networks_go_on_step_by_step_once_they_are_tuned(drifting):
    _, work = drifting
    tuning = Tuning.of(Network(guided_config()), torch.device("cpu"))
    tuning.correct(work, [work], SPACING)
    once = work.candidates[FREE_NETWORK]
    tuning.tuned = True
    tuning.correct(work, [work], SPACING)
    changed = np.flatnonzero((work.candidates[FREE_NETWORK] != once).any(axis=(1, 2)))
    assert changed.size and set(changed) <= {*range(DRAWN[0]), *range(DRAWN[-1] + 1, 33)}
    assert {0, 32} <= set(changed)
