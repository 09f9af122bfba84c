"""`muscleprop report`: pages of one result that need no network and say what is doubtful."""

import base64
import re
from html import escape

import numpy as np
import pytest
from results import report, write_result

from MusclePropLib.commands.report import find_image
from MusclePropLib.core.annotations import SLICES_TAG, MuscleAnnotation, slices_tag
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.agreement import bland_altman
from MusclePropLib.core.measurements.files import measure_file
from MusclePropLib.core.measurements.placed import place
from MusclePropLib.core.measurements.recording import measure
from MusclePropLib.core.measurements.tables import slice_rows
from MusclePropLib.core.segmentation import Segment, read_segmentation, segmentation_from_labels, write_segmentation
from MusclePropLib.report.figures import LOW_DICE, ranges, warnings
from MusclePropLib.report.plots import bland_altman_plot, strip_plot
from MusclePropLib.report.style import breakable


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
