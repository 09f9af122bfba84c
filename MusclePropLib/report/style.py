"""What all pages share: the look, in light and dark and on paper, and the sorting of tables."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'"
"""For the browser: whatever a page says, nothing is fetched."""

LONGEST_WORD = 20
"""Letters of a name that stay on one line."""

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #5c6570; --page: #ffffff; --card: #f5f6f8; --line: #d9dde2;
  --warn: #8a4b00; --warn-card: #fff3dd; --accent: #1f5fbf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --dim: #9aa3ad; --page: #14171a; --card: #1d2125;
  --line: #343a41; --warn: #ffc66b; --warn-card: #332711; --accent: #7fb2ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 28px 24px 60px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 34px 0 10px; break-after: avoid; }
p { margin: 6px 0; } .dim { color: var(--dim); } a { color: var(--accent); }
.warn { background: var(--warn-card); color: var(--warn); border-left: 4px solid currentColor; border-radius: 4px;
  padding: 8px 14px; margin: 16px 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; break-inside: avoid; }
.wide { overflow-x: auto; }
th, td { text-align: right; padding: 5px 9px; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th { font-weight: 600; color: var(--dim); font-size: 13px; line-height: 1.25; vertical-align: bottom; }
th:first-child, td:first-child, .text { text-align: left; }
td:first-child { font-weight: 600; overflow-wrap: anywhere; } td.name { overflow-wrap: normal; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px; }
.low { color: var(--warn); font-weight: 600; } .nowrap { white-space: nowrap; }
.plot svg { width: 100%; height: auto; display: block; overflow: visible; }
.plot text { font-family: inherit !important; }
.narrow { max-width: 640px; }
.legend { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 2px 20px; font-size: 14px; }
.warn, .legend, .plot p, figcaption { overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 14px; align-items: end; }
.views { display: flex; gap: 14px; justify-content: space-evenly; background: var(--card);
  border-radius: 8px; padding: 8px; }
.views img { min-width: 0; height: 420px; object-fit: contain; }
.files a { margin-right: 18px; }
.slices { display: grid; grid-template-columns: repeat(4, 1fr); gap: 14px 12px; }
@media (max-width: 700px) { .slices { grid-template-columns: repeat(2, 1fr); } }
.slice { margin: 0; break-inside: avoid; }
.slice svg { width: 100%; display: block; border-radius: 4px; background: #000; }
figcaption { font-size: 13px; color: var(--dim); line-height: 1.35; margin-top: 3px; }
figcaption b { color: var(--ink); font-weight: 600; }
.slice path { fill: none; stroke: var(--c); stroke-width: 2px; vector-effect: non-scaling-stroke; }
.slice path.drawn { fill: var(--c); fill-opacity: .28; }
.slice path.bar { stroke: #fff; stroke-width: 3px; } .slice text { fill: #fff; }
dl { columns: 2 250px; column-gap: 30px; margin: 12px 0 0; font-size: 14px; }
dl div { display: flex; gap: 10px; break-inside: avoid; padding: 1px 0; } dt { color: var(--dim); flex: none; }
dd { margin: 0; overflow-wrap: anywhere; }
.sorted { font-size: 14px; } .sorted th, .sorted td { padding: 4px 6px; }
.sorted th { cursor: pointer; font-size: 12.5px; } .sorted th:hover { color: var(--ink); }
.sorted th[aria-sort=ascending]::after { content: " \\25B2"; }
.sorted th[aria-sort=descending]::after { content: " \\25BC"; }
@page { size: A4; margin: 14mm; }
@media print { :root { color-scheme: light; --ink: #000; --dim: #444; --page: #fff; --card: #fff; --line: #bbb;
  --warn: #6b3900; --warn-card: #fff3dd; --accent: #000; }
  body { padding: 0; max-width: none; font-size: 11pt; } .wide { overflow: visible; }
  table, .sorted { font-size: 9pt; } th, .sorted th { font-size: 8.5pt; } th, td { padding: 3px 5px; }
  tr, section.whole, .plot, .views { break-inside: avoid; } .long table { break-inside: auto; }
  .plots { grid-template-columns: repeat(3, 1fr); } .sorted th, .sorted td { padding: 2.5px 4px; }
  .views img { height: 64mm; } .files, .screen { display: none; } a { text-decoration: none; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""

SORT = """
for (const table of document.querySelectorAll("table.sorted")) {
  table.querySelectorAll("th").forEach((head, column) => {
    head.tabIndex = 0;
    const sort = () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const number = text => text === "" ? NaN : Number(text);
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)], [m, n] = [number(x), number(y)];
        if (x === "" || y === "") return (x === "") - (y === "");
        return (down ? -1 : 1) * (isNaN(m) || isNaN(n) ? x.localeCompare(y, undefined, {numeric: true}) : m - n);
      });
      table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      table.tBodies[0].append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
  });
}
"""


def page(title: str, body: str, script: str = "") -> str:
    """A whole document that loads nothing."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n{body}\n"
        f"{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )


def section(title: str, body: str, kind: str = "whole") -> str:
    """A headed part; `kind` "whole" is not broken over pages."""
    return f'<section class="{kind}"><h2>{escape(title)}</h2>\n{body}\n</section>'


def warned(sentences: Sequence[str]) -> str:
    """A box of warnings; "" without any."""
    return f'<div class="warn">{"".join(f"<p>{escape(s)}</p>" for s in sentences)}</div>' if sentences else ""


def download(name: str, text: str, said: str) -> str:
    """A link that hands out `text` as a file of that name, which the page itself holds."""
    data = base64.b64encode(text.encode()).decode()
    return f'<a download="{escape(name)}" href="data:text/csv;charset=utf-8;base64,{data}">{escape(said)}</a> '


def breakable(name: str) -> str:
    """Safe text of a name that leaves other columns room: it breaks between words, at underscores, and if need be."""
    return escape(re.sub(rf"_|[^\s_]{{{LONGEST_WORD}}}", "\\g<0>\u200b", name)).replace("\u200b", "<wbr>")


def cell(text: str, value: float | str | None = None, kind: str = "") -> str:
    """A table cell of safe `text` that sorts by `value`."""
    sort = "" if value is None else f' data-value="{escape(str(value))}"'
    css = f' class="{kind}"' if kind else ""
    return f"<td{css}{sort}>{text}</td>"
