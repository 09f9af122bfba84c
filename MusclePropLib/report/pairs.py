"""Recordings that belong together: the two legs of a subject, or one leg scanned again; and how well they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations

import numpy as np

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.agreement import BlandAltman, Difference, bland_altman, reliability
from MusclePropLib.core.measurements.recording import Recording
from MusclePropLib.core.measurements.records import stem
from MusclePropLib.core.measurements.tables import millilitres
from MusclePropLib.report.plots import bland_altman_plot
from MusclePropLib.report.style import breakable, cell, section

LEFT_RIGHT = ("left", "right")
RESULT_MARK = "-muscles"
Color = tuple[float, float, float]


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
        return stem(self.recording.source).removesuffix(RESULT_MARK)

    @property
    def whose(self) -> str:
        """The name with what tells it apart from others of the same name."""
        told = ", ".join(text for text in (self.subject, self.side, self.scan) if text)
        return f"{self.name} ({told})" if told else self.name

    def volumes(self) -> dict[str, float]:
        """Volume in ml by muscle."""
        return {m.name: m.volume_ml for m in self.recording.muscles}


@dataclass(frozen=True, eq=False)
class Pairs:
    """Of one muscle: `of` says whose each row of `volumes` (rows, len(order)) in ml is."""

    of: list[str]
    volumes: np.ndarray


def paired(entries: Sequence[Entry], by: str, order: Sequence[str]) -> dict[str, Pairs]:
    """Muscle to volumes of recordings that are alike but for `by`, "side" or "scan", which takes the values `order`.

    Those that lack one are left out. Of both legs each subject has one row, the mean over its scans: scans of the same
    legs are no further subjects. InputError if two recordings have the same subject, side and scan.
    """
    rows: dict[str, dict[str, list[list[float]]]] = {}
    for (subject, other), group in _alike(entries, by, order).items():
        of = subject if by == "side" else f"{subject} {other}".strip()
        for muscle in _muscles(group):
            rows.setdefault(muscle, {}).setdefault(of, []).append([e.volumes()[muscle] for e in group])
    return {m: Pairs(list(found), np.array([np.mean(r, axis=0) for r in found.values()])) for m, found in rows.items()}


def repeated_scans(entries: Sequence[Entry]) -> list[str]:
    """The two scans that most legs have, and the further ones that all of these legs have; [] if there are none.

    One more scan of a few must not take the others' comparison away. InputError as `paired`.
    """
    groups = _groups(entries, "scan").values()
    shared = Counter(two for group in groups for two in combinations(sorted(group), 2))
    if not shared:
        return []
    order = list(max(sorted(shared), key=lambda two: shared[two]))
    compared = _legs(entries, order)
    for scan in sorted({scan for group in groups for scan in group if scan > order[-1]}):
        if _legs(entries, [*order, scan]) == compared:
            order.append(scan)
    return order


def _groups(entries: Sequence[Entry], by: str) -> dict[tuple[str, str], dict[str, Entry]]:
    """Recordings that are alike but for `by`, by its value: those of a subject's scan or leg."""
    groups: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in entries:
        if entry.subject and getattr(entry, by):
            other = entry.scan if by == "side" else entry.side
            first = groups.setdefault((entry.subject, other), {}).setdefault(getattr(entry, by), entry)
            if first is not entry:
                both = f"{first.recording.source} and {entry.recording.source}"
                raise InputError(f"{both}: two recordings of the same subject, side and scan ({entry.subject})")
    return groups


def _alike(entries: Sequence[Entry], by: str, order: Sequence[str]) -> dict[tuple[str, str], list[Entry]]:
    """The groups in `order`, without those that lack one of it or have no muscle in common."""
    groups = _groups(entries, by).items()
    found = {key: [group[value] for value in order] for key, group in groups if all(v in group for v in order)}
    return {key: group for key, group in found.items() if _muscles(group)}


def _muscles(group: Sequence[Entry]) -> list[str]:
    """Names of those that all recordings have."""
    volumes = [entry.volumes() for entry in group]
    return [name for name in volumes[0] if all(name in v for v in volumes)]


def _legs(entries: Sequence[Entry], scans: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Which muscles can be compared of which leg."""
    return {key: _muscles(group) for key, group in _alike(entries, "scan", scans).items()}


def sides(entries: Sequence[Entry], colors: Mapping[str, Color]) -> str:
    """The section on left and right; "" if no subject has both."""
    return _section("Left and right", entries, "side", LEFT_RIGHT, LEFT_RIGHT, colors)


def repeats(entries: Sequence[Entry], colors: Mapping[str, Color]) -> str:
    """The section on repeated scans; "" if there are none."""
    scans = repeated_scans(entries)
    return _section("Repeated scans", entries, "scan", scans, [f"scan {s}" for s in scans], colors) if scans else ""


def _section(
    title: str,
    entries: Sequence[Entry],
    by: str,
    order: Sequence[str],
    heads: Sequence[str],
    colors: Mapping[str, Color],
) -> str:
    """Every difference; with two pairs or more also agreement and Bland-Altman plots; who is left out.

    Reliability is of repeated measurements of one thing, which two legs are not.
    """
    found, repeated, said = paired(entries, by, order), by == "scan", f"{heads[1]} minus {heads[0]}"
    if not found:
        return ""
    tables = {name: found[name] for name in colors if name in found}
    several = {name: pairs for name, pairs in tables.items() if len(pairs.of) > 1}
    parts = [_agreement(several, repeated)] if several else []
    explained = "; MDC: minimal detectable change at 95 %" if repeated and several else ""
    parts.append(f'<p class="dim">Differences are {escape(said)}, per cent of the mean of both{explained}.</p>')
    plots = (
        f'<div class="plot"><p>{breakable(name)}: {escape(said)}</p>'
        f"{bland_altman_plot(_bland_altman(p), colors[name], f'{name}: {said}')}</div>"
        for name, p in several.items()
    )
    parts += [f'<div class="plots">{"".join(plots)}</div>'] if several else []
    return section(title, "".join([*parts, _differences(tables, heads), _left_out(entries, by, order)]), "long")


def _left_out(entries: Sequence[Entry], by: str, order: Sequence[str]) -> str:
    compared = {id(entry) for group in _alike(entries, by, order).values() for entry in group}
    names = [escape(entry.whose) for entry in entries if id(entry) not in compared]
    return f'<p class="dim">Not compared here: {"; ".join(names)}.</p>' if names else ""


def _agreement(tables: Mapping[str, Pairs], repeated: bool) -> str:
    rows = []
    for name, table in tables.items():
        found, pairs = reliability(table.volumes), _bland_altman(table)
        percent = np.mean([d.percent for d in _each(table)])
        figures = [
            str(found.subjects),
            millilitres(pairs.bias, "+"),
            f"{percent:+.1f}",
            " to ".join(map(millilitres, pairs.limits)),
        ]
        if repeated:
            figures += [
                f"{found.icc_2_1:.3f}",
                f"{found.icc_3_1:.3f}",
                millilitres(found.mdc),
                f"{found.mdc_percent:.1f}",
            ]
        rows.append(cell(breakable(name), kind="name") + "".join(map(cell, figures)))
    names = ["Muscle", "Pairs", "Mean difference<br>ml", "Mean difference<br>%", "Limits of agreement<br>ml"]
    return _table(names + (["ICC(2,1)", "ICC(3,1)", "MDC<br>ml", "MDC<br>%"] if repeated else []), rows)


def _differences(tables: Mapping[str, Pairs], heads: Sequence[str]) -> str:
    """Every pair's volumes and the difference of the second from the first."""
    rows = [
        cell(escape(of), kind="text")
        + cell(breakable(name), kind="text name")
        + "".join(cell(millilitres(v), v) for v in volumes)
        + cell(millilitres(difference.absolute, "+"), difference.absolute)
        + cell(f"{difference.percent:+.1f}", difference.percent)
        for name, pairs in tables.items()
        for of, volumes, difference in zip(pairs.of, pairs.volumes, _each(pairs), strict=True)
    ]
    names = ["Subject", "Muscle", *(f"{escape(h)}<br>ml" for h in heads), "Difference<br>ml", "Difference<br>%"]
    return _table(names, rows, "sorted")


def _each(pairs: Pairs) -> list[Difference]:
    return [Difference(row[0], row[1]) for row in pairs.volumes]


def _bland_altman(pairs: Pairs) -> BlandAltman:
    return bland_altman(pairs.volumes[:, 0], pairs.volumes[:, 1])


def _table(heads: Sequence[str], rows: Sequence[str], kind: str = "") -> str:
    texts = ("Subject", "Muscle")
    head = "".join(f'<th class="text">{name}</th>' if name in texts else f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="wide"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
