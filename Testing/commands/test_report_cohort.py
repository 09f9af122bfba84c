"""`muscleprop report` of several results: a page for each, and sides and scans of subjects compared."""

import re
from dataclasses import replace
from urllib.parse import unquote

import pytest
from results import report, write_result

from MusclePropLib.commands.report import read_subjects, subjects_of
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.files import measure_file
from MusclePropLib.core.segmentation import read_segmentation, write_segmentation
from MusclePropLib.report.cohort import cohort_page
from MusclePropLib.report.pairs import Entry, paired, repeated_scans


def test_cohort_links_to_a_page_for_each(tmp_path, no_graphics):
    results = [write_result(tmp_path, name)[2] for name in ("a", "b #2 50%")]
    out = tmp_path / "all #1.html"
    assert report(*results, "-o", out) == 0
    links = [unquote(link) for link in re.findall(r'<a href="([^"#?]+)"', out.read_text(encoding="utf-8"))]
    assert len(set(links)) == 2 and all((tmp_path / link).is_file() for link in links)
    page = (tmp_path / links[0]).read_text(encoding="utf-8")
    assert unquote(re.search(r'<a href="([^"#?]+)"', page)[1]) == "../all #1.html"


def test_every_result_has_a_page_of_its_own(tmp_path, no_graphics):
    """Names that differ in case only are one file on some disks."""
    image, _, result = write_result(tmp_path)
    results = [tmp_path / place for place in ("a/leg.seg.nrrd", "b/leg.seg.nrrd", "leg-2.seg.nrrd", "c/LEG.seg.nrrd")]
    for number, path in enumerate(results):
        path.parent.mkdir(exist_ok=True)
        given = read_segmentation(result)
        given.segments[0].name = f"Muscle {number}"
        write_segmentation(path, given)
    assert report(*results, "-o", tmp_path / "all.html", "--image", *[image] * 4) == 0
    links = re.findall(r'<a href="(all/.*?)"', (tmp_path / "all.html").read_text(encoding="utf-8"))[::2]
    assert len({link.casefold() for link in links}) == 4 and links[2] == "all/leg-2.html"
    pages = [(tmp_path / link).read_text(encoding="utf-8") for link in links]
    assert [re.findall(r"Muscle \d", page)[0] for page in pages] == [f"Muscle {n}" for n in range(4)]


def entries(tmp_path, people):
    recording = measure_file(write_result(tmp_path)[2])
    return [Entry(recording, "x.html", *person) for person in people]


def test_one_bad_result_and_nothing_is_written(tmp_path, no_graphics, capsys):
    good = write_result(tmp_path)[2]
    bad = tmp_path / "bad.seg.nrrd"
    bad.write_text("damaged", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    assert report(good, bad, "-o", tmp_path / "cohort.html") == 2
    told = capsys.readouterr()
    assert "bad.seg.nrrd: not an image" in told.err and told.err.count("\n") == 1 and not told.out
    assert sorted(tmp_path.iterdir()) == before


def test_sides_are_paired_by_subject_and_scan(tmp_path):
    people = [("a", "left", "1"), ("a", "right", "1"), ("b", "left", "1"), ("b", "right", "2"), ("c", "right", "1")]
    found = paired(entries(tmp_path, people), "side", ("left", "right"))
    assert {name: (pairs.of, pairs.volumes.shape) for name, pairs in found.items()} == {
        "GM": (["a"], (1, 2)),
        "GL": (["a"], (1, 2)),
    }


def test_a_subject_scanned_twice_is_one_subject(tmp_path):
    people = [(s, side, n) for s in "ab" for side in ("left", "right") for n in "12"]
    found = entries(tmp_path, people)
    assert paired(found, "side", ("left", "right"))["GM"].of == ["a", "b"]
    assert paired(found, "scan", ("1", "2"))["GM"].of == ["a left", "a right", "b left", "b right"]


def test_differences_are_shown_from_one_pair_on_agreement_from_two(tmp_path):
    one = [("a", "left", "1"), ("a", "right", "1")]
    two = [*one, ("b", "left", "1"), ("b", "right", "1")]
    page = cohort_page(entries(tmp_path, one))
    assert "Left and right" in page and "Limits of agreement" not in page
    page = cohort_page(entries(tmp_path, two))
    assert "Limits of agreement" in page and "ICC(2,1)" not in page and "Repeated scans" not in page
    page = cohort_page(entries(tmp_path, [(s, "left", n) for s in "ab" for n in "12"]))
    assert "Repeated scans" in page and "ICC(2,1)" in page and "Left and right" not in page


def test_small_differences_are_not_shown_as_none(tmp_path):
    first, second = entries(tmp_path, [("a", "left", "1"), ("a", "left", "2")])
    grown = [replace(m, volume_ml=m.volume_ml + 0.012) for m in second.recording.muscles]
    page = cohort_page([first, replace(second, recording=replace(second.recording, muscles=grown))])
    assert ">+0.012<" in page and ">+0.0<" not in page


TWICE = [(s, "left", n) for s in "abc" for n in "12"]


@pytest.mark.parametrize(
    ("people", "scans", "legs"),
    [
        ([*TWICE, ("c", "left", "3")], ["1", "2"], 3),
        ([*TWICE, ("c", "left", "1 again")], ["1", "2"], 3),
        ([*TWICE, ("c", "left", "0"), ("d", "left", "3")], ["1", "2"], 3),
        ([*TWICE, *((s, "left", "3") for s in "abcd")], ["1", "2", "3"], 3),
        ([*TWICE, *((s, "right", "2") for s in "abc")], ["1", "2"], 3),
    ],
)
def test_one_more_scan_of_some_takes_no_comparison_away(tmp_path, people, scans, legs):
    found = entries(tmp_path, people)
    assert repeated_scans(found) == scans
    assert paired(found, "scan", scans)["GM"].volumes.shape == (legs, len(scans))


def test_a_further_scan_that_lacks_a_muscle_takes_none_away(tmp_path):
    found = entries(tmp_path, [*TWICE, *((s, "left", "3") for s in "abc")])
    short = found[-1].recording
    found[-1] = replace(found[-1], recording=replace(short, muscles=short.muscles[:1]))
    assert repeated_scans(found) == ["1", "2"]


def test_recordings_that_are_not_compared_are_named(tmp_path):
    page = cohort_page(entries(tmp_path, [*TWICE, ("c", "left", "3"), ("d", "left", "2"), ("", "", "")]))
    assert page.count("Not compared here: leg (c, left, 3); leg (d, left, 2); leg.") == 1
    assert "ICC(2,1)" in page and "scan 3" not in page
    page = cohort_page(entries(tmp_path, [("a", "left", "1"), ("a", "right", "1"), ("b", "left", "")]))
    assert "Not compared here: leg (b, left)." in page
    assert "Not compared here" not in cohort_page(entries(tmp_path, TWICE))


def test_subjects_table(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("file,subject,side,scan\nresults/x.seg.nrrd,7,L,1\n", encoding="utf-8")
    assert read_subjects(path) == [{"file": "results/x.seg.nrrd", "subject": "7", "side": "left", "scan": "1"}]
    path.write_text("file;subject;side\nx.seg.nrrd;7;right\n", encoding="utf-8")
    assert read_subjects(path)[0]["side"] == "right", "as spreadsheets write it where the comma is decimal"
    path.write_text("subject;file;side\n7;x.seg.nrrd;left\n;;\n", encoding="utf-8")
    assert [row["file"] for row in read_subjects(path)] == ["x.seg.nrrd"], "and rows that somebody has emptied"
    path.write_text("subject,file\n7,x.seg.nrrd\n8\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 3 has nothing in the column 'file'"):
        read_subjects(path)
    path.write_text("file,side\nx,left\n", encoding="utf-8")
    with pytest.raises(InputError, match="'subject' is missing"):
        read_subjects(path)
    path.write_text("file,subject,side\nx,1,middle\n", encoding="utf-8")
    with pytest.raises(InputError, match="neither left nor right"):
        read_subjects(path)


def test_subjects_of_other_files(tmp_path, no_graphics, capsys):
    results = [write_result(tmp_path, name)[2] for name in ("a", "b")]
    path = tmp_path / "s.csv"
    path.write_text("file,subject\nother.seg.nrrd,7\n", encoding="utf-8")
    assert report(*results, "-o", tmp_path / "c.html", "--subjects", path) == 2
    assert "names none of the results" in capsys.readouterr().err and not (tmp_path / "c.html").exists()
    path.write_text("file,subject\na-muscles.seg.nrrd,7\n", encoding="utf-8")
    assert report(*results, "-o", tmp_path / "c.html", "--subjects", path) == 0
    assert f"does not name {results[1]}" in capsys.readouterr().err


LEGS = ("s1/left.nrrd", "s1/right.nrrd", "s2/left.nrrd", "s2/right.nrrd", "s3.nrrd")


def whose(folder, *rows):
    """Subject and side of LEGS below the folder by the table of these rows."""
    table = folder / "s.csv"
    table.write_text("\n".join(["file,subject,side", *rows]), encoding="utf-8")
    found = subjects_of([folder / leg for leg in LEGS], table)
    return {path.relative_to(folder).as_posix(): (of["subject"], of["side"]) for path, of in found.items()}


@pytest.mark.parametrize("above", ["", "study/", "../study/", "./study/x/../"])
def test_results_named_alike_are_told_apart_by_their_folders(tmp_path, above):
    """As a batch leaves them, which keeps a folder for each subject."""
    folder = tmp_path / "study"
    folder.mkdir()
    rows = [f"{above}{leg},{leg[:2]},{leg[3:].removesuffix('.nrrd')}" for leg in LEGS[:4]]
    expected = {leg: (leg[:2], leg[3:].removesuffix(".nrrd")) for leg in LEGS[:4]}
    assert whose(folder, *rows, "s3.nrrd,s3,left", "s4/left.nrrd,s4,left") == {**expected, "s3.nrrd": ("s3", "left")}
    assert whose(folder, f"{folder / LEGS[2]},s2,left") == {LEGS[2]: ("s2", "left")}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["left.nrrd,1,left"], r"'left\.nrrd' fits .*s1.left\.nrrd and .*s2.left\.nrrd"),
        (["s1/left.nrrd,1,left", "left.nrrd,2,left"], r"'left\.nrrd' fits"),
        (["s3.nrrd,1,left", "s3.nrrd,2,left"], r"two rows fit .*s3\.nrrd"),
        (["s1/left.nrrd,1,left", "s2/left.nrrd,1,L"], r"s1.left\.nrrd and .*s2.left\.nrrd have the same .*\(1, left\)"),
    ],
)
def test_a_table_that_leaves_open_whose_a_result_is(tmp_path, rows, sentence):
    with pytest.raises(InputError, match=rf"s\.csv: .*{sentence}"):
        whose(tmp_path, *rows)


def test_recordings_of_a_subject_without_side_and_scan_are_not_compared(tmp_path):
    rows = ["s1/left.nrrd,1,", "s2/left.nrrd,1,"]
    assert whose(tmp_path, *rows) == {"s1/left.nrrd": ("1", ""), "s2/left.nrrd": ("1", "")}


@pytest.mark.parametrize("by", ["side", "scan"])
def test_no_recording_takes_the_place_of_another(tmp_path, by):
    people = [("a", "left", "1"), ("a", "left", "2"), ("a", "left", "2")]
    with pytest.raises(InputError, match="two recordings of the same subject, side and scan"):
        paired(entries(tmp_path, people), by, ("left", "right"))


def test_folders_of_subjects_on_a_page(tmp_path, no_graphics):
    results = []
    for subject in ("s1", "s2"):
        (tmp_path / subject).mkdir()
        results += [write_result(tmp_path / subject, side)[2] for side in ("left", "right")]
    rows = [f"{result.parent.name}/{result.name},{result.parent.name},{result.name[:-17]}" for result in results]
    path = tmp_path / "s.csv"
    path.write_text("\n".join(["file,subject,side", *rows]), encoding="utf-8")
    assert report(*results, "-o", tmp_path / "c.html", "--subjects", path) == 0
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    told = re.findall(r">(left|right)</a>.*?<td[^>]*>(s\d)</td><td[^>]*>(\w+)</td>", page)
    assert list(dict.fromkeys(told)) == [(side, s, side) for s in ("s1", "s2") for side in ("left", "right")]
    assert "Limits of agreement" in page
