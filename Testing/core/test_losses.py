"""Losses against values worked out by hand, and the direction in which each one pushes."""

import math

import pytest
import torch

from MusclePropLib.core.losses import (
    dice_loss,
    known_cross_entropy,
    negative_loss,
    one_against_rest,
    paper_negative_loss,
    partial_label_loss,
    reconstruction_loss,
)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def frames(*rows: list[float]) -> torch.Tensor:
    """Each row of numbers is one slice of one class, one pixel high."""
    return torch.tensor(rows, dtype=torch.float64)[:, None, None, :]


def known(*states: bool) -> torch.Tensor:
    return torch.tensor(states)[:, None]


def gradient(loss, logits: torch.Tensor) -> torch.Tensor:
    logits = logits.clone().requires_grad_()
    loss(logits).backward()
    return logits.grad


def test_reconstruction_is_the_mean_square():
    assert reconstruction_loss(frames([0.0, 0.5]), frames([1.0, 0.0])).item() == pytest.approx((1 + 0.25) / 2)


def test_dice_by_hand_over_all_known_slices_together():
    probabilities, masks = frames([0.8, 0.4], [0.5, 0.1], [0.9, 0.9]), frames([1, 0], [1, 0], [0, 1])
    # Slice 2 is unknown. Overlap .8 + .5; squares .64 + .16 + .25 + .01 = 1.06; truth 2; epsilon 1.
    expected = 1 - (2 * 1.3 + 1) / (1.06 + 2 + 1)
    assert dice_loss(probabilities, masks, known(True, True, False)).item() == pytest.approx(expected)


def test_dice_is_the_mean_over_known_classes_only():
    probabilities = torch.tensor([[[[0.5]], [[0.9]]]], dtype=torch.float64)
    masks = torch.tensor([[[[1.0]], [[0.0]]]], dtype=torch.float64)
    one = dice_loss(probabilities, masks, torch.tensor([[True, False]])).item()
    both = dice_loss(probabilities, masks, torch.tensor([[True, True]])).item()
    assert one == pytest.approx(1 - 2 / 2.25)
    assert both == pytest.approx((1 - 2 / 2.25 + 1 - 1 / 1.81) / 2)


def test_absent_slices_alone_have_a_defined_dice_that_falls_with_p():
    absent = frames([0.0, 0.0])
    assert dice_loss(absent, absent, known(True)).item() == pytest.approx(0)
    assert dice_loss(frames([0.5, 0.5]), absent, known(True)).item() == pytest.approx(1 - 1 / 1.5)


def test_cross_entropy_by_hand():
    logits, masks = frames([logit(0.8), logit(0.4)], [logit(0.5), 9.0]), frames([1, 0], [0, 0])
    expected = -(math.log(0.8) + math.log(0.6)) / 2
    assert known_cross_entropy(logits, masks, known(True, False)).item() == pytest.approx(expected)


def test_negative_loss_by_hand():
    logits = frames([logit(0.8), logit(0.4), logit(0.3)], [logit(0.9)] * 3)
    negatives = frames([1, 1, 0], [1, 1, 1])
    expected = -(math.log(0.2) + math.log(0.6)) / 2
    assert negative_loss(logits, negatives, known(False, True)).item() == pytest.approx(expected)


@pytest.mark.parametrize("detach", [False, True])
def test_paper_negative_loss_by_hand(detach):
    logits, negatives = frames([logit(0.8), logit(0.4), logit(0.3)]), frames([1, 1, 0])
    expected = 2 * 1.2 / (2 + 0.64 + 0.16 + 0.09)
    assert paper_negative_loss(logits, negatives, known(False), detach).item() == pytest.approx(expected)


def test_partial_labels_by_hand():
    p = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]], dtype=torch.float64)
    allowed = torch.tensor([[False, True, False], [True, False, True], [True, True, True]])
    logits = p.log().T[None, :, None, :]
    expected = -(math.log(0.5) + math.log(0.7)) / 2
    assert partial_label_loss(logits, allowed.T[None, :, None, :]).item() == pytest.approx(expected)


def test_one_against_the_rest_is_the_softmax_as_binary_logits():
    logits = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(one_against_rest(logits).sigmoid(), logits.softmax(1))
    assert torch.isfinite(one_against_rest(logits * 1e4)).all()


def test_gradients_push_each_kind_of_pixel_its_own_way():
    # Slice 0 is drawn: pixel 0 muscle, pixel 1 not. Slice 1 is unknown: pixel 0 negative, pixel 1 unknown.
    logits, masks, negatives = torch.zeros(2, 1, 1, 2), frames([1, 0], [0, 0]), frames([0, 1], [1, 0])
    states = known(True, False)

    def total(z):
        return (
            dice_loss(z.sigmoid(), masks, states)
            + known_cross_entropy(z, masks, states)
            + negative_loss(z, negatives, states)
        )

    push = -gradient(total, logits.double())[:, 0, 0]
    assert push[0, 0] > 0 and push[0, 1] < 0 and push[1, 0] < 0 and push[1, 1] == 0


def test_a_slice_without_evidence_gives_no_gradient():
    logits, nothing = torch.randn(3, 1, 4, 4), torch.zeros(3, 1, 4, 4)
    unknown = known(False, False, False)
    for loss in (
        lambda z: dice_loss(z.sigmoid(), nothing, unknown),
        lambda z: known_cross_entropy(z, nothing, unknown),
        lambda z: negative_loss(z, nothing, unknown),
        lambda z: paper_negative_loss(z, nothing, unknown),
        lambda z: partial_label_loss(torch.cat((z, -z), 1), torch.ones(3, 2, 4, 4, dtype=torch.bool)),
    ):
        assert torch.count_nonzero(gradient(loss, logits)) == 0


def test_huge_logits_stay_finite_and_still_teach():
    logits = torch.tensor([-2e4, 2e4])[None, None, None, :]
    truth = frames([1, 0]).float()
    excluded = torch.tensor([[True, False], [False, True]])[None, :, None, :]
    for loss in (
        lambda z: known_cross_entropy(z, truth, known(True)),
        lambda z: negative_loss(z, torch.ones_like(z), known(False)),
        lambda z: partial_label_loss(torch.cat((z, -z), 1), excluded),
    ):
        assert torch.isfinite(loss(logits)) and torch.isfinite(gradient(loss, logits)).all()
        assert gradient(loss, logits).abs().max() > 0


def descend(loss) -> torch.Tensor:
    """Free logits: one unknown slice of 100 pixels, 30 of them negative, all beginning at p = .21."""
    logits = torch.full((1, 1, 1, 100), logit(0.21), requires_grad=True)
    negatives = torch.zeros(1, 1, 1, 100)
    negatives[..., :30] = 1
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        loss(logits, negatives, known(False)).backward()
        optimiser.step()
    return logits.detach().sigmoid()[0, 0, 0]


def test_the_papers_equation_3_raises_true_background_and_ours_does_not():
    raw = descend(lambda *a: paper_negative_loss(*a, detach=False))
    ours = descend(negative_loss)
    detached = descend(paper_negative_loss)
    assert raw[30:].min() > 0.9
    for result in (ours, detached):
        assert result[:30].max() < 0.05
        torch.testing.assert_close(result[30:], torch.full((70,), 0.21))
