"""The page of many recordings: a table to sort, the spread of volumes, agreement of sides and of repeated scans."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from MusclePropLib.core.measurements.tables import as_csv, muscle_rows
from MusclePropLib.report.figures import cells, heads, warnings
from MusclePropLib.report.pairs import Entry, repeats, sides
from MusclePropLib.report.plots import strip_plot
from MusclePropLib.report.style import SORT, cell, download, page, section, warned

WHOSE = ("subject", "side", "scan")


def cohort_page(entries: Sequence[Entry], title: str = "Recordings") -> str:
    """HTML of all recordings with links to their pages; agreement where subjects, sides and scans are told.

    InputError if two recordings have the same subject, side and scan.
    """
    colors = {m.name: m.color for e in reversed(entries) for m in reversed(e.recording.muscles)}
    colors = dict(reversed(colors.items()))
    volumes = {name: [e.volumes()[name] for e in entries if name in e.volumes()] for name in colors}
    doubtful = sum(bool(warnings(e.recording.muscles)) for e in entries)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="dim">{len(entries)} recordings<span class="screen"> · click a heading to sort</span></p>',
        warned([f"{doubtful} of {len(entries)} are to be checked (marked !): see their pages."] if doubtful else []),
        section("Measurements", _table(entries) + _files(entries, title), "long"),
        section("Volumes", f'<div class="plot narrow">{strip_plot(volumes, colors, "volume (ml)")}</div>'),
        sides(entries, colors),
        repeats(entries, colors),
    ]
    return page(title, "\n".join(parts), SORT)


def _table(entries: Sequence[Entry]) -> str:
    told = [field for field in WHOSE if any(getattr(e, field) for e in entries)]
    rows = []
    for entry in entries:
        mark = ' <span class="low">!</span>' if warnings(entry.recording.muscles) else ""
        whose = cell(f'<a href="{escape(quote(entry.link))}">{escape(entry.name)}</a>{mark}', entry.name, "text")
        whose += "".join(cell(escape(getattr(entry, field)), kind="text") for field in told)
        rows += [f"<tr>{whose}{cells(m)}</tr>" for m in entry.recording.muscles]
    head = heads(["Recording", *(field.capitalize() for field in told)])
    return f'<div class="wide"><table class="sorted">{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _files(entries: Sequence[Entry], title: str) -> str:
    """The table as a file: a row a recording and muscle."""
    rows = [{f: getattr(e, f) for f in WHOSE} | row for e in entries for row in muscle_rows(e.recording)]
    return f'<p class="files">{download(f"{title}.csv", as_csv(rows), "This table as CSV")}</p>'
