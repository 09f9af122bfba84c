"""The benchmark: what is drawn, what is kept, what fails, and the statistics."""

import hashlib
import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest
from cone import cone

from MusclePropLib.core import rivals
from MusclePropLib.core.annotations import State
from MusclePropLib.core.benchmark.layouts import LAYOUTS, NotApplicable, annotate
from MusclePropLib.core.benchmark.plan import Plan
from MusclePropLib.core.benchmark.problems import Problem, SimulatedCase, load_problem, origin
from MusclePropLib.core.benchmark.report import markdown
from MusclePropLib.core.benchmark.run import run_benchmark
from MusclePropLib.core.benchmark.statistics import bootstrap_mean, mean_over_subjects, paired_difference
from MusclePropLib.core.benchmark.store import Store
from MusclePropLib.core.cohort.cases import find_cases
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.rivals import nearest
from MusclePropLib.core.segmentation import segmentation_from_labels, segmentation_from_masks, write_segmentation
from MusclePropLib.core.segments import Segment
from MusclePropLib.core.volumes import Volume, write_volume


@pytest.fixture
def folder(tmp_path):
    """Two cases of one cone, labelled on slices 2 to 18 by two muscles."""
    volume, truth = cone()
    labels = truth.astype(np.uint8)
    labels[:, 32:][truth[:, 32:]] = 2
    labels[[0, 1, 19, 20]] = 0
    for name in ("subject_000", "subject_001"):
        write_volume(tmp_path / f"{name}.nrrd", volume)
        write_segmentation(tmp_path / f"{name}.seg.nrrd", segmentation_from_labels(labels, volume.geometry))
    return tmp_path


@pytest.fixture
def measured(folder, tmp_path):
    """Run a plan; returns the rows as they were reported."""

    def run(plan, **more):
        rows = []
        run_benchmark(find_cases(folder), plan, Store(tmp_path / "results.json", {}, **more), rows.append)
        return rows

    return run


def test_a_case_is_cut_to_its_labels_and_keeps_its_place(folder):
    case = find_cases(folder)[0]
    whole, cut = load_problem(case, crop=False), load_problem(case)
    assert len(whole.volume.array) == 21 and len(cut.volume.array) == 17
    assert np.array_equal(cut.volume.array, whole.volume.array[2:19])
    assert np.allclose(cut.volume.geometry.affine @ [0, 0, 0, 1], whole.volume.geometry.affine @ [2, 0, 0, 1])
    assert list(cut.truth) == ["Segment_1", "Segment_2"]


def test_label_any_joins_the_labels(folder):
    case = find_cases(folder)[0]
    joined = load_problem(case, label_any=True).truth
    assert list(joined) == ["any label"]
    assert joined["any label"].sum() == sum(mask.sum() for mask in load_problem(case).truth.values())


@pytest.mark.parametrize(
    ("layout", "expected"), [("equal", [4, 8, 12, 16]), ("partial", [4, 6, 9, 11]), ("middle", [6, 9, 11, 14])]
)
def test_layouts(layout, expected):
    muscle = annotate(two_muscles(), layout, 4).muscles[0]
    assert muscle.drawn_slices == expected
    truth = two_muscles().truth["m"]
    assert all(np.array_equal(mask, truth[t]) for t, mask in muscle.drawn.items())
    assert muscle.state(0) is (State.ABSENT if layout == "equal" else State.UNKNOWN)


def two_muscles():
    """One on slices 4 to 16, the other on slices 2 to 18."""
    volume, truth = cone()
    masks = {"m": truth.copy(), "n": truth.copy()}
    for name, outside in (("m", 4), ("n", 2)):
        masks[name][:outside], masks[name][-outside:] = False, False
    return Problem("c", "c", volume, masks)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_single_drawn_slice(layout):
    try:
        drawn = [muscle.drawn_slices for muscle in annotate(two_muscles(), layout, 1).muscles]
    except NotApplicable:
        assert layout in ("incomplete", "half")
        return
    assert [len(slices) for slices in drawn] == [1, 1]
    if layout in ("equal", "middle"):
        assert drawn == [[10], [10]]


@pytest.mark.parametrize(("layout", "count"), [("half", 4), ("half", 5), ("incomplete", 4), ("incomplete", 3)])
def test_what_is_left_out_is_all_that_differs_from_equal(layout, count):
    whole, thinned = (annotate(two_muscles(), name, count).muscles for name in ("equal", layout))
    for before, after in zip(whole, thinned, strict=True):
        assert after.drawn and set(after.drawn) < set(before.drawn) and after.absent == before.absent
    drawn = [[t in after.drawn for t in before.drawn_slices] for before, after in zip(whole, thinned, strict=True)]
    # Two muscles: at every place exactly one of them is drawn.
    assert all(sum(place) == 1 for place in zip(*drawn, strict=True))
    if layout == "half":
        assert drawn[0] == [place % 2 == 0 for place in range(count)]


def test_a_single_muscle_has_nothing_to_leave_out():
    volume, truth = cone()
    for layout in ("half", "incomplete"):
        with pytest.raises(NotApplicable, match="one muscle only"):
            annotate(Problem("c", "c", volume, {"m": truth}), layout, 5)


def test_chance_follows_the_seed_and_the_case():
    volume, truth = cone()
    draws = (("c", 0), ("c", 0), ("c", 1), ("d", 0))
    problems = [(Problem(name, name, volume, {"m": truth}), seed) for name, seed in draws]
    drawn = [tuple(annotate(problem, "random", 5, seed).muscles[0].drawn_slices) for problem, seed in problems]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 3


def test_seeds_are_those_of_the_layout_or_else_of_the_training():
    plan = {"methods": ("paper-scratch",), "slices": (3,), "seeds": (0, 1), "options": {"paper-scratch": {"steps": 9}}}
    given = {
        (layout, training): [p.options_of("paper-scratch", seed) for _, seed in p.draws()]
        for layout in ("equal", "random")
        for training in (False, True)
        for p in [Plan(layout=layout, training=training, **plan)]
    }
    assert given["equal", False] == [{"steps": 9}]
    assert given["equal", True] == [{"steps": 9}, {"steps": 9, "seed": 1}]
    assert given["random", False] == given["random", True] == [{"steps": 9}, {"steps": 9}]


def test_every_method_gets_the_same_slices_and_a_row(measured):
    rows = measured(Plan(("copy", "interpolation", "area-spline"), (3, 5)))
    assert len(rows) == 2 * 2 * 3 and all(row["status"] == "done" for row in rows)
    for count in (3, 5):
        assert len({json.dumps(row["drawn"]) for row in rows if row["slices"] == count}) == 1
    dice = {r["method"]: r["scores"]["Segment_1"].get("dice") for r in rows if r["slices"] == 3}
    assert dice["interpolation"] > dice["copy"] and dice["area-spline"] is None


def test_a_crash_is_a_row_with_its_reason_and_is_tried_again(measured, monkeypatch):
    def crash(*_):
        raise ZeroDivisionError("by nought")

    plan = Plan(("copy", "interpolation"), (3,))
    with monkeypatch.context() as patch:
        patch.setattr(nearest, "run", crash)
        rows = measured(plan)
    assert [row["status"] for row in rows] == ["failed", "done"] * 2
    assert rows[0]["message"] == "ZeroDivisionError: by nought"
    assert "by nought" in markdown(rows)
    assert [row["status"] for row in measured(plan)] == ["done"] * 4


def test_a_case_that_cannot_be_read_does_not_end_the_run(folder, tmp_path):
    def load(case, **reading):
        if case.name == "subject_000":
            raise ZeroDivisionError("by nought")
        return load_problem(case, **reading)

    rows = []
    plan = Plan(("copy",), (3, 5))
    run_benchmark(find_cases(folder), plan, Store(tmp_path / "rows.json", {}), rows.append, load)
    assert [row["status"] for row in rows] == ["failed"] * 2 + ["done"] * 2
    assert rows[0]["message"] == "ZeroDivisionError: by nought"


def test_a_file_that_is_gone_does_not_end_the_run(folder, tmp_path):
    cases = find_cases(folder)
    cases[0].image.unlink()
    rows = []
    run_benchmark(cases, Plan(("copy",), (3,)), Store(tmp_path / "rows.json", {}), rows.append)
    assert [row["status"] for row in rows] == ["failed", "done"] and "no such file" in rows[0]["message"]


def test_the_files_of_a_dicom_folder_tell_its_states_apart(folder):
    case = replace(find_cases(folder)[0], image=folder / "ct")
    case.image.mkdir()
    for name in ("001.dcm", "000.dcm"):
        (case.image / name).write_bytes(b"one")
    first = origin(case)
    assert first[0][0] == "ct" and first[0][1] and first == origin(case)
    changed = case.image / "000.dcm"
    changed.write_bytes(b"two")
    os.utime(changed, ns=(1, 1))
    assert origin(case)[0][1] != first[0][1]
    changed.write_bytes(b"one")
    assert origin(case) == first


@pytest.mark.parametrize("beside", ["frames.csv", "subject_000.raw", "labels.raw"])
def test_files_beside_an_image_tell_its_states_apart(folder, beside):
    case = find_cases(folder)[0]
    header = "NDims = 3\nDimSize = 6 5 4\nElementType = MET_UCHAR\nElementDataFile = "
    if beside != "frames.csv":
        case = replace(case, image=folder / "subject_000.mhd", labels=folder / "labels.mhd")
        for path in (case.image, case.labels):
            path.write_text(f"{header}{path.stem}.raw\n", encoding="utf-8")
    states = []
    for time, content in enumerate((b"one", b"two", b"one"), 1):
        (folder / beside).write_bytes(content)
        os.utime(folder / beside, ns=(time, time))
        states.append(origin(case))
    assert states[0] == states[2] != states[1]
    assert [name for name, _ in states[0]] == [case.image.name, case.labels.name]


def test_of_a_single_file_its_contents_are_told(folder):
    case = find_cases(folder)[0]
    sums = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in (case.image, case.labels)]
    assert origin(case) == [["subject_000.nrrd", sums[0]], ["subject_000.seg.nrrd", sums[1]]]


def test_two_segments_of_one_name_are_refused(folder, measured):
    volume, truth = cone()
    upper, lower = truth.copy(), truth.copy()
    upper[:, 32:], lower[:, :32] = False, False
    twins = segmentation_from_masks([upper, lower], volume.geometry, [Segment("Vein"), Segment("Vein")])
    write_segmentation(folder / "subject_000.seg.nrrd", twins)
    rows = measured(Plan(("copy",), (3,)))
    assert [row["status"] for row in rows] == ["failed", "done"]
    assert "subject_000.seg.nrrd" in rows[0]["message"] and "'Vein'" in rows[0]["message"]


def test_what_is_done_is_not_done_again(measured, monkeypatch):
    plan = Plan(("copy",), (3,))
    first = measured(plan)
    monkeypatch.setattr(rivals, "_called", lambda *_: pytest.fail("ran again"))
    assert measured(plan) == first
    with pytest.raises(pytest.fail.Exception):
        measured(plan, keep=False)


def test_rows_may_be_measured_anew_one_by_one(measured):
    plan = Plan(("copy",), (3, 5))
    first = measured(plan)
    second = measured(plan, keep=lambda row: row["slices"] == 5)
    same = [a["seconds"] == b["seconds"] for a, b in zip(first, second, strict=True)]
    assert same == [row["slices"] == 5 for row in first]


def test_a_row_says_what_it_was_measured_with_and_what_the_method_expects(measured):
    rows = measured(Plan(("muscleprop-priors",), (4,), layout="partial"))
    assert all("commit" in row for row in rows)
    scores, said = rows[0]["scores"]["Segment_1"], rows[0]["said"]["Segment_1"]
    assert 0 < said["estimate"] <= 1 and said["method"]
    assert scores["beyond_dice"] < scores["dice"]


def test_a_layout_that_does_not_apply_is_skipped_with_its_reason(measured):
    rows = measured(Plan(("copy",), (3,), layout="half", label_any=True))
    assert [row["status"] for row in rows] == ["skipped"] * 2 and "one muscle only" in rows[0]["message"]


def test_a_simulated_calf_is_a_case_too(tmp_path):
    case = SimulatedCase(2000, (24, 50, 60))
    rows = []
    run_benchmark([case], Plan(("copy",), (1, 3)), Store(tmp_path / "results.json", {}), rows.append)
    assert [row["status"] for row in rows] == ["done", "done"] and set(rows[0]["scores"]) == {"GM", "GL", "SOL"}
    run_benchmark([case], Plan(("copy",), (1, 3)), Store(tmp_path / "results.json", {}), rows.append, load=pytest.fail)
    assert rows[2:] == rows[:2]


def test_a_changed_case_is_measured_anew(measured, folder):
    plan = Plan(("copy",), (3,))
    before = measured(plan)[0]["scores"]["Segment_1"]["dice"]
    volume, truth = cone()
    moved = segmentation_from_labels(np.roll(truth, 3, axis=0).astype(np.uint8), volume.geometry)
    write_segmentation(folder / "subject_000.seg.nrrd", moved)
    assert measured(plan)[0]["scores"]["Segment_1"]["dice"] != before


def test_a_case_that_was_copied_is_the_same_case(measured, folder, monkeypatch):
    """Figures of another day or another machine are not measured, or counted, twice."""
    first = measured(Plan(("copy",), (3,)))
    for path in folder.glob("subject_*"):
        os.utime(path, (0, 0))
    monkeypatch.setattr(rivals, "_called", lambda *_: pytest.fail("ran again"))
    assert measured(Plan(("copy",), (3,))) == first


def test_a_damaged_case_does_not_stop_the_others(measured, folder):
    (folder / "subject_000.nrrd").write_bytes(b"NRRD0004\nnonsense\n")
    rows = measured(Plan(("copy",), (3,)))
    assert [row["status"] for row in rows] == ["failed", "done"]
    assert "subject_000.nrrd" in rows[0]["message"]


def test_a_file_that_is_no_result_is_refused(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"rows": [{}]}', encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.json: not the results"):
        Store(path, {})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"methods": ("magic",)}, "no method is called 'magic'"),
        ({"layout": "spiral"}, "no layout is called 'spiral'"),
        ({"slices": (0,)}, "at least 1"),
        ({"slices": ()}, "at least 1"),
        ({"seeds": ()}, "needs seeds"),
        ({"seeds": (-1,)}, "needs seeds"),
        ({"options": {"copy": {"foo": 1}}}, "copy has no option 'foo'"),
        ({"options": {"muscleprop-priors": {"time_limt": 3}}}, "no option 'time_limt'.*time_limit"),
        ({"options": {"flow": {"carrry": "masks"}}}, "there are carry"),
    ],
)
def test_an_impossible_plan_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        Plan(**{"methods": ("copy",), "slices": (3,)} | wrong)


def test_options_of_every_method_are_known():
    """Those of MuscleProp are its settings, besides its own; a method of volumes alone has others than `run`."""
    Plan(("copy",), (3,), options={"muscleprop": {"time_limit": 9.0, "alone": True}, "labelprop": {"epochs": 2}})
    with pytest.raises(InputError, match="area-spline has no option"):
        Plan(("copy",), (3,), options={"area-spline": {"epochs": 2}})


def test_bootstrap_agrees_with_theory_and_leaves_out_nan():
    values = np.random.default_rng(1).normal(5, 2, 60)
    found = bootstrap_mean([*values, math.nan])
    half = 1.96 * values.std(ddof=1) / math.sqrt(60)
    assert (found.mean, found.count) == (pytest.approx(values.mean()), 60)
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert math.isnan(bootstrap_mean([3.0]).low) and math.isnan(bootstrap_mean([]).mean)


def row(subject, dice, **more):
    return {"subject": subject, "scores": {"m": {"dice": dice, **more}}}


def test_subjects_and_not_volumes_are_counted():
    rows = [row("a", 0.8), row("a", 0.6), row("a", 0.7), row("b", 0.9), row("c", None)]
    found = mean_over_subjects(rows, "dice")
    assert (found.mean, found.count) == (pytest.approx(0.8), 2)


def test_sizes_are_taken_before_the_mean():
    rows = [row("a", 1.0, volume_error_percent=-4.0), row("b", 1.0, volume_error_percent=4.0)]
    assert mean_over_subjects(rows, "volume_error_percent").mean == 0
    assert mean_over_subjects(rows, "volume_error_percent", size=True).mean == 4


def test_a_small_but_steady_difference_is_seen_through_large_scatter():
    base = np.linspace(0.3, 0.9, 20)
    first = [row(str(i), value + 0.01) for i, value in enumerate(base)]
    second = [row(str(i), value) for i, value in enumerate(base)]
    found = paired_difference(first, second, "dice")
    assert found.low > 0 and found.mean == pytest.approx(0.01)


def test_the_page_names_methods_and_cases(measured):
    page = markdown(measured(Plan(("copy",), (3, 5))))
    assert "## 3 drawn slices, layout equal" in page and "Nearest slice copied" in page
    assert page.count("| subject_000 |") == 2 * 2


def test_volume_reading_is_along_the_chosen_axis(tmp_path):
    volume, truth = cone()
    turned = Volume(np.ascontiguousarray(np.moveaxis(volume.array, 0, 2)), volume.geometry.moved(2).moved(2))
    write_volume(tmp_path / "image.nrrd", turned)
    labels = np.ascontiguousarray(np.moveaxis(truth, 0, 2)).astype(np.uint8)
    write_segmentation(tmp_path / "label.nrrd", segmentation_from_labels(labels, turned.geometry))
    problem = load_problem(find_cases(tmp_path)[0], axis=2)
    assert np.array_equal(problem.volume.array, volume.array)
    assert np.array_equal(problem.truth["Segment_1"], truth)
    assert problem.volume.geometry.spacing == pytest.approx(volume.geometry.spacing)


def test_a_muscle_with_all_of_its_slices_drawn_costs_the_others_nothing(tmp_path, folder):
    case = find_cases(folder)[0]
    problem = load_problem(case)
    short = problem.truth["Segment_2"].copy()
    short[:4], short[9:] = False, False
    problem.truth["Segment_2"] = short
    rows = []
    plan = Plan(("copy", "area-spline"), (9, 17))
    run_benchmark([case], plan, Store(tmp_path / "rows.json", {}), rows.append, lambda *_, **__: problem)
    assert [row["status"] for row in rows] == ["done", "done", "skipped", "skipped"]
    assert list(rows[0]["scores"]) == ["Segment_1"] and "left to find" in rows[-1]["message"]
