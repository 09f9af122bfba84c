"""The accuracy page's figures, on rows whose answer is plain."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from MusclePropLib.core.benchmark.calibration import calibration, draw_calibration, points_of
from MusclePropLib.core.benchmark.overview import costs, means
from MusclePropLib.core.benchmark.results import ALL, OURS, Results
from MusclePropLib.core.benchmark.statistics import differences, mean_over_subjects, over_cases, per_draw
from MusclePropLib.core.benchmark.targets import SECTIONS, calf_volumes, leads, left_out, twice_as_many


def row(method, dice, case="a", *, kind="calves", layout="equal", slices=3, seed=0, status="done", **scores):
    figures = {"dice": dice, "hd95_mm": 2.0, "muscle_error_percent": -2.0, "muscle_ml": 150.0} | scores
    said = {"GM": {"estimate": dice - 0.02, "method": "network"}}
    identity = {"kind": kind, "case": case, "layout": layout, "slices": slices, "seed": seed, "method": method}
    more = {"subject": case, "options": {}, "status": status, "processor_seconds": 1.0, "said": said}
    return identity | more | {"scores": {"GM": figures}}


def cells(section, *start):
    """The cells of the one table line that starts so."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()]
    found = [line for line in lines if tuple(line[: len(start)]) == start]
    assert len(found) == 1, section
    return found[0]


def test_the_best_rival_is_the_best_on_average_and_has_to_have_run_everywhere():
    rows = [row(OURS, dice, case) for case, dice in (("a", 0.90), ("b", 0.80))]
    rows += [row("flow", dice, case) for case, dice in (("a", 0.70), ("b", 0.80))]
    rows += [row("fill", dice, case) for case, dice in (("a", 0.80), ("b", 0.60))]
    rows += [row("copy", 0.99, "a"), row("muscleprop-priors", 1.0, "a"), row("muscleprop-priors", 1.0, "b")]
    found = cells(leads(Results(rows)), "calves", "equal", "3")
    assert found[3] == "2" and found[5].startswith("0.750") and found[5].endswith("flow")
    assert found[6].startswith("+0.100 [")


def test_a_rival_that_tells_nothing_but_volumes_competes_with_its_volumes():
    spline = row("area-spline", 0.0, muscle_error_percent=0.5)
    spline["scores"]["GM"] = {name: spline["scores"]["GM"][name] for name in ("muscle_error_percent", "muscle_ml")}
    rows = [row(OURS, 0.9), row("fill", 0.8, muscle_error_percent=-4.0), spline]
    found = cells(leads(Results(rows)), "calves", "equal", "3")
    assert found[5].endswith("fill") and "area-spline" in found[8] and "+300 %" in found[8]


def test_kinds_are_taken_together_as_well():
    rows = [row(m, d, k, kind=k) for k in ("real", "calves") for m, d in ((OURS, 0.9), ("copy", 0.8))]
    assert cells(leads(Results(rows)), ALL, "equal", "3")[3] == "2"


def test_the_last_measurement_counts_whatever_its_options():
    rows = [row("labelprop", 0.1), row("labelprop", 0.7) | {"options": {"epochs": 15}}]
    results = Results(rows)
    assert len(results.rows) == 1 and "epochs 15" in costs(results)


def test_options_that_differ_between_kinds_say_where_they_were_given():
    rows = [row("labelprop", 0.1) | {"options": {"epochs": 5}}, row("labelprop", 0.7, kind="real")]
    assert cells(costs(Results(rows)), "labelprop")[2] == "calves: epochs 5; real: none"
    assert cells(costs(Results(rows[1:])), "labelprop")[2] == ""
    again = row("labelprop", 0.6, kind="real", seed=1) | {"options": {"seed": 1}}
    assert cells(costs(Results([*rows, again])), "labelprop")[2] == "calves: epochs 5; real: none"


def test_trainings_with_several_seeds_are_held_against_a_rival_without_chance():
    rows = [row(OURS, dice, seed=seed) for seed, dice in enumerate((0.9, 0.8, 0.7))]
    rows += [row("paper-scratch", dice, seed=seed) for seed, dice in enumerate((0.7, 0.4, 0.4))]
    rows += [row("flow", 0.6), row("fill", 0.65, layout="random")]
    results = Results([*rows, *(row(OURS, 0.9, layout="random", seed=seed) for seed in (0, 1))])
    found = cells(leads(results), "calves", "equal", "3")
    assert found[4] == "0.800" and found[5] == "0.600 flow" and found[6] == "+0.200"
    assert results.best_of_case(rows[1]) == ("flow", 0.6)
    chance = results.values("calves", "random", 3, OURS, "dice")
    assert results.best_rival("calves", "random", 3, chance, "dice") is None, "other slices were drawn for other seeds"


def test_twice_as_many_slices_are_compared():
    rows = [row(OURS, 0.85), row("flow", 0.80), row("flow", 0.87, slices=6), row("copy", 0.9, slices=5)]
    assert cells(twice_as_many(Results(rows)), "calves", "3")[2:] == ["0.850", "0.870 flow", "-0.020"]


def test_leaving_muscles_out_costs_what_it_costs():
    rows = [row(OURS, 0.9), row(OURS, 0.88, layout="half")]
    rows += [row("muscleprop-no-negatives", d, layout=lay) for d, lay in ((0.9, "equal"), (0.8, "half"))]
    assert cells(left_out(Results(rows)), "calves", "half", "3")[3:] == ["0.900", "0.880", "-0.020", "-0.100"]


def test_volumes_in_per_cent_and_millilitres():
    rows = [row(OURS, 0.9, case, slices=5, muscle_error_percent=e) for case, e in (("a", -2.0), ("b", 4.0))]
    found = cells(calf_volumes(Results(rows)), "MuscleProp")
    assert found[1:] == ["3.0 (4.0; +1.0) %, 4.5 (6.0; +1.5) ml", "1 of 2"]


def test_a_page_without_figures_or_with_few_is_written_all_the_same():
    for rows in ([], [row(OURS, 0.9)], [row("copy", 0.9, status="failed")]):
        assert all(section(Results(rows)).startswith("## ") for section in (*SECTIONS, means, costs))
        assert calibration(Results(rows).rows).startswith("## ")


def test_intervals_hold_the_scatter_of_cases_and_of_seeds():
    rng = np.random.default_rng(3)
    seeds_alone = {("a", s): v for s, v in enumerate(rng.normal(0.8, 0.1, 30))}
    two = seeds_alone | {("b", s): v for (_, s), v in seeds_alone.items()}
    found = over_cases(two)
    assert found.count == 2 and 0.005 < found.high - found.mean < 0.06
    cases_alone = over_cases({(str(c), 0): v for c, v in enumerate(rng.normal(0.8, 0.1, 60))})
    half = 1.96 * 0.1 / np.sqrt(60)
    assert cases_alone.high - cases_alone.low == pytest.approx(2 * half, rel=0.3)
    assert np.isnan(over_cases({("a", 0): 0.5}).low)


def test_an_interval_is_the_same_whichever_row_was_measured_first():
    values = {(case, seed): dice for case, seed, dice in [("a", 0, 0.9), ("a", 1, 0.2), ("b", 0, 0.6), ("c", 0, 0.4)]}
    assert over_cases(values) == over_cases(dict(reversed(values.items())))
    rows = [row("copy", dice, case=f"{case} {seed}") for (case, seed), dice in values.items()]
    pages = [[section(Results(order)) for section in (*SECTIONS, means)] for order in (rows, rows[::-1])]
    assert pages[0] == pages[1]
    assert mean_over_subjects(rows, "dice") == mean_over_subjects(rows[::-1], "dice")


def test_a_seeded_layout_is_compared_with_an_unseeded_one_of_the_same_case():
    first, second = {("a", 0): 0.8, ("a", 1): 0.7, ("b", 0): 0.1}, {("a", 0): 0.9}
    assert differences(first, second) == {("a", 0): pytest.approx(-0.1), ("a", 1): pytest.approx(-0.2)}


def test_muscles_are_averaged_within_a_volume():
    two = row(OURS, 0.8) | {"scores": {"GM": {"dice": 0.8}, "GL": {"dice": 0.6}, "SOL": {"dice": None}}}
    assert per_draw([two], "dice") == {("a", 0): pytest.approx(0.7)}


def test_the_self_estimate_is_held_against_the_truth(tmp_path):
    rows = [row(OURS, d, str(d), slices=n) for d, n in ((0.9, 3), (0.8, 3), (0.7, 5))] + [row("muscleprop-priors", 0.1)]
    rows.append(row(OURS, 0.5, slices=1) | {"said": {"GM": {"estimate": None}}})
    rows.append(row(OURS, 0.1, "0.9", seed=1) | {"options": {"seed": 1}})
    assert len(points_of(rows)) == 3
    assert cells(calibration(rows), "all")[1:] == ["3", "1.00", "0.020", "-0.020", "-0.020"]
    assert cells(calibration(rows), "n = 3")[1] == "2"
    assert cells(calibration([row | {"kind": "CT"} for row in rows[:2]] + rows[2:]), "CT")[1] == "2"
    assert draw_calibration(rows, tmp_path / "c.png") and (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"
    assert not draw_calibration([], tmp_path / "none.png") and not (tmp_path / "none.png").exists()


def test_the_whole_page_from_one_command_in_two_portions(tmp_path):
    script = Path(__file__).parents[1] / "benchmarks" / "accuracy.py"
    shared = [sys.executable, str(script), "-o", str(tmp_path), "--kind", "calves", "--calves", "1"]
    shared += ["--calf-shape", "20", "40", "50", "--slices", "4", "--layouts", "equal,half", "--methods"]
    for methods in ("copy", "muscleprop-priors"):
        subprocess.run([*shared, methods], check=True, timeout=100)
    page = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert "1 simulated calves" in page and "## Every case: calves, half" in page
    assert page.count("| calf_2000 | GM | 4 |") == 2
    assert {path.stem for path in (tmp_path / "accuracy").glob("*.json")} == {"calves-copy", "calves-muscleprop-priors"}
    assert (tmp_path / "accuracy" / "calves.png").exists()
