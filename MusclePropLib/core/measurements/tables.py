"""Measurements as tidy rows, one fact a column, units in the columns' names."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from MusclePropLib.core.measurements.muscle import MuscleMeasures
from MusclePropLib.core.measurements.recording import Recording

DIGITS = 6
"""Significant digits: far more than are true, few enough to read."""


def muscle_rows(recording: Recording) -> list[dict[str, Any]]:
    """One row a muscle. Positions are along the slices, from the first; intensities in the image's own unit."""
    return [{"file": recording.source, **muscle_row(m)} for m in recording.muscles]


def muscle_row(m: MuscleMeasures) -> dict[str, Any]:
    """The figures of one muscle; None where there is none."""
    first, last = (m.known.drawn[0], m.known.drawn[-1]) if m.known.drawn else (None, None)
    return _rounded(
        {
            "muscle": m.name,
            "volume_ml": m.volume_ml,
            "volume_low_ml": m.expected and m.expected.low_ml,
            "volume_high_ml": m.expected and m.expected.high_ml,
            "expected_dice": m.known.estimate,
            "volume_between_drawn_ml": m.between_drawn_ml,
            "spline_volume_ml": m.spline_ml,
            "cone_volume_ml": m.cones_ml,
            "max_acsa_cm2": m.max_area_mm2 / 100.0,
            "max_acsa_position_mm": m.max_area_position_mm,
            "max_acsa_slice": m.max_area_slice,
            "length_mm": m.length_mm,
            "echo_intensity_mean": m.intensity_mean,
            "echo_intensity_sd": m.intensity_sd,
            "drawn_slices": len(m.known.drawn),
            "first_drawn_slice": first,
            "last_drawn_slice": last,
        }
    )


def slice_rows(recording: Recording) -> Iterator[dict[str, Any]]:
    """One row a muscle and slice, from the first slice that holds the muscle to the last."""
    for m in recording.muscles:
        filled = m.areas_mm2.nonzero()[0]
        for t in range(filled[0], filled[-1] + 1):
            yield _rounded(
                {
                    "file": recording.source,
                    "muscle": m.name,
                    "slice": t,
                    "position_mm": float(m.positions_mm[t]),
                    "acsa_cm2": float(m.areas_mm2[t]) / 100.0,
                    "acsa_low_cm2": m.expected and float(m.expected.low_mm2[t]) / 100.0,
                    "acsa_high_cm2": m.expected and float(m.expected.high_mm2[t]) / 100.0,
                    "state": state(m, t),
                    "expected_dice": None if m.known.confidence is None else float(m.known.confidence[t]),
                    **{f"centroid_{n}_lps_mm": float(v) for n, v in zip("xyz", m.centroids_mm[t], strict=True)},
                }
            )


def state(m: MuscleMeasures, t: int) -> str:
    """drawn, absent or propagated; unknown if it is not recorded which slices were drawn."""
    if not m.known.drawn:
        return "unknown"
    return "drawn" if t in m.known.drawn else "absent" if t in m.known.absent else "propagated"


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Comma-separated, with a header; an empty field where there is no figure."""
    rows = list(rows)
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def readable(value: float, decimals: int, sign: str = "-") -> str:
    """With that many decimals; two digits at least, so that a small value does not look like none.

    `sign` "+" shows that of positive numbers, too.
    """
    enough = value == 0 or abs(value) >= 10.0 ** (1 - decimals)
    return f"{value:{sign}.{decimals}f}" if enough else f"{value:{sign}.2g}"


def millilitres(value: float, sign: str = "-") -> str:
    """One decimal, or two digits."""
    return readable(value, 1, sign)


def spans(slices: Sequence[int]) -> str:
    """Sorted slices, of which three and more in a row are named by the first and the last: "0, 7-9, 23"."""
    starts = [i for i, t in enumerate(slices) if i == 0 or t != slices[i - 1] + 1]
    rows = [slices[a:b] for a, b in pairwise([*starts, len(slices)])]
    parts = ([f"{row[0]}-{row[-1]}"] if len(row) > 2 else map(str, row) for row in rows)
    return ", ".join(chain.from_iterable(parts))


def echo(mean: float | None, sd: float | None, said: str = "") -> str:
    """Mean and, in brackets after `said`, standard deviation; "" without any. Below 10 the larger has three digits.

    Grey levels may be on any scale, and both are shown to the same decimal.
    """
    if mean is None:
        return ""
    spread = sd is not None and math.isfinite(sd)
    largest = max(abs(mean), sd) if spread else abs(mean)
    decimals = 2 - math.floor(math.log10(largest)) if 0 < largest < 10 else 0
    return f"{mean:.{decimals}f}" + (f" ({said}{sd:.{decimals}f})" if spread else "")


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Numbers to DIGITS significant digits; those that are not finite become None."""
    return {k: _number(v) if isinstance(v, float) else v for k, v in row.items()}


def _number(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
