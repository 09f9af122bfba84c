"""Agreement of paired measurements: left and right, or the same muscle scanned or outlined more than once.

ICCs as Shrout and Fleiss (1979) and McGraw and Wong (1996) define them; limits of agreement as Bland and Altman
(1986); minimal detectable change as Weir (2005): 1.96 sqrt(2) times the standard error of measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Z = 1.96


@dataclass(frozen=True)
class Difference:
    """`second` minus `first`, and in per cent of their mean."""

    first: float
    second: float

    @property
    def absolute(self) -> float:
        """In the unit measured in."""
        return self.second - self.first

    @property
    def percent(self) -> float:
        """Of the mean of both; NaN if that is 0."""
        mean = (self.first + self.second) / 2.0
        return 100.0 * self.absolute / mean if mean else float("nan")


@dataclass(frozen=True, eq=False)
class BlandAltman:
    """`means` and `differences` (pairs,) of second and first; bias, its limits of agreement; all in the unit given."""

    means: np.ndarray
    differences: np.ndarray
    bias: float
    deviation: float

    @property
    def limits(self) -> tuple[float, float]:
        """Between these lie 95 % of the differences, if they are normally distributed."""
        return self.bias - Z * self.deviation, self.bias + Z * self.deviation


@dataclass(frozen=True)
class Reliability:
    """Of `subjects` measured `repeats` times each.

    `icc_2_1`: absolute agreement, repeats a random sample; `icc_3_1`: consistency, a constant difference between
    repeats is forgiven. `sem` is the standard error of a measurement (its within-subject deviation, differences
    between repeats included), `mdc` the smallest change that is more than that error, at 95 %; `mdc_percent` of the
    grand mean.
    """

    subjects: int
    repeats: int
    icc_2_1: float
    icc_3_1: float
    sem: float
    mdc: float
    mdc_percent: float


def bland_altman(first: np.ndarray, second: np.ndarray) -> BlandAltman:
    """Of paired values; ValueError with fewer than two pairs or values that are not finite."""
    values = _table(np.column_stack([first, second]))
    differences = values[:, 1] - values[:, 0]
    return BlandAltman(values.mean(axis=1), differences, float(differences.mean()), float(differences.std(ddof=1)))


def reliability(values: np.ndarray) -> Reliability:
    """Of a (subjects, repeats) table, by a two-way analysis of variance; ValueError as `bland_altman`.

    ICCs are NaN where all values are the same, for there is nothing to tell subjects apart by.
    """
    values = _table(values)
    n, k = values.shape
    grand = values.mean()
    between = k * ((values.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    repeats = n * ((values.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    residual = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + grand
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    within = ((values - values.mean(axis=1, keepdims=True)) ** 2).sum() / (n * (k - 1))
    sem = float(np.sqrt(within))
    mdc = Z * np.sqrt(2.0) * sem
    return Reliability(
        subjects=n,
        repeats=k,
        icc_2_1=_ratio(between - error, between + (k - 1) * error + k * (repeats - error) / n),
        icc_3_1=_ratio(between - error, between + (k - 1) * error),
        sem=sem,
        mdc=float(mdc),
        mdc_percent=_ratio(100.0 * mdc, abs(grand)),
    )


def _table(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError("agreement needs at least two subjects, each measured at least twice")
    if not np.isfinite(values).all():
        raise ValueError("agreement needs finite values; leave out subjects that lack one")
    return values


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
