"""The page of many recordings: a table to sort, the spread of volumes, and agreement of sides and of repeated scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from MusclePropLib.core.measurements.agreement import bland_altman, reliability
from MusclePropLib.core.measurements.recording import Recording
from MusclePropLib.core.measurements.records import stem
from MusclePropLib.report.figures import cells, heads, warnings
from MusclePropLib.report.plots import bland_altman_plot, strip_plot
from MusclePropLib.report.style import SORT, cell, page, section, warned

LEFT_RIGHT = ("left", "right")


@dataclass(frozen=True)
class Entry:
    """A measured recording, the page about it, and whose it is."""

    recording: Recording
    link: str
    subject: str = ""
    side: str = ""
    scan: str = ""

    @property
    def name(self) -> str:
        """For the table."""
        return stem(self.recording.source)

    def volumes(self) -> dict[str, float]:
        """Volume in ml by muscle."""
        return {m.name: m.volume_ml for m in self.recording.muscles}


def cohort_page(entries: Sequence[Entry], title: str = "Recordings") -> str:
    """HTML of all recordings with links to their pages; agreement where subjects, sides and scans are told."""
    colors = {m.name: m.color for e in reversed(entries) for m in reversed(e.recording.muscles)}
    volumes = {name: [e.volumes()[name] for e in entries if name in e.volumes()] for name in reversed(colors)}
    flagged = [e.name for e in entries if warnings(e.recording.muscles)]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{len(entries)} recordings. Click a heading to sort.</p>',
        warned([f"Low confidence in {len(flagged)} of {len(entries)}: {', '.join(flagged)}"] if flagged else []),
        section("Measurements", _table(entries), "long"),
        section("Volumes", f'<div class="plot narrow">{strip_plot(volumes, colors, "volume (ml)")}</div>'),
        _agreement("Left and right", paired(entries, "side", LEFT_RIGHT), colors, "right minus left", repeated=False),
        _repeats(entries, colors),
    ]
    return page(title, "\n".join(parts), SORT)


def paired(entries: Sequence[Entry], by: str, order: Sequence[str]) -> dict[str, np.ndarray]:
    """Muscle to (pairs, len(order)) volumes of recordings that are alike but for `by`, which takes the values `order`.

    Those that lack one are left out.
    """
    groups: dict[tuple[str, ...], dict[str, Entry]] = {}
    for entry in entries:
        if entry.subject and getattr(entry, by):
            others = tuple(getattr(entry, field) for field in ("subject", "side", "scan") if field != by)
            groups.setdefault(others, {})[getattr(entry, by)] = entry
    tables: dict[str, list[list[float]]] = {}
    for group in groups.values():
        if all(value in group for value in order):
            rows = [group[value].volumes() for value in order]
            for name in set.intersection(*(set(row) for row in rows)):
                tables.setdefault(name, []).append([row[name] for row in rows])
    return {name: np.array(rows) for name, rows in sorted(tables.items())}


def _table(entries: Sequence[Entry]) -> str:
    rows = []
    for entry in entries:
        link = cell(f'<a href="{escape(entry.link)}">{escape(entry.name)}</a>', entry.name, "text")
        rows += [f"<tr>{link}{cells(m)}</tr>" for m in entry.recording.muscles]
    return f'<div class="wide"><table class="sorted">{heads(["Recording"])}<tbody>{"".join(rows)}</tbody></table></div>'


def _repeats(entries: Sequence[Entry], colors: Mapping[str, tuple[float, float, float]]) -> str:
    scans = sorted({e.scan for e in entries if e.scan})
    if len(scans) < 2:
        return ""
    said = f"scan {scans[1]} minus scan {scans[0]}"
    return _agreement("Repeated scans", paired(entries, "scan", scans), colors, said, repeated=True)


def _agreement(
    title: str,
    tables: Mapping[str, np.ndarray],
    colors: Mapping[str, tuple[float, float, float]],
    said: str,
    repeated: bool,
) -> str:
    """Table and Bland-Altman plots of muscles with at least two pairs; "" if there are none.

    Reliability is of `repeated` measurements of one thing, which two legs are not.
    """
    tables = {name: table for name, table in tables.items() if len(table) > 1}
    if not tables:
        return ""
    rows, plots = [], []
    for name, table in tables.items():
        found, pairs = reliability(table), bland_altman(table[:, 0], table[:, 1])
        percent = 200 * (table[:, 1] - table[:, 0]) / (table[:, 0] + table[:, 1])
        figures = [
            str(found.subjects),
            f"{pairs.bias:+.1f}",
            f"{percent.mean():+.1f}",
            f"{pairs.limits[0]:.1f} to {pairs.limits[1]:.1f}",
        ]
        if repeated:
            figures += [f"{found.icc_2_1:.3f}", f"{found.icc_3_1:.3f}", f"{found.mdc:.1f}", f"{found.mdc_percent:.1f}"]
        rows.append(f"<tr>{cell(escape(name))}{''.join(map(cell, figures))}</tr>")
        plots.append(f'<div class="plot">{bland_altman_plot(pairs, colors[name], f"{name}: {said}")}</div>')
    names = ["Muscle", "Pairs", "Mean difference<br>ml", "Mean difference<br>%", "Limits of agreement<br>ml"]
    names += ["ICC(2,1)", "ICC(3,1)", "MDC<br>ml", "MDC<br>%"] if repeated else []
    head = "".join(f"<th>{name}</th>" for name in names)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    explained = "; MDC: minimal detectable change at 95 %" if repeated else ""
    note = f'<p class="dim">Differences are {escape(said)}{explained}.</p>'
    return section(title, f'<div class="wide">{table}</div>{note}<div class="plots">{"".join(plots)}</div>')
