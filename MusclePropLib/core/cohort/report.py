"""An experiment's results as a table, as JSON and as a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats

from MusclePropLib.core.cohort.experiments import Experiment, Row
from MusclePropLib.core.files import replacing

METRICS = {
    "dice": "Dice",
    "hd95_mm": "HD95 mm",
    "assd_mm": "mean distance mm",
    "volume_error_percent": "volume error %",
}


@dataclass(frozen=True)
class Summary:
    """One row: for each metric the mean over the test cases of each seed; NaN where it is undefined everywhere."""

    row: Row
    seeds: Mapping[str, np.ndarray]

    def mean(self, metric: str) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.seeds[metric]))

    def spread(self, metric: str) -> float:
        """Standard deviation over the seeds; NaN with one seed."""
        values = self.seeds[metric]
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def summarise(results: Mapping[Row, Sequence[dict]]) -> list[Summary]:
    """Means over cases; the volume error without its sign."""
    return [
        Summary(row, {m: np.array([_case_mean(run, m) for run in runs]) for m in METRICS})
        for row, runs in results.items()
    ]


def order(summaries: Sequence[Summary]) -> dict[str, list[str]]:
    """Pairs of rows by whether their Dice stands in the paper's order: `same`, `reversed`, or `undecided`.

    Rows of one seed share split and slices, so their differences are taken seed by seed (paired t test at 5 %). With
    one seed everything is undecided.
    """
    verdicts: dict[str, list[str]] = {"same": [], "reversed": [], "undecided": []}
    for first, second in combinations([s for s in summaries if s.row.paper is not None], 2):
        difference = first.seeds["dice"] - second.seeds["dice"]
        decided = len(difference) > 1 and stats.ttest_1samp(difference, 0).pvalue < 0.05
        agrees = difference.mean() * (first.row.paper - second.row.paper) > 0
        verdict = "undecided" if not decided else "same" if agrees else "reversed"
        verdicts[verdict].append(f"{first.row.title} : {second.row.title} ({difference.mean():+.3f})")
    return verdicts


def write_report(folder: Path, name: str, plan: Experiment, results: Mapping[Row, Sequence[dict]], about: dict) -> str:
    """Write `NAME.md`, `NAME.json` and `NAME.png`; returns the table. `about` tells cohort and settings."""
    summaries = summarise(results)
    table = _table(plan, summaries, about)
    with replacing(folder / f"{name}.md") as part:
        part.write_text(table, encoding="utf-8")
    with replacing(folder / f"{name}.json") as part:
        part.write_text(
            json.dumps(_plain(plan, summaries, results, about), indent=1, allow_nan=False), encoding="utf-8"
        )
    _draw(folder / f"{name}.png", plan, summaries)
    return table


def _case_mean(run: dict, metric: str) -> float:
    values = [case[metric] for case in run["cases"].values() if case[metric] is not None]
    return float(np.mean(np.abs(values))) if values else math.nan


def _table(plan: Experiment, summaries: Sequence[Summary], about: dict) -> str:
    lines = [f"# {plan.title}", "", *(f"- {key}: {value}" for key, value in about.items()), ""]
    lines += ["| | " + " | ".join([*METRICS.values(), "paper's Dice"]) + " |", "|---" * (len(METRICS) + 2) + "|"]
    for summary in summaries:
        cells = [_cell(summary, metric) for metric in METRICS]
        paper = "" if summary.row.paper is None else f"{summary.row.paper / 100:.3f}"
        lines.append("| " + " | ".join([summary.row.title, *cells, paper]) + " |")
    lines += [
        "",
        "Mean over the test cases, then mean ± standard deviation over the seeds; volume error without sign,",
        "distances over the cases where anything was found.",
    ]
    lines += ["", "## The paper's order", ""]
    for verdict, pairs in order(summaries).items():
        lines += [f"- {verdict} ({len(pairs)}): {'; '.join(pairs) or '-'}"]
    return "\n".join(lines) + "\n"


def _cell(summary: Summary, metric: str) -> str:
    if math.isnan(summary.mean(metric)):
        return "-"
    digits = 3 if metric == "dice" else 1
    spread = summary.spread(metric)
    return f"{summary.mean(metric):.{digits}f}" + ("" if math.isnan(spread) else f" ± {spread:.{digits}f}")


def _plain(plan: Experiment, summaries: Sequence[Summary], results: Mapping[Row, Sequence[dict]], about: dict) -> dict:
    rows = [
        {
            "title": s.row.title,
            "paper_dice_percent": s.row.paper,
            "by_seed": {m: [None if math.isnan(v) else float(v) for v in values] for m, values in s.seeds.items()},
            "runs": list(results[s.row]),
        }
        for s in summaries
    ]
    return {"title": plan.title, **about, "rows": rows, "order": order(summaries)}


def _draw(path: Path, plan: Experiment, summaries: Sequence[Summary]) -> None:
    """Each seed a dot, the mean a bar, the paper's figure an open diamond."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 1.2 + 0.42 * len(summaries)), layout="constrained")
    axes = figure.subplots()
    for place, summary in enumerate(summaries):
        values = summary.seeds["dice"]
        axes.barh(place, summary.mean("dice"), height=0.6, color="#9db8d2", label="mean")
        axes.plot(values, np.full(len(values), place), "o", color="#1f4e79", ms=4, label="seeds")
        if summary.row.paper is not None:
            axes.plot(summary.row.paper / 100, place, "D", mfc="none", mec="#b03a2e", label="paper")
    axes.set_yticks(range(len(summaries)), [summary.row.title for summary in summaries])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="Dice on unseen subjects", title=plan.title)
    axes.title.set_fontsize(10)
    axes.grid(axis="x", alpha=0.3)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False)
    with replacing(path) as part:
        figure.savefig(part, dpi=130)
