"""`muscleprop report`: pages that need no network, say what is doubtful, and compare sides and scans."""

import base64
import re
from dataclasses import replace
from html import escape
from urllib.parse import unquote

import numpy as np
import pytest
from results import write_result

from MusclePropLib import cli
from MusclePropLib.commands.report import find_image, read_subjects, subjects_of
from MusclePropLib.core.annotations import SLICES_TAG, MuscleAnnotation, slices_tag
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.agreement import bland_altman
from MusclePropLib.core.measurements.files import measure_file
from MusclePropLib.core.measurements.placed import place
from MusclePropLib.core.measurements.recording import measure
from MusclePropLib.core.measurements.tables import slice_rows
from MusclePropLib.core.segmentation import Segment, read_segmentation, segmentation_from_labels, write_segmentation
from MusclePropLib.report.cohort import cohort_page
from MusclePropLib.report.figures import LOW_DICE, ranges, warnings
from MusclePropLib.report.pairs import Entry, paired, repeated_scans
from MusclePropLib.report.plots import bland_altman_plot, strip_plot
from MusclePropLib.report.style import breakable


@pytest.fixture
def no_graphics(monkeypatch):
    """As on a machine without OpenGL."""
    view3d = pytest.importorskip("MusclePropLib.report.view3d")
    monkeypatch.setattr(view3d, "_can_render", lambda: False)


def report(*arguments):
    return cli.main(["report", *map(str, arguments)])


def test_page_is_whole_and_loads_nothing(tmp_path, no_graphics):
    _, _, result = write_result(tmp_path, dice=0.95)
    out = tmp_path / "leg.html"
    assert report(result, "-o", out) == 0
    text = out.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', text) and "@import" not in text and "url(http" not in text
    for words in ("GM", "GL", "Spline", "Cones", "drawn: GM, GL", "propagated", "cross-sectional area", "seed"):
        assert words in text
    assert text.count("data:image/jpeg;base64,") == text.count("<figure") > 2
    assert "no OpenGL" in text, "without a 3D view there is a sentence"


def test_low_confidence_is_warned_of(tmp_path, no_graphics):
    pages = {}
    for name, dice in (("sure", 0.95), ("doubtful", LOW_DICE - 0.2)):
        _, _, result = write_result(tmp_path, name, dice)
        assert report(result, "-o", tmp_path / f"{name}.html") == 0
        pages[name] = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
    assert "the expected Dice is below" not in pages["sure"]
    assert "GM: the expected Dice is 0.60" in pages["doubtful"]
    assert "GM: on 4 of 6 slices the expected Dice is below 0.8 (slices 1–4)" in pages["doubtful"]
    assert re.search(r"One more contour would help most on slice \d", pages["doubtful"])


@pytest.mark.parametrize(
    ("drawn", "absent", "warned"),
    [((0, 1, 2, 5), (), ["(slices 3–4)", "would help most on slice 3"]), (range(5), (5,), []), ((), range(6), [])],
)
def test_slices_settled_since_the_propagation_are_in_doubt_no_more(tmp_path, drawn, absent, warned):
    _, _, result = write_result(tmp_path, dice=LOW_DICE - 0.2)
    given = read_segmentation(result)
    for segment in given.segments:
        segment.tags[SLICES_TAG] = slices_tag(MuscleAnnotation("", dict.fromkeys(drawn), frozenset(absent)), 0)
    write_segmentation(result, given)
    recording = measure_file(result)
    doubtful = {row["slice"] for row in slice_rows(recording) if row["expected_dice"] < 1}
    assert doubtful == set(range(6)) - {*drawn, *absent}
    said = "\n".join(warnings(recording.muscles))
    assert all(words in said for words in warned)
    assert ("on 2 of 6 slices" in said) is ("One more contour" in said) is bool(warned)


def test_a_volume_far_from_the_spline_is_warned_of(tmp_path, no_graphics):
    """A muscle drawn on three slices, that thins out between them."""
    labels = np.zeros((21, 20, 20), np.uint8)
    labels[:, 5:15, 5:15] = 1
    labels[1:10, 5:10], labels[11:20, 5:10] = 0, 0
    grid = Geometry.from_spacing(labels.shape, (1.0, 1.0, 1.0))
    path = tmp_path / "leg.seg.nrrd"
    for shown, slices in ((True, (0, 10, 20)), (False, (0, 5, 10, 15, 20))):
        tag = slices_tag(MuscleAnnotation("GM", dict.fromkeys(slices)), 0)
        segments = [Segment("GM", tags={SLICES_TAG: tag})]
        write_segmentation(path, segmentation_from_labels(labels, grid, segments))
        assert report(path, "-o", tmp_path / "leg.html") == 0
        said = "but the spline through the drawn slices 2.1 ml" in (tmp_path / "leg.html").read_text(encoding="utf-8")
        assert said is shown


def test_tables_are_in_the_page_as_files(tmp_path, no_graphics):
    _, _, result = write_result(tmp_path)
    assert report(result, "-o", tmp_path / "leg.html") == 0
    links = re.findall(r'download="([^"]+)" href="data:text/csv;charset=utf-8;base64,([^"]+)"', read(tmp_path))
    files = {name: base64.b64decode(data).decode().splitlines() for name, data in links}
    assert files["leg-muscles.csv"][0].startswith("file,muscle,volume_ml")
    assert len(files["leg-muscles.csv"]) == 3 and "acsa_cm2" in files["leg-muscles-curves.csv"][0]


def read(folder):
    return (folder / "leg.html").read_text(encoding="utf-8")


def test_view_shows_every_muscle(tmp_path):
    """Rendered for real: its colours are in the picture. Skipped where there is no OpenGL."""
    view3d = pytest.importorskip("MusclePropLib.report.view3d")
    if not view3d._can_render():
        pytest.skip(view3d.NONE)
    import cv2

    image, _, result = write_result(tmp_path)
    assert report(result, "-o", tmp_path / "leg.html", "--image", image) == 0
    found = re.findall(r"data:image/png;base64,([^\"]+)", (tmp_path / "leg.html").read_text(encoding="utf-8"))
    assert len(found) == len(view3d.TURNS)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(found[0]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture[0, 0, 3] == 0, "the background is transparent"
    solid = picture[picture[..., 3] == 255].astype(int)
    assert (solid[:, 2] > solid[:, 1] + 50).any() and (abs(solid[:, 2] - solid[:, 1]) < 50).any(), "red GM, green GL"


@pytest.mark.parametrize("degrees", [0, 45])
def test_view_holds_the_whole_of_muscles_wider_than_long(degrees):
    """Also of those that lie oblique to the axes of the patient."""
    view3d = pytest.importorskip("MusclePropLib.report.view3d")
    if not view3d._can_render():
        pytest.skip(view3d.NONE)
    import cv2

    labels = np.zeros((10, 60, 16), np.uint8)
    labels[1:-1, 3:-3, 3:-3] = 1
    affine, turn = np.eye(4), np.radians(degrees)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    segmentation = segmentation_from_labels(labels, Geometry(labels.shape, affine), [Segment("GM")])
    recording, stack = measure(segmentation), place(segmentation).stack
    for picture in view3d.views([(recording.muscles[0], labels, 1)], stack):
        seen = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)[..., 3] > 0
        assert seen.any() and not seen[:, [0, -1]].any() and not seen[[0, -1]].any()


def test_without_its_image_there_are_no_slices_but_a_word(tmp_path, no_graphics, capsys):
    image, _, result = write_result(tmp_path)
    image.unlink()
    assert report(result, "-o", tmp_path / "leg.html") == 0
    assert "its image is not known" in capsys.readouterr().err
    assert "<figure" not in (tmp_path / "leg.html").read_text(encoding="utf-8")


def test_names_are_not_markup(tmp_path, no_graphics):
    _, _, result = write_result(tmp_path)
    given = read_segmentation(result)
    given.segments[0].name = "<b>GM & co</b>"
    write_segmentation(result, given)
    assert report(result, "-o", tmp_path / "leg.html") == 0
    text = (tmp_path / "leg.html").read_text(encoding="utf-8")
    assert "<b>GM" not in text and "&lt;b&gt;GM &amp; co" in text


def test_segments_of_the_same_name_are_shown_each_as_it_is(tmp_path, no_graphics):
    """The first of them is empty, and each of the others has its own colour and drawn slices."""
    image, _, result = write_result(tmp_path)
    labels = np.zeros((6, 20, 24), np.uint8)
    labels[:, 2:8, 2:20], labels[:, 12:18, 2:20] = 2, 3
    drawn = [{SLICES_TAG: slices_tag(MuscleAnnotation("GM", dict.fromkeys(slices)), 0)} for slices in ((), (0,), (5,))]
    colors = [(0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)]
    segments = [Segment("GM", color, tags) for color, tags in zip(colors, drawn, strict=True)]
    write_segmentation(result, segmentation_from_labels(labels, read_segmentation(result).geometry, segments))
    assert report(result, "-o", tmp_path / "leg.html", "--image", image) == 0
    figures = re.findall(r'aria-label="slice (\d)">(.*?)</figure>', read(tmp_path), re.S)
    paths = {int(t): re.findall(r'class="(\w+)" style="--c:(#\w+)"', figure) for t, figure in figures}
    assert paths[0] == [("drawn", "#ff0000"), ("carried", "#0000ff")]
    assert paths[5] == [("carried", "#ff0000"), ("drawn", "#0000ff")]


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


def test_names_are_neither_markup_nor_formulae_in_plots():
    found = bland_altman([10, 20, 30], [11, 21, 35])
    name = '<b>"$\\frac$ GM\\1'
    svg = bland_altman_plot(found, (1, 0, 0), name)
    assert f'aria-label="{escape(name)}"' in svg and "<b>" not in svg
    svg = strip_plot({name: [1, 2]}, {name: (1, 0, 0)}, "ml")
    assert escape(name, quote=False) in svg and "<b>" not in svg


LONG = "Gastrocnemius medialis, left leg, as drawn by the second examiner in the second week of the study"


def test_every_muscle_is_in_the_legend_whatever_its_name(tmp_path, no_graphics):
    """Also names that begin with an underscore, which the plot's own legend would leave out."""
    names = ["_hidden", LONG, *(f"Muscle {n}" for n in range(18))]
    labels = np.zeros((4, 20, 22), np.uint8)
    labels[1:3, 1, 1:21] = np.arange(1, 21)
    grid = Geometry.from_spacing(labels.shape, (1.0, 1.0, 1.0))
    path = tmp_path / "leg.seg.nrrd"
    write_segmentation(path, segmentation_from_labels(labels, grid, [Segment(name) for name in names]))
    assert report(path, "-o", tmp_path / "leg.html") == 0
    legend = re.search(r'<p class="legend">(.*?)</p>', read(tmp_path))[1]
    entries = re.findall(r"</span>(.*?)</span>", legend.replace("<wbr>", ""))
    assert entries == names


def test_names_break_where_words_end_at_underscores_or_if_need_be():
    assert breakable("M. soleus & co") == "M. soleus &amp; co"
    assert breakable("left_<leg>") == "left_<wbr>&lt;leg&gt;"
    assert breakable("a" * 50).split("<wbr>") == ["a" * 20, "a" * 20, "a" * 10]


@pytest.mark.parametrize("name", [LONG, LONG.replace(" ", "_"), "x" * 200])
def test_long_names_leave_room_for_the_dots_of_the_strip_plot(name):
    svg = strip_plot({"GM": [1, 2], name: [3, 4]}, {"GM": (1, 0, 0), name: (0, 1, 0)}, "ml")
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', svg)[1])
    left = float(re.search(r'id="axes_1">.*?<path d="M ([\d.]+) ', svg, re.S)[1])
    longest = max(len(text) for text in re.findall(r"<text [^>]*>([^<]*)<", svg))
    assert 5 * longest < left < 0.5 * width, "at least 5 points a letter"


def test_image_beside_the_result(tmp_path):
    image, _, result = write_result(tmp_path)
    assert find_image(result) == image


def test_ranges():
    assert ranges([3]) == "3" and ranges([3, 4, 5, 9]) == "3–5, 9"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-o", "x.pdf"], "ending .html"),
        (["-o", "none/x.html"], "no such folder"),
        (["-o", "x.html", "--image", "a", "b"], "2 images for 1"),
    ],
)
def test_faults(tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert report("result.seg.nrrd", *arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
