"""The pages in a real browser: tables sort when a heading is clicked, and nothing is fetched. Skipped without one."""

import http.server
import re
import shutil
import subprocess
import threading

import pytest
from results import write_result

from MusclePropLib.core.measurements.files import measure_file
from MusclePropLib.report.cohort import cohort_page
from MusclePropLib.report.pairs import Entry

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
