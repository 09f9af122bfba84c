"""Which segments are compared, and which slices count."""

import json

import numpy as np
import pytest

from MusclePropLib.core.annotations import SLICES_TAG
from MusclePropLib.core.comparison import compare, match_segments
from MusclePropLib.core.completed import COMPLETED, STATUS_TAG
from MusclePropLib.core.defaults import GM
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segments import Segment, Segmentation

SHAPE = (8, 12, 10)
GRID = Geometry.from_spacing(SHAPE, (2.0, 0.5, 0.5))


def segmentation(masks, tags=None, values=None, grid=GRID):
    """One layer per segment, named by the keys."""
    values = values or [1] * len(masks)
    layers = [mask.astype(np.uint8) * value for mask, value in zip(masks.values(), values, strict=True)]
    segments = [
        Segment(name, tags=(tags or {}).get(name, {}), layer=i, value=values[i]) for i, name in enumerate(masks)
    ]
    return Segmentation(grid, layers, segments, "file.nrrd")


def block(first=1, last=6, rows=slice(3, 9)):
    mask = np.zeros(SHAPE, bool)
    mask[first : last + 1, rows, 2:8] = True
    return mask


def test_names_decide_whatever_their_order_or_case():
    a, b = block(), block(rows=slice(0, 3))
    found = compare(segmentation({"gl ": b, "GM": a}), segmentation({"GM": a, "GL": b}))
    assert {name: s.dice for name, s in found.scores.items()} == {"GM": 1, "GL": 1}


def test_short_and_full_names_are_one_muscle():
    pairs = match_segments(segmentation({"Gastrocnemius medialis": block()}), segmentation({"GM": block()}))
    assert pairs == {0: 0}


def test_label_values_decide_where_no_name_fits():
    a, b = block(), block(rows=slice(0, 3))
    prediction = segmentation({"Segment_7": b, "Segment_5": a}, values=[7, 5])
    found = compare(prediction, segmentation({"one": a, "two": b}, values=[5, 7]))
    assert {name: s.dice for name, s in found.scores.items()} == {"one": 1, "two": 1}


def test_values_that_segments_in_layers_of_their_own_share_decide_nothing():
    """Slicer gives each of them the value 1."""
    a, b = block(), block(rows=slice(0, 3))
    with pytest.raises(InputError, match=r"'one', 'two'.*'three', 'four'"):
        match_segments(segmentation({"one": a, "two": b}), segmentation({"three": a, "four": b}))


def test_where_no_muscle_is_is_not_scored():
    masks = {"GM": block(), "Not muscle": block(rows=slice(0, 3))}
    found = compare(segmentation(masks), segmentation(masks), segmentation(masks), axis=1)
    assert list(found.scores) == ["GM"] and not found.extra and not found.all_slices


def test_single_segments_belong_together():
    assert match_segments(segmentation({"a": block()}, values=[3]), segmentation({"b": block()})) == {0: 0}


def test_nothing_that_fits_is_an_error_that_names_both():
    two = segmentation({"a": block(), "b": block()}, values=[8, 9])
    with pytest.raises(InputError, match=r"'a', 'b'.*'c'"):
        match_segments(two, segmentation({"c": block()}))


@pytest.mark.parametrize("names", [("GM", "gm"), ("GM", "Gastrocnemius medialis"), ("GM", "left"), ("left", "right")])
def test_exact_names_come_first(names):
    """Case and terminology only help where there is no such name: here two segments are coded as the same muscle."""
    masks = dict(zip(names, (block(), block(rows=slice(0, 3))), strict=True))
    tags = {name: {"TerminologyEntry": GM.terminology} for name in names}
    found = compare(segmentation(dict(reversed(masks.items())), tags), segmentation(masks, tags))
    assert {name: s.dice for name, s in found.scores.items()} == dict.fromkeys(names, 1)
    one = compare(segmentation(masks, tags), segmentation({names[1]: masks[names[1]]}, tags))
    assert one.scores[names[1]].dice == 1 and one.extra == names[:1]


def test_names_that_could_both_be_meant_are_refused():
    twins = segmentation({"GM": block(), "Gastrocnemius medialis": block()})
    for pair in (("gm", twins), (twins, "gm")):
        given = [segmentation({each: block()}) if isinstance(each, str) else each for each in pair]
        with pytest.raises(InputError, match="'GM' and 'Gastrocnemius medialis' are names of the same muscle"):
            match_segments(*given)


def test_a_name_that_stands_twice_is_refused():
    twice = segmentation({"GM": block(), "gm": block()})
    twice.segments[1].name = "GM"
    with pytest.raises(InputError, match="same name"):
        match_segments(twice, twice)


def test_what_the_prediction_lacks_counts_as_empty_and_what_it_adds_does_not_count():
    reference = segmentation({"GM": block(), "GL": block(rows=slice(0, 3))})
    found = compare(segmentation({"GM": block(), "new": block()}), reference)
    assert found.scores["GL"].dice == 0 and found.missing == ("GL",) and found.extra == ("new",)


def test_only_slices_that_were_not_drawn_count():
    truth, prediction, drawn = block(), block(), np.zeros(SHAPE, bool)
    drawn[[1, 6]] = truth[[1, 6]]
    prediction[1] = False
    prediction[3, 3] = False
    found = compare(segmentation({"m": prediction}), segmentation({"m": truth}), segmentation({"m": drawn}))
    assert found.scores["m"].slices == 6
    assert found.scores["m"].dice == pytest.approx(2 * 138 / (138 + 144))


def tagged(masks, drawn, absent=(), axis=0, grid=GRID):
    """A result: on each segment, the same slices were drawn."""
    value = json.dumps({"axis": axis, "drawn": list(drawn), "absent": list(absent)})
    return segmentation(masks, {name: {SLICES_TAG: value} for name in masks}, grid=grid)


def test_without_a_drawing_the_result_says_which_slices_were_drawn_or_absent():
    truth, prediction = block(), block()
    prediction[[0, 1]] = True
    found = compare(tagged({"m": prediction}, [1], [0]), segmentation({"m": truth}))
    assert (found.scores["m"].slices, found.scores["m"].dice, found.all_slices) == (6, 1, ())
    drawn = segmentation({"m": np.where(np.arange(8)[:, None, None] == 1, truth, False)})
    assert compare(tagged({"m": prediction}, [1], [0]), segmentation({"m": truth}), drawn).scores["m"].slices == 7


def test_the_slices_that_a_result_names_move_with_it_and_along_its_own_axis():
    truth = np.moveaxis(block(2, 5), 0, 1).copy()
    affine = Geometry.from_spacing(truth.shape, (0.5, 2.0, 0.5)).affine
    grid, wrong = Geometry(truth.shape, affine), truth.copy()
    wrong[:, 3] = False
    crop = Geometry((12, 6, 10), np.column_stack([affine[:, :3], affine @ [0, 2, 0, 1]]))
    result = tagged({"m": wrong[:, 2:]}, [1], axis=1, grid=crop)
    found = compare(result, segmentation({"m": truth}, grid=grid)).scores["m"]
    assert (found.slices, found.dice) == (7, 1)


def test_slices_drawn_along_another_axis_than_that_asked_for_are_not_known():
    result = tagged({"m": block()}, [1])
    found = compare(result, segmentation({"m": block()}), axis=1)
    assert (found.scores["m"].slices, found.all_slices) == (12, ("m",))
    both = {"GM": block(), "GL": block(rows=slice(0, 3))}
    result = tagged(both, [1])
    result.segments[1].tags = {SLICES_TAG: '{"axis": 1, "drawn": [1], "absent": []}'}
    with pytest.raises(InputError, match=r"file\.nrrd: drawn along several axes \[0, 1\]"):
        compare(result, segmentation(both))
    assert compare(result, segmentation(both), axis=1).all_slices == ("GM",)


def test_a_completed_muscle_may_have_been_drawn_along_another_axis():
    both = {"GM": block(), "SOL": block(rows=slice(0, 3))}
    result = tagged(both, [1])
    result.segments[1].tags = {SLICES_TAG: '{"axis": 1, "drawn": [1], "absent": []}', STATUS_TAG: COMPLETED}
    found = compare(result, segmentation(both))
    assert (found.scores["GM"].slices, found.all_slices) == (7, ("SOL",))


@pytest.mark.parametrize("absent", [(), (0, 7)])
def test_two_whole_drawings_can_be_compared(absent):
    """Nothing of them was propagated; beyond the muscle there is nothing to score."""
    smaller = block()
    smaller[:, :4] = False
    found = compare(tagged({"m": smaller}, range(1, 7), absent), tagged({"m": block()}, range(1, 7), absent))
    assert (found.scores["m"].slices, found.all_slices) == (8, ("m",)) and found.scores["m"].dice < 1


def test_a_result_in_which_nothing_was_found_is_one_all_the_same():
    truth, prediction = block(), np.zeros_like(block())
    prediction[2] = truth[2]
    result = tagged({"m": prediction}, [2])
    result.segments[0].tags[PROVENANCE_TAG] = "{}"
    found = compare(result, segmentation({"m": truth}))
    assert (found.scores["m"].slices, found.scores["m"].dice) == (7, 0)


def test_a_result_that_names_slices_which_it_has_not_is_named():
    result = tagged({"m": block()}, [1, 9])
    result.source = "result.nrrd"
    with pytest.raises(InputError, match=r"result\.nrrd .*'m': excluded slice 9"):
        compare(result, segmentation({"m": block()}))


def test_absent_slices_and_the_axis_come_from_the_tag():
    truth = np.moveaxis(block(), 0, 1).copy()
    grid = Geometry.from_spacing(truth.shape, (0.5, 2.0, 0.5))
    drawn = np.zeros_like(truth)
    drawn[:, 1] = truth[:, 1]
    tags = {"m": {SLICES_TAG: '{"axis": 1, "drawn": [1], "absent": [0, 7]}'}}
    masks = segmentation({"m": truth}, grid=grid), segmentation({"m": drawn}, tags, grid=grid)
    assert compare(masks[0], masks[0], masks[1]).scores["m"].slices == 5


def test_a_muscle_that_is_drawn_nowhere_is_said_to_count_whole():
    both = {"GM": block(), "GL": block(rows=slice(0, 3))}
    drawn = np.zeros(SHAPE, bool)
    drawn[2] = both["GM"][2]
    found = compare(segmentation(both), segmentation(both), segmentation({"GM": drawn}), axis=0)
    assert found.all_slices == ("GL",)
    assert (found.scores["GM"].slices, found.scores["GL"].slices) == (7, 8)


def test_a_grid_that_is_part_of_the_other_is_put_in_place():
    truth = block()
    affine = GRID.affine.copy()
    affine[:3, 3] += affine[:3, 0]
    part = segmentation({"m": truth[1:7]}, grid=Geometry((6, 12, 10), affine))
    assert compare(part, segmentation({"m": truth})).scores["m"].dice == 1


@pytest.mark.parametrize("turned", [False, True])
def test_what_lies_beyond_a_cropped_reference_counts(turned):
    """The figures are those on the whole grid, though its first slices are not the crop's; so are the drawn slices."""
    truth, leaking = block(2, 5), block(0, 6, slice(1, 12))
    drawn = np.zeros(SHAPE, bool)
    drawn[[0, 3]] = leaking[[0, 3]]
    affine = GRID.affine.copy()
    affine[:, 3] = GRID.affine @ [2, 3, 2, 1]
    cut, crop = truth[2:6, 3:9, 2:8], Geometry((4, 6, 6), affine)
    if turned:
        affine[:, 3] = GRID.affine @ [2, 8, 2, 1]
        affine[:, 1] *= -1
        cut, crop = cut[:, ::-1], Geometry((4, 6, 6), affine)
    given = segmentation({"m": leaking}), segmentation({"m": drawn})
    found = compare(given[0], segmentation({"m": cut}, grid=crop), given[1]).scores["m"]
    whole = compare(given[0], segmentation({"m": truth}), given[1]).scores["m"]
    assert whole.slices == 6 and whole.dice < 0.7 and whole.volume_error_percent > 50
    assert found.to_json() == pytest.approx(whole.to_json())


def test_other_grids_are_refused():
    other = Geometry.from_spacing(SHAPE, (2.0, 0.4, 0.5))
    with pytest.raises(InputError, match="grid"):
        compare(segmentation({"m": block()}, grid=other), segmentation({"m": block()}))
