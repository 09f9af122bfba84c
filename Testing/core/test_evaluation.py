"""Prediction covers every slice once, from the clip in whose middle it lies; scores count known slices only."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib.core.cohort.cases import Case
from MusclePropLib.core.cohort.evaluation import full_scores, known_dice, mean_dice, predict
from MusclePropLib.core.cohort.prepared import PreparedCase
from MusclePropLib.core.network import Output


class Thresholds(torch.nn.Module):
    """Class 1 where the frame is bright; notes the clips that it was given."""

    def __init__(self):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.clips = []

    def forward(self, clip):
        self.clips.append(clip[:, 0, 0, 0].numpy().copy())
        return Output(torch.cat((0.5 - clip, clip - 0.5), 1), None)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 5))
def test_every_slice_is_predicted_whatever_the_clip(count, slices, step):
    bright = np.random.default_rng(count).random((count, 3, 4)) > 0.5
    labels = predict(Thresholds(), bright.astype(np.float16), slices, step)
    np.testing.assert_array_equal(labels, bright)


def test_clips_are_neighbours_a_step_apart():
    network = Thresholds()
    stack = np.broadcast_to(np.arange(21)[:, None, None] / 32, (21, 3, 4)).astype(np.float16)
    predict(network, stack, 4, 2)
    for clip in network.clips:
        np.testing.assert_allclose(np.diff(clip) * 32, 2)
        assert len(clip) == 4


def case_of(mask, known):
    bits = mask.astype(np.uint16)
    return PreparedCase(Case("a", "a", None, None), ("GM",), bits, bits, np.array([known]), np.arange(len(mask)) * 2.0)


def test_only_known_slices_count():
    mask = np.zeros((3, 6, 6), bool)
    mask[:2, 1:4, 1:4] = True
    case = case_of(mask, [True, False, True])
    prediction = np.zeros(mask.shape, np.uint8)
    prediction[0, 1:4, 1:3] = 1
    prediction[1] = 1
    assert known_dice(prediction, case, ("GM", "GL")) == {"GM": pytest.approx(2 * 6 / (6 + 9))}
    scores = full_scores(prediction, case, ("GM", "GL"), 0.5)
    assert set(scores) == {"GM"} and scores["GM"].dice == pytest.approx(0.8) and scores["GM"].slices == 2


def test_mean_is_over_labels_first_seen_anywhere():
    found = [{"GM": 0.8, "GL": 0.2}, {"GM": 0.6}]
    means = mean_dice(found, ("GM", "GL", "SOL"))
    assert means == {"dice": pytest.approx(0.45), "dice GM": pytest.approx(0.7), "dice GL": 0.2, "dice SOL": ""}
