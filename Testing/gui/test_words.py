"""A result is set against what it was measured against, by its right name."""

import pytest

FIGURES = {"name": "G<M", "volume_ml": 101.26, "estimate": 0.934, "fill_estimate": 0.88, "interpolation_estimate": 0.85}


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ([], "about 0.93 Dice on your own slices; Fill between slices would give 0.88"),
        (["fill_estimate"], "about 0.93 Dice on your own slices; interpolation alone would give 0.85"),
        (["fill_estimate", "interpolation_estimate"], "about 0.93 Dice on your own slices"),
        (["fill_estimate", "interpolation_estimate", "estimate"], "one drawn slice only, so there is nothing to test"),
    ],
)
def test_an_outcome_names_what_it_is_compared_with(app, missing, sentence):
    from MusclePropLib.gui.words import outcome_text

    text = outcome_text(FIGURES | dict.fromkeys(missing))
    assert f"<b>G&lt;M: 101.3 ml</b><br>{sentence}" in text
    assert text.count("would give") == ("would give" in sentence)


def test_a_small_volume_is_not_none(app):
    from MusclePropLib.gui.words import outcome_text

    assert "<b>G&lt;M: 0.032 ml</b>" in outcome_text(FIGURES | {"volume_ml": 0.0321})
