"""Means over subjects with bootstrap confidence intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

Row = dict[str, Any]
Draw = tuple[str, int]
"""A case and a seed: one annotation of one volume."""


class Interval(NamedTuple):
    """A mean and its confidence interval; NaN bounds with fewer than two values, NaN throughout with none."""

    mean: float
    low: float
    high: float
    count: int


def bootstrap_mean(values: Sequence[float], level: float = 0.95, resamples: int = 5000, seed: int = 0) -> Interval:
    """Percentile bootstrap (Efron and Tibshirani 1993) of the mean; NaNs are left out."""
    data = np.asarray(values, float)
    data = data[np.isfinite(data)]
    if len(data) < 2:
        return Interval(float(data[0]) if len(data) else math.nan, math.nan, math.nan, len(data))
    rng = np.random.default_rng(seed)
    found = stats.bootstrap(
        (data,), np.mean, n_resamples=resamples, confidence_level=level, method="percentile", rng=rng, axis=0
    )
    return Interval(float(data.mean()), *map(float, found.confidence_interval), len(data))


def subject_means(rows: Iterable[Row], figure: str, muscle: str | None = None, size: bool = False) -> dict[str, float]:
    """Mean of a figure of the scores within each subject, over its muscles, cases and seeds, undefined ones left out.

    Subjects, not volumes, are independent. `size` takes absolute values. A subject with no value at all is missing.
    They are in order, so that an interval does not depend on which row was measured first.
    """
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, scores in row.get("scores", {}).items():
            value = scores.get(figure)
            if value is not None and muscle in (None, name):
                values[row["subject"]].append(abs(value) if size else value)
    return {subject: float(np.mean(found)) for subject, found in sorted(values.items())}


def mean_over_subjects(rows: Iterable[Row], figure: str, muscle: str | None = None, size: bool = False) -> Interval:
    """Mean and interval of a figure over the subjects of done rows."""
    return bootstrap_mean(list(subject_means(rows, figure, muscle, size).values()))


def paired_difference(first: Iterable[Row], second: Iterable[Row], figure: str) -> Interval:
    """First minus second method, subject by subject; subjects that only one of them has are left out."""
    a, b = subject_means(first, figure), subject_means(second, figure)
    return bootstrap_mean([a[subject] - b[subject] for subject in a if subject in b])


def per_draw(rows: Iterable[Row], figure: str, muscle: str | None = None, size: bool = False) -> dict[Draw, float]:
    """A figure for each case and seed, the mean over the muscles that have it; `size` takes absolute values first."""
    values = {}
    for row in rows:
        scores = [scores for name, scores in row.get("scores", {}).items() if muscle in (None, name)]
        found = [abs(v) if size else v for s in scores if (v := s.get(figure)) is not None]
        if found:
            values[row["case"], row["seed"]] = float(np.mean(found))
    return values


def over_cases(values: Mapping[Draw, float], level: float = 0.95, resamples: int = 2000) -> Interval:
    """Mean over the cases of the mean over their seeds.

    The interval resamples cases and, within each, seeds (percentile bootstrap, Davison and Hinkley 1997, section 3.8),
    the same whatever the order of `values`.
    """
    cases: dict[str, list[float]] = defaultdict(list)
    for (case, _), value in sorted(values.items()):
        cases[case].append(value)
    if not cases:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(np.mean([np.mean(found) for found in cases.values()]))
    if len(cases) < 2:
        return Interval(mean, math.nan, math.nan, 1)
    rng = np.random.default_rng(0)
    shape = (resamples, len(cases))
    again = np.stack([_resampled_means(np.array(found), shape, rng) for found in cases.values()])
    picked = rng.integers(len(cases), size=shape)
    means = np.take_along_axis(again, picked[None], axis=0)[0].mean(axis=1)
    low, high = np.percentile(means, [50 * (1 - level), 50 * (1 + level)])
    return Interval(mean, float(low), float(high), len(cases))


def _resampled_means(values: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return values[rng.integers(len(values), size=(*shape, len(values)))].mean(axis=-1)


def differences(first: Mapping[Draw, float], second: Mapping[Draw, float]) -> dict[Draw, float]:
    """First minus second, draw by draw; where only the first depends on the seed, the second's only one stands."""
    return {d: value - second[at] for d, value in first.items() if (at := d if d in second else (d[0], 0)) in second}
