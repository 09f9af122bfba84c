"""`muscleprop evaluate`: the table, the JSON, the sentence."""

import json

import numpy as np
import pytest
from small_files import GRID, SHAPE

from MusclePropLib import cli
from MusclePropLib.core.annotations import SLICES_TAG
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segmentation import (
    Segment,
    Segmentation,
    read_segmentation,
    segmentation_from_labels,
    segmentation_from_masks,
    write_segmentation,
)
from MusclePropLib.core.volumes import Volume, write_volume


@pytest.fixture
def files(tmp_path):
    """(prediction, reference, drawn) of GM; the prediction is perfect but for slice 2 and the drawn slice 0."""
    truth = np.zeros(SHAPE, bool)
    truth[:, 4:14, 5:15] = True
    prediction, drawn = truth.copy(), np.zeros(SHAPE, bool)
    prediction[2, :, 5:10] = False
    prediction[0] = False
    drawn[[0, 5]] = truth[[0, 5]]
    paths = [tmp_path / f"{name}.seg.nrrd" for name in ("prediction", "reference", "drawn")]
    for path, mask in zip(paths, (prediction, truth, drawn), strict=True):
        write_segmentation(path, segmentation_from_masks([mask], GRID, [Segment("GM")]))
    return [str(path) for path in paths]


def test_the_table_leaves_out_the_drawn_slices(files, capsys):
    prediction, reference, drawn = files
    assert cli.main(["evaluate", prediction, reference, "--drawn", drawn]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("GM")).split()
    assert row[1:3] == ["4", f"{2 * 350 / 750:.3f}"]


def test_it_says_where_no_drawn_slices_are_known(files, capsys):
    prediction, reference, drawn = files
    assert cli.main(["evaluate", prediction, reference]) == 0
    assert capsys.readouterr().out.count("GM: nothing tells drawn slices from others, so that all count") == 1
    assert cli.main(["evaluate", prediction, reference, "--drawn", drawn]) == 0
    assert "drawn slices" not in capsys.readouterr().out


def test_a_result_leaves_out_its_own_drawn_slices(files, capsys):
    prediction, reference, drawn = files
    given = read_segmentation(prediction)
    given.segments[0].tags[SLICES_TAG] = '{"axis": 0, "drawn": [2], "absent": []}'
    write_segmentation(prediction, given)
    for more, dice in ([], 2 * 400 / 900), (["--drawn", drawn], 2 * 350 / 750):
        assert cli.main(["evaluate", prediction, reference, "--json", *more]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["muscles"]["GM"]["dice"] == pytest.approx(dice) and not told["all_slices"]


def test_json_has_every_figure_and_no_nan(files, capsys):
    prediction, reference, _ = files
    assert cli.main(["evaluate", prediction, reference, "--json"]) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    gm = told["muscles"]["GM"]
    assert gm["dice"] == pytest.approx(2 * 450 / 1050)
    assert gm["volume_error_ml"] == pytest.approx(-150 * GRID.voxel_ml)
    assert gm["volume_error_percent"] == pytest.approx(-25)
    assert (told["missing"], told["extra"], told["all_slices"]) == ([], [], ["GM"])


def test_a_missing_file_is_one_sentence(files, capsys):
    assert cli.main(["evaluate", files[0], files[1] + "x"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("muscleprop: ") and told.err.count("\n") == 1 and not told.out


def test_recorded_positions_count_without_the_image(files, capsys):
    """Frames twice as far apart as the grid says: twice the volume that is missing."""
    prediction, reference, _ = files
    given = read_segmentation(prediction)
    positions = (2 * GRID.spacing[0] * np.arange(SHAPE[0])).tolist()
    given.segments[0].tags[PROVENANCE_TAG] = json.dumps({"positions_mm": positions})
    write_segmentation(prediction, given)
    assert cli.main(["evaluate", prediction, reference, "--json"]) == 0
    gm = json.loads(capsys.readouterr().out)["muscles"]["GM"]
    assert gm["volume_error_ml"] == pytest.approx(-2 * 150 * GRID.voxel_ml)


def test_positions_of_the_image_count(files, tmp_path, capsys):
    """And not those that the propagation recorded."""
    prediction, reference, _ = files
    truth = np.zeros(SHAPE, bool)
    truth[:, 4:14, 5:15] = True
    short = truth.copy()
    short[4:] = False
    record = {PROVENANCE_TAG: json.dumps({"positions_mm": (2 * GRID.spacing[0] * np.arange(SHAPE[0])).tolist()})}
    write_segmentation(prediction, segmentation_from_masks([short], GRID, [Segment("GM", tags=record)]))
    write_volume(tmp_path / "image.nrrd", Volume(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), GRID))
    positions = (0.0, 1.0, 2.0, 3.0, 7.0, 12.0)
    poses = [f"0.2,0,0,0,0,0.2,0,0,0,0,1,{place}" for place in positions]
    (tmp_path / "frames.csv").write_text("\n".join(poses), encoding="utf-8")
    assert cli.main(["evaluate", prediction, reference, "--image", str(tmp_path / "image.nrrd"), "--json"]) == 0
    gm = json.loads(capsys.readouterr().out)["muscles"]["GM"]
    widths = np.gradient(positions)
    assert gm["volume_error_ml"] == pytest.approx(-widths[4:].sum() * 100 * 0.2**2 / 1000)
    assert gm["hd95_mm"] == pytest.approx(12 - 3)


def test_recorded_positions_count_against_a_cropped_reference_too(files, capsys):
    """A prediction that leaks beyond the crop is as wrong as against the whole reference."""
    prediction, reference, _ = files
    leaking = np.zeros(SHAPE, bool)
    leaking[:, 2:18, 5:15] = True
    positions = (2 * GRID.spacing[0] * np.arange(SHAPE[0])).tolist()
    record = {PROVENANCE_TAG: json.dumps({"positions_mm": positions})}
    write_segmentation(prediction, segmentation_from_masks([leaking], GRID, [Segment("GM", tags=record)]))
    affine = GRID.affine.copy()
    affine[:, 3] = GRID.affine @ [1, 4, 5, 1]
    for cropped in (False, True):
        truth = np.zeros(SHAPE, bool)
        truth[1:5, 4:14, 5:15] = True
        cut = truth[1:5, 4:14, 5:15] if cropped else truth
        grid = Geometry(cut.shape, affine) if cropped else GRID
        write_segmentation(reference, segmentation_from_masks([cut], grid, [Segment("GM")]))
        assert cli.main(["evaluate", prediction, reference, "--json"]) == 0
        gm = json.loads(capsys.readouterr().out)["muscles"]["GM"]
        assert gm["dice"] == pytest.approx(2 * 400 / (400 + 960))
        assert gm["volume_error_ml"] == pytest.approx(2 * 560 * GRID.voxel_ml)


def test_a_prediction_that_reaches_beyond_the_image_is_refused(files, tmp_path, capsys):
    prediction, reference, _ = files
    image = tmp_path / "image.nrrd"
    array = np.random.default_rng(0).integers(0, 255, (4, *SHAPE[1:]), np.uint8)
    write_volume(image, Volume(array, Geometry(array.shape, GRID.affine)))
    truth = np.zeros(SHAPE, bool)
    truth[:3, 4:14, 5:15] = True
    write_segmentation(reference, segmentation_from_masks([truth], GRID, [Segment("GM")]))
    assert cli.main(["evaluate", prediction, reference, "--image", str(image)]) == 2
    assert "prediction.seg.nrrd: segment 'GM' reaches beyond the image" in capsys.readouterr().err


def label_map(path, **values):
    """A plain label map of a high and a low block, GM and GL, with these values."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 1:10, 5:15], labels[:, 12:16, 5:15] = values["GM"], values["GL"]
    write_segmentation(path, segmentation_from_labels(labels, GRID))
    return str(path)


def record_of(tmp_path, *names):
    """What `propagate` writes beside a label map in which the muscles are 1, 2, ..."""
    muscles = [{"name": name, "drawn_slices": [0]} for name in names]
    positions = (2 * GRID.spacing[0] * np.arange(SHAPE[0])).tolist()
    record = {"axis": 0, "muscles": muscles, "provenance": {"positions_mm": positions}}
    (tmp_path / "out.json").write_text(json.dumps(record), encoding="utf-8")


@pytest.mark.parametrize(
    ("reference", "names"),
    [
        ({"GM": 2, "GL": 5}, ["Segment_2", "Segment_5"]),  # a label map without names, as it was drawn
        ({"GM": 150, "GL": 200}, ["GM", "GL"]),  # Leg-3D-US
        ({"GM": 2, "GL": 1}, ["Segment_2", "Segment_1"]),
    ],
)
def test_a_plain_result_has_the_names_positions_and_drawn_slices_of_its_record(tmp_path, capsys, reference, names):
    record_of(tmp_path, *names)
    out, truth = label_map(tmp_path / "out.nii.gz", GM=1, GL=2), label_map(tmp_path / "truth.nii.gz", **reference)
    assert cli.main(["evaluate", out, truth, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["muscles"]
    assert [s["dice"] for s in scores.values()] == [1, 1]
    assert sum(s["reference_ml"] for s in scores.values()) == pytest.approx(2 * 5 * 130 * GRID.voxel_ml)


def test_drawn_slices_of_a_plain_result_are_those_of_its_record(tmp_path, capsys):
    record_of(tmp_path, "GM", "GL")
    drawn, truth = label_map(tmp_path / "out.nii.gz", GM=1, GL=2), label_map(tmp_path / "truth.nii.gz", GM=150, GL=200)
    assert cli.main(["evaluate", truth, truth, "--drawn", drawn, "--json"]) == 0
    assert [s["slices"] for s in json.loads(capsys.readouterr().out)["muscles"].values()] == [SHAPE[0] - 1] * 2


@pytest.mark.parametrize("axis", ["1", "2"])
def test_along_the_frames_their_positions_mean_nothing(tmp_path, capsys, axis):
    record_of(tmp_path, "GM", "GL")
    out = label_map(tmp_path / "out.nii.gz", GM=1, GL=2)
    assert cli.main(["evaluate", out, out, "--axis", axis, "--json"]) == 0
    gm = json.loads(capsys.readouterr().out)["muscles"]["GM"]
    assert gm["reference_ml"] == pytest.approx(SHAPE[0] * 90 * GRID.voxel_ml)


def test_an_empty_reference_and_an_image_of_another_grid(files, tmp_path, capsys):
    prediction, reference, _ = files
    other = tmp_path / "other.nrrd"
    array = np.random.default_rng(0).integers(0, 255, (6, 20, 25), np.uint8)
    write_volume(other, Volume(array, Geometry.from_spacing(array.shape, (1.4, 0.3, 0.2))))
    assert cli.main(["evaluate", prediction, reference, "--image", str(other)]) == 2
    assert "different grids" in capsys.readouterr().err
    write_segmentation(reference, Segmentation(GRID, [np.zeros(SHAPE, np.uint8)], [Segment("GM")]))
    assert cli.main(["evaluate", prediction, reference]) == 2
    assert "reference.seg.nrrd: every segment is empty" in capsys.readouterr().err
