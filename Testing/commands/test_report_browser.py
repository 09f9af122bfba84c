"""The pages in a real browser: tables sort when a heading is clicked, and nothing is fetched. Skipped without one."""

import http.server
import re
import shutil
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from results import write_result

from MusclePropLib.core.measurements.files import measure_file, read_inputs
from MusclePropLib.report.cohort import cohort_page
from MusclePropLib.report.pairs import Entry
from MusclePropLib.report.recording import recording_page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
SECONDS = 120

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium")


def browse(page, *more):
    command = [BROWSER, *OPTIONS, f"--user-data-dir={page.parent / 'profile'}", *more, page.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=SECONDS, check=True).stdout.decode()


def shown(tmp_path, script):
    """The cohort's page after `script` has run in it, and the requests that a server on this machine has had."""
    recording = measure_file(write_result(tmp_path)[2])
    people = [("b10", "left"), ("b9", "left"), ("a", "right")]
    entries = [Entry(recording, f"{n}.html", *person, "1") for n, person in enumerate(people)]
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    page = tmp_path / "cohort.html"
    added = f'<img src="{address}/image.png"><script src="{address}/code.js"></script><script>{script}</script></body>'
    page.write_text(cohort_page(entries).replace("</body>", added), encoding="utf-8")
    try:
        return browse(page, "--dump-dom"), requests
    finally:
        server.shutdown()
        server.server_close()


def column(html, number):
    """What its cells sort by, or else show."""
    body = re.search(r'<table class="sorted">.*?<tbody>(.*?)</tbody>', html, re.S)[1]
    cells = [re.findall(r"<td(.*?)>(.*?)</td>", row, re.S)[number] for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)]
    return [(re.search(r'data-value="(.*?)"', start) or [None, text])[1] for start, text in cells]


def clicking(heading, times):
    heads = "[...document.querySelector('table.sorted').querySelectorAll('th')]"
    return f"for (let n = 0; n < {times}; n++) {heads}.find(h => h.textContent.startsWith('{heading}')).click();"


def test_a_click_sorts(tmp_path):
    """Names with numbers in them stand as people count."""
    html, requests = shown(tmp_path, clicking("Subject", 1))
    assert column(html, 1) == ["a", "a", "b9", "b9", "b10", "b10"]
    assert "image.png" in html and not requests, "the page's own policy keeps what is not in it out"


def test_another_click_turns_the_order(tmp_path):
    html, _ = shown(tmp_path, clicking("Volume", 2))
    volumes = [float(text) for text in column(html, 5)]
    assert len(set(volumes)) > 1 and volumes == sorted(volumes, reverse=True)
    assert 'aria-sort="descending"' in html


@pytest.mark.parametrize("between", [" ", "_"])
def test_long_names_hide_no_column_and_no_name(tmp_path, between):
    """On a page of usual width tables need no scrolling, and legends and plots' titles stay on the page."""
    recording = measure_file(write_result(tmp_path)[2])
    names = [between.join([n, "left leg, as drawn by the second examiner"]).replace(" ", between) for n in ("GM", "GL")]
    muscles = [replace(m, name=name) for m, name in zip(recording.muscles, names, strict=True)]
    named, page = replace(recording, muscles=muscles), tmp_path / "leg.html"
    segmentation = read_inputs(Path(recording.source), None, None, "auto").segmentation
    people = [Entry(named, "x.html", subject, side) for subject in "ab" for side in ("left", "right")]
    for text in (recording_page(named, segmentation, None), cohort_page(people)):
        page.write_text(text.replace("</body>", f"<script>{MEASURED}</script></body>"), encoding="utf-8")
        assert 'data-cut="0"' in browse(page, "--dump-dom", "--window-size=1200,900")


MEASURED = """
const wide = [...document.querySelectorAll(".wide")].filter(e => e.scrollWidth > e.clientWidth);
const within = e => e.getBoundingClientRect().left >= 0 && e.getBoundingClientRect().right <= innerWidth;
const outside = [...document.querySelectorAll(".legend span, .plot p, .plot text")].filter(e => !within(e));
document.body.dataset.cut = wide.length + outside.length;
"""


def test_it_prints_on_paper(tmp_path):
    """A4 pages, none of them empty of text."""
    recording = measure_file(write_result(tmp_path)[2])
    page, pdf = tmp_path / "cohort.html", tmp_path / "cohort.pdf"
    page.write_text(cohort_page([Entry(recording, "x.html")]), encoding="utf-8")
    browse(page, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    written = pdf.read_bytes()
    assert len(re.findall(rb"/Type /Page\b(?!s)", written)) == 1
    box = [float(v) for v in re.search(rb"/MediaBox \[([\d. ]+)\]", written)[1].split()]
    assert box == pytest.approx([0, 0, 595, 842], abs=1.5)
