"""How a result came about: what was drawn, which method made the rest, with which version, weights and settings."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from MusclePropLib import __version__
from MusclePropLib.core.measurements.muscle import MuscleMeasures
from MusclePropLib.core.measurements.recording import Recording
from MusclePropLib.report.figures import ranges
from MusclePropLib.report.style import breakable, cell

METHODS = {
    "carried": "carried by optical flow",
    "interpolated": "interpolated",
    "mean": "mean of interpolated and carried",
    "walked": "random walk",
    "walked and carried": "mean of random walk and carried",
    "network": "network, areas from the drawn slices",
    "network, free in size": "network",
}
HEADS = ("Muscle", "Drawn slices", "Absent on", "Method between them")
EXPECTED = {
    "estimate": "Expected Dice",
    "fill_estimate": "By Fill<br>between slices",
    "interpolation_estimate": "By interpolation<br>alone",
}
NAMES = {"version": "MuscleProp", "python": "Python", "torch": "PyTorch", "weights": "weights (SHA-256)"}
OWN = ("muscle", "date")
"""What is said of each muscle, or at the top, and not again in the list of settings."""


def provenance_table(recording: Recording) -> str:
    """Each muscle's drawn slices and method, then the run's version, weights, seed and settings."""
    rows = "".join(f"<tr>{_cells(m)}</tr>" for m in recording.muscles)
    head = "".join([*(f"<th class=text>{name}</th>" for name in HEADS), *(f"<th>{n}</th>" for n in EXPECTED.values())])
    table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    common = _common(recording)
    items = _flat({key: value for key, value in common.items() if key not in OWN}) or {"propagation": "not recorded"}
    items["report"] = f"MuscleProp {__version__}, {datetime.datetime.now().isoformat(' ', 'minutes')}"
    pairs = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in items.items())
    return f"{table}<dl>{pairs}</dl>"


def dated(recording: Recording) -> str:
    """When the result was computed, else when its file was written; "" if neither is known."""
    computed = _common(recording).get("date")
    path = Path(recording.source)
    if computed:
        return f"propagated {str(computed)[:16].replace('T', ' ')}"
    if path.is_file():
        written = datetime.datetime.fromtimestamp(path.stat().st_mtime)
        return f"file of {written.isoformat(' ', 'minutes')}"
    return ""


def _cells(m: MuscleMeasures) -> str:
    outcome = (m.known.provenance or {}).get("muscle") or {}
    method = str(outcome.get("method") or "")
    figures = ("–" if (value := outcome.get(key)) is None else f"{value:.2f}" for key in EXPECTED)
    words = (breakable(m.name), ranges(m.known.drawn), ranges(m.known.absent), escape(METHODS.get(method, method)))
    return "".join([*(cell(text or "–", kind="text") for text in words), *map(cell, figures)])


def _common(recording: Recording) -> Mapping[str, Any]:
    """The provenance that the muscles of a run share."""
    return next((m.known.provenance for m in recording.muscles if m.known.provenance), {})


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    """Settings and versions as text, a level of nesting opened."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}: {name.replace('_', ' ')}": str(inner) for name, inner in value.items()}
        else:
            flat[NAMES.get(key, key.replace("_", " "))] = str(value)
    return flat
