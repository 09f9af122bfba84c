"""Means over subjects with bootstrap confidence intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

Row = dict[str, Any]


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
    """
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, scores in row.get("scores", {}).items():
            value = scores.get(figure)
            if value is not None and muscle in (None, name):
                values[row["subject"]].append(abs(value) if size else value)
    return {subject: float(np.mean(found)) for subject, found in values.items()}


def mean_over_subjects(rows: Iterable[Row], figure: str, muscle: str | None = None, size: bool = False) -> Interval:
    """Mean and interval of a figure over the subjects of done rows."""
    return bootstrap_mean(list(subject_means(rows, figure, muscle, size).values()))


def paired_difference(first: Iterable[Row], second: Iterable[Row], figure: str) -> Interval:
    """First minus second method, subject by subject; subjects that only one of them has are left out."""
    a, b = subject_means(first, figure), subject_means(second, figure)
    return bootstrap_mean([a[subject] - b[subject] for subject in a if subject in b])
