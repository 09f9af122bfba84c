"""The experiments: comparable rows, nothing computed twice, and a verdict that does not say more than the numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_cohort import TINY, write_case, write_cohort

from MusclePropLib.core.cohort import experiments
from MusclePropLib.core.cohort.cases import find_cases, split_subjects
from MusclePropLib.core.cohort.experiments import EXPERIMENTS, Experiment, Row, experiment, run_experiment
from MusclePropLib.core.cohort.report import order, summarise, write_report
from MusclePropLib.core.errors import InputError

SOURCE = Row("GL", "GL", variant="unet-s")
PLAN = Experiment(
    "Tiny",
    (
        Row("half", "GM", "unet-s", share=0.5, paper=50),
        Row("half, from GL", "GM", "unet-s", share=0.5, init=SOURCE, paper=60),
    ),
)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return find_cases(write_cohort(tmp_path_factory.mktemp("cohort")))


def test_a_run_writes_its_report_and_is_not_repeated(cases, tmp_path, monkeypatch):
    base, stages = replace(TINY, steps=2), []
    results = run_experiment(PLAN, cases, tmp_path, base, (0, 1), stages.append)
    text = write_report(tmp_path, "tiny", PLAN, results, {"seeds": 2})
    assert "| half, from GL |" in text and (tmp_path / "tiny.md").read_text(encoding="utf-8") == text
    assert (tmp_path / "tiny.png").stat().st_size > 1000
    found = json.loads((tmp_path / "tiny.json").read_text(encoding="utf-8"))
    assert [len(row["by_seed"]["dice"]) for row in found["rows"]] == [2, 2]
    assert next(e["text"] for e in stages if e["event"] == "stage") == "run 1 of 4: half, seed 0"
    assert len(list((tmp_path / "runs").glob("GL_*.safetensors"))) == 2
    tests = [set(run["cases"]) for run in results[PLAN.rows[0]]]
    assert tests == [set(run["cases"]) for run in results[PLAN.rows[1]]], "rows of a seed share the split"

    monkeypatch.setattr(experiments, "fit", lambda *a, **k: pytest.fail("computed again"))
    again = run_experiment(PLAN, cases, tmp_path, base, (0, 1))
    assert again == results
    with pytest.raises(InputError, match="other settings"):
        run_experiment(PLAN, cases, tmp_path, replace(base, learning_rate=1e-4), (0,))
    for number in range(5):
        write_case(tmp_path / "others", number, seed=number + 5)
    with pytest.raises(InputError, match="other settings or cases"):
        run_experiment(PLAN, find_cases(tmp_path / "others"), tmp_path, base, (0,))


def test_shorter_runs_go_on_and_longer_ones_are_told_of(cases, tmp_path):
    plan = Experiment("Tiny", PLAN.rows[:1])
    runs = [
        run_experiment(plan, cases, folder, replace(TINY, steps=steps), (0,))
        for folder, steps in ((tmp_path / "on", 2), (tmp_path / "on", 10), (tmp_path / "at once", 10))
    ]
    assert [run[plan.rows[0]][0]["steps"] for run in runs] == [2, 10, 10]
    assert runs[1][plan.rows[0]][0]["cases"] == runs[2][plan.rows[0]][0]["cases"]
    result = next((tmp_path / "on").rglob("*.json"))
    before = result.read_bytes()
    for shorter in ({"steps": 2}, {"steps": 0, "epochs": 1}):
        with pytest.raises(InputError, match="longer training than is asked for"):
            run_experiment(plan, cases, tmp_path / "on", replace(TINY, **shorter), (0,))
    assert result.read_bytes() == before


def test_a_run_of_more_patience_is_no_run_of_less(cases, tmp_path):
    plan, still = Experiment("Tiny", PLAN.rows[:1]), replace(TINY, learning_rate=0.0)
    assert run_experiment(plan, cases, tmp_path, still, (0,))[plan.rows[0]][0]["steps"] == TINY.steps
    with pytest.raises(InputError, match="longer training than is asked for"):
        run_experiment(plan, cases, tmp_path, replace(still, patience=1), (0,))


def test_longer_training_of_the_first_muscle_is_a_start_anew_for_the_second(cases, tmp_path):
    plan = Experiment("Tiny", PLAN.rows[1:])
    run_experiment(plan, cases, tmp_path, replace(TINY, steps=2), (0,))
    with pytest.raises(InputError, match="began from weights trained for another time"):
        run_experiment(plan, cases, tmp_path, replace(TINY, steps=4), (0,))


def test_tables_name_what_they_vary_and_share_equal_runs():
    rows = {name: experiment(name).rows for name in EXPERIMENTS}
    assert [row.variant for row in rows["table1"]] == ["unet", "unet-s", "unet-s-r", "unet-s-r-clstm"]
    assert [row.share for row in rows["table2a"]] == [1.0, 0.9, 0.7, 0.5, 0.3]
    assert {row.negatives for row in rows["table2b"]} == {"on", "off", "paper"}
    assert rows["transfer"][-1].init.label == "GL"
    with_negatives = {row.slug for row in rows["table2b"] if row.negatives == "on"}
    assert with_negatives == {row.slug for row in rows["table2a"]} - {"GM_unet-s-r-clstm_100_on"}
    slugs = [row.slug for table in rows.values() for row in table]
    assert all("%" not in slug and "/" not in slug for slug in slugs)
    assert {row.label for row in experiment("table1", "GL").rows} == {"GL"}
    for row in (row for table in rows.values() for row in table):
        own = {"labels": (row.label,), "variant": row.variant, "share": row.share, "negatives": row.negatives}
        assert vars(row.settings(TINY, 3)) == vars(TINY) | own | {"seed": 3}


def results_of(*dice):
    """Rows whose Dice the paper has rising, with these values by seed."""
    case = {"hd95_mm": None, "assd_mm": 1.0, "volume_error_percent": -3.0}
    return {
        Row(str(n), "GM", share=(n + 1) / 10, paper=10.0 * n): [{"cases": {"a": case | {"dice": d}}} for d in row]
        for n, row in enumerate(dice)
    }


def test_order_is_decided_by_paired_differences():
    varying = np.array([0.3, 0.5, 0.9])
    step = np.array([0.04, 0.05, 0.06])
    verdicts = order(summarise(results_of(varying, varying + step, varying - step)))
    assert [pair.split(" (")[0] for pair in verdicts["same"]] == ["0 : 1"]
    assert [pair.split(" (")[0] for pair in verdicts["reversed"]] == ["0 : 2", "1 : 2"]
    noisy = order(summarise(results_of(varying, varying + np.array([0.2, -0.2, 0.1]))))
    assert len(noisy["undecided"]) == 1
    assert len(order(summarise(results_of([0.1], [0.9])))["undecided"]) == 1


def test_signs_and_undefined_distances():
    (summary,) = summarise(results_of([0.5, 0.7]))
    assert summary.mean("volume_error_percent") == 3.0
    assert summary.mean("dice") == pytest.approx(0.6) and summary.spread("dice") == pytest.approx(0.1 * 2**0.5)
    assert np.isnan(summary.mean("hd95_mm"))


def test_a_muscle_may_be_called_by_any_of_its_names():
    assert {row.label for row in experiment("table1", "soleus").rows} == {"SOL"}
    assert {row.label for row in experiment("table2a", "gm").rows} == {"GM"}


def test_a_muscle_that_no_test_subject_shows_is_told_of_before_anything_is_trained(tmp_path, monkeypatch):
    (tmp_path / "cohort").mkdir()
    partly = find_cases(write_cohort(tmp_path / "cohort"))
    base = replace(TINY, reading=replace(TINY.reading, complete=False))
    monkeypatch.setattr(experiments, "fit", lambda *a, **k: pytest.fail("trained"))
    with pytest.raises(InputError, match=r"set aside to test on with seed 0 \(x\d\) shows SOL"):
        run_experiment(Experiment("Tiny", (Row("all", "SOL", "unet-s"),)), partly, tmp_path, base, (0,))


def test_results_are_of_the_test_subjects(cases, tmp_path):
    row = Row("half", "GM", "unet-s", share=0.5)
    for seed, run in enumerate(
        run_experiment(Experiment("Tiny", (row,)), cases, tmp_path, replace(TINY, steps=2), (0, 1))[row]
    ):
        assert set(run["cases"]) == {case.name for case in split_subjects(cases, seed).test}
