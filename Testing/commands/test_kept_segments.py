"""`muscleprop propagate`: segments that stay as they are: Completed, drawn on no slice, Not muscle."""

import json
from dataclasses import replace

import numpy as np
import pytest
from small_files import GRID, SHAPE, write_case

from MusclePropLib import cli
from MusclePropLib.core.annotations import (
    NOT_MUSCLE,
    NOT_MUSCLE_TAG,
    SLICES_TAG,
    MuscleAnnotation,
    slices_tag,
)
from MusclePropLib.core.drawings import FILLED_TAG, with_filled_tags
from MusclePropLib.core.images import metadata, open_image
from MusclePropLib.core.measurements.files import read_result
from MusclePropLib.core.measurements.records import read_record
from MusclePropLib.core.seg_fields import parse_tags, segment_fields
from MusclePropLib.core.segmentation import (
    annotations_from_segmentation,
    read_segmentation,
    segmentation_from_annotations,
    segmentation_from_labels,
    segmentation_from_masks,
    write_segmentation,
)
from MusclePropLib.core.segments import Segment
from MusclePropLib.jobs import job


@pytest.fixture
def jobs(monkeypatch):
    """What was written for the worker, of each job (volume, annotations, settings)."""
    written, write = [], job.write_job
    monkeypatch.setattr(job, "write_job", lambda *args, **kwargs: written.append(args) or write(*args, **kwargs))
    return written


def write_not_muscle(tmp_path):
    """A case with slice 2 said to be no muscle at a place that GM reaches into and, on slice 0, has drawn."""
    image, drawn = write_case(tmp_path)
    annotations = annotations_from_segmentation(read_segmentation(drawn))
    nothing = np.zeros(SHAPE[1:], bool)
    nothing[9:14, 2:10] = True
    write_segmentation(
        drawn, segmentation_from_annotations(replace(annotations, not_muscle={0: nothing, 2: nothing}), GRID)
    )
    return image, drawn, nothing


def test_what_is_not_muscle_is_known_in_the_next_round(tmp_path, capsys):
    image, drawn, nothing = write_not_muscle(tmp_path)
    out, again = tmp_path / "out.seg.nrrd", tmp_path / "again.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out), "--report", str(tmp_path / "page")]) == 0
    assert cli.main(["propagate", str(image), str(out), "-o", str(again)]) == 0
    capsys.readouterr()
    for path in (out, again):
        found = annotations_from_segmentation(read_segmentation(path))
        assert sorted(found.not_muscle) == [0, 2] and np.array_equal(found.not_muscle[2], nothing)
        assert [(m.name, m.drawn_slices) for m in found.muscles] == [("GM", [0, 5]), ("GL", [0])]
        assert [muscle["name"] for muscle in read_record(path)["muscles"]] == ["GM", "GL"]
    assert cli.main(["measure", str(out), "--json"]) == 0
    assert [muscle["muscle"] for muscle in json.loads(capsys.readouterr().out)["muscles"]] == ["GM", "GL"]
    assert cli.main(["evaluate", str(again), str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["muscles"]) == ["GM", "GL"] and not told["missing"] and not told["extra"]


def test_what_is_not_muscle_keeps_name_colour_and_tags_and_all_segments_their_order(tmp_path):
    image, drawn = write_case(tmp_path)
    names = ["bone", "SOL", "GM", "Later", "Not muscle", "GL"]
    tags = [{NOT_MUSCLE_TAG: "1", "own": "tag"}, {"Segmentation.Status": "completed"}, {}, {}, {}, {}]
    masks = np.zeros((6, *SHAPE), bool)
    for number, slices in enumerate([[2], range(6), [0, 5], [], [0, 3], [1, 4]]):
        masks[number, slices, 3 * number : 3 * number + 4, 2:20] = True  # each overlaps the next
    segments = [Segment(name, (0.1 * n, 0.2, 0.3), tags[n]) for n, name in enumerate(names)]
    write_segmentation(drawn, segmentation_from_masks(masks, GRID, segments))
    out, again = tmp_path / "out.seg.nrrd", tmp_path / "again.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    assert cli.main(["propagate", str(image), str(out), "-o", str(again)]) == 0
    for path in (out, again):
        found = read_segmentation(path)
        assert [segment.name for segment in found.segments] == names
        for index in (0, 4):
            assert np.allclose(found.segments[index].color, segments[index].color)
            assert found.segments[index].tags == tags[index]
            assert np.array_equal(found.mask(index), masks[index])
        assert all(np.array_equal(found.mask(2)[t], masks[2, t]) for t in (0, 5))


def test_it_is_told_that_a_label_map_does_not_keep_what_is_not_muscle(tmp_path, capsys):
    image, drawn, _ = write_not_muscle(tmp_path)
    annotations = annotations_from_segmentation(read_segmentation(drawn))
    alone = replace(annotations, muscles=annotations.muscles[:1])  # GL overlaps it
    write_segmentation(drawn, segmentation_from_annotations(alone, GRID))
    out = tmp_path / "out.nii.gz"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    assert "out.nii.gz: 'Not muscle' is not kept, which only a .seg.nrrd can hold" in capsys.readouterr().err
    assert [segment.name for segment in read_result(out).segments] == ["GM"]


def write_completed(tmp_path, rows=slice(1, 4), status="completed"):
    """A case of GM alone with a completed soleus on all slices, of which one was drawn and the others filled."""
    image, drawn = write_case(tmp_path)
    masks = np.zeros((2, *SHAPE), bool)
    masks[0] = read_segmentation(drawn).mask(0)
    masks[1, :, rows, 2:20] = True
    soleus = Segment("SOL", (0.1, 0.2, 0.3), {"Segmentation.Status": status, "own": "tag"})
    soleus.tags[SLICES_TAG] = slices_tag(MuscleAnnotation("SOL", {3: masks[1, 3]}), 0)
    write_segmentation(
        drawn, with_filled_tags(segmentation_from_masks(masks, GRID, [read_segmentation(drawn).segments[0], soleus]))
    )
    return image, drawn


def test_completed_muscles_come_back_as_they_were_and_nothing_grows_into_them(tmp_path, capsys, jobs):
    image, drawn = write_completed(tmp_path)
    out = tmp_path / "out.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    assert "Completed, and left as it was: SOL." in capsys.readouterr().out
    before, after = read_segmentation(drawn), read_segmentation(out)
    ((_, asked, _),) = jobs
    assert [muscle.name for muscle in asked.muscles] == ["GM"]
    assert np.array_equal(np.stack([asked.not_muscle[t] for t in range(SHAPE[0])]), before.mask(1))
    assert [segment.name for segment in after.segments] == ["GM", "SOL"]
    assert after.segments[1].color == before.segments[1].color and np.array_equal(after.mask(1), before.mask(1))
    fields = [segment_fields(metadata(open_image(path)))[1]["Tags"] for path in (drawn, out)]
    assert parse_tags(fields[0]) == parse_tags(fields[1]) and FILLED_TAG in fields[1]
    assert [muscle["name"] for muscle in read_record(out)["muscles"]] == ["GM"]


def test_a_completed_muscle_that_is_drawn_over_keeps_its_voxels(tmp_path):
    image, drawn = write_completed(tmp_path, rows=slice(4, 8))
    out = tmp_path / "out.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    before, after = read_segmentation(drawn), read_segmentation(out)
    assert np.array_equal(after.mask(1), before.mask(1))
    assert np.array_equal(after.mask(0)[0], before.mask(0)[0])


def test_a_label_map_keeps_completed_muscles_if_it_can_hold_them(tmp_path, capsys):
    image, drawn = write_completed(tmp_path)
    out = tmp_path / "out.nii.gz"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    before, after = read_segmentation(drawn), read_result(out)
    assert [segment.name for segment in after.segments] == ["GM", "SOL"]
    assert np.array_equal(after.mask(1), before.mask(1))
    image, drawn = write_completed(tmp_path, rows=slice(4, 8))
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 2
    assert "drawn muscles overlap, which only a .seg.nrrd can hold" in capsys.readouterr().err


def test_the_record_names_the_slices_of_completed_muscles_too(tmp_path, capsys):
    """A label map has no tags, and is yet scored as the same result that has them."""
    image, drawn = write_completed(tmp_path)
    tagged, plain = tmp_path / "tagged.seg.nrrd", tmp_path / "plain.nii.gz"
    scores = []
    for out in (tagged, plain):
        assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
        capsys.readouterr()
        assert cli.main(["evaluate", str(out), str(tagged), "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out))
    assert scores[0] == scores[1] and not scores[0]["all_slices"]
    assert scores[0]["muscles"]["SOL"]["slices"] == SHAPE[0] - 1


@pytest.mark.parametrize("name", ["out.seg.nrrd", "out.nii.gz"])
def test_a_result_can_be_used_whose_completed_muscle_was_drawn_along_another_axis(tmp_path, capsys, name):
    image, drawn = write_completed(tmp_path)
    given, out = read_segmentation(drawn), tmp_path / name
    given.segments[1].tags[SLICES_TAG] = '{"axis": 2, "drawn": [2, 10], "absent": []}'
    write_segmentation(drawn, given)

    def told(command, *more):
        capsys.readouterr()
        assert cli.main([command, str(out), *map(str, more), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    measured = [told("measure", *more) for more in ((), ("--axis", 2))]
    assert [m["axis"] for m in measured] == [0, 2]
    assert [[muscle["drawn_slices"] for muscle in m["muscles"]] for m in measured] == [[2, 0], [0, 2]]
    scored = [told("evaluate", out, *more) for more in ((), ("--axis", 2))]
    assert [s["all_slices"] for s in scored] == [["SOL"], ["GM"]]
    assert scored[1]["muscles"]["SOL"]["slices"] == SHAPE[2] - 2
    assert cli.main(["report", str(out), "-o", str(tmp_path / "report.html")]) == 0
    assert cli.main(["export", str(out), "-o", str(tmp_path / "leg.stl")]) == 0


def test_a_label_map_that_is_a_result_is_no_drawing(tmp_path, capsys):
    """Every slice that was filled would count as drawn, and a completed muscle would grow."""
    image, drawn = write_completed(tmp_path)
    out, again = tmp_path / "out.nii.gz", tmp_path / "again.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    capsys.readouterr()
    assert cli.main(["propagate", str(image), str(out), "-o", str(again)]) == 2
    said = "by out.json a result, which does not tell drawn slices from filled ones; go on from one as .seg.nrrd"
    assert f"{out}: {said}" in capsys.readouterr().err and not again.exists()
    moved = out.rename(tmp_path / "moved.nii.gz")
    (tmp_path / "out.json").rename(tmp_path / "moved.json")
    assert cli.main(["propagate", str(image), str(moved), "-o", str(again)]) == 2


def test_a_plain_drawing_beside_the_record_of_a_result_that_is_gone_is_a_drawing(tmp_path):
    image, drawn = write_case(tmp_path)
    given, out, again = (tmp_path / name for name in ("plain.nrrd", "plain.nii.gz", "again.seg.nrrd"))
    labels = np.where(np.isin(np.arange(SHAPE[0]), (0, 5))[:, None, None], read_segmentation(drawn).mask(0), False)
    write_segmentation(given, segmentation_from_labels(labels.astype(np.uint8), GRID))
    assert cli.main(["propagate", str(image), str(given), "-o", str(out)]) == 0
    out.unlink()
    assert cli.main(["propagate", str(image), str(given), "-o", str(again)]) == 0


def test_it_is_told_that_all_is_completed(tmp_path, capsys):
    image, drawn = write_completed(tmp_path)
    alone = read_segmentation(drawn)
    write_segmentation(drawn, replace(alone, segments=[alone.segments[1], replace(alone.segments[0], name=NOT_MUSCLE)]))
    out = tmp_path / "out.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 2
    told = f"{drawn}: every muscle has the status Completed; there is nothing to propagate"
    assert told in capsys.readouterr().err and not out.exists()


def write_undrawn(tmp_path):
    """A case of GM alone, behind a planned muscle marked absent and one of whose slices only filled ones are left."""
    image, drawn = write_case(tmp_path)
    masks = np.zeros((3, *SHAPE), bool)
    masks[0, 1:5, 1:4, 2:20], masks[2] = True, read_segmentation(drawn).mask(0)
    nothing = MuscleAnnotation("", {}), MuscleAnnotation("", {}, frozenset({0, 1}))
    tags = [{"own": "tag", SLICES_TAG: slices_tag(known, 0)} for known in nothing]
    segments = [Segment("SOL", (0.1, 0.2, 0.3), tags[0]), Segment("Later", (0.4, 0.5, 0.6), tags[1]), Segment("GM")]
    write_segmentation(drawn, with_filled_tags(segmentation_from_masks(masks, GRID, segments)))
    return image, drawn


def kept_fields(path):
    """By name, the colour and the tags in the file of segments that are drawn on no slice."""
    fields = segment_fields(metadata(open_image(path)))
    return {f["Name"]: (f["Color"], parse_tags(f["Tags"])) for f in fields if f["Name"] != "GM"}


def test_segments_that_are_drawn_on_no_slice_come_back_as_they_were(tmp_path, capsys, jobs):
    image, drawn = write_undrawn(tmp_path)
    out = tmp_path / "out.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    told = capsys.readouterr()
    assert f"{drawn}: not drawn on any slice, left as it is: SOL, Later" in told.err and "Completed" not in told.out
    assert kept_fields(out) == kept_fields(drawn) and kept_fields(out).keys() == {"SOL", "Later"}
    read = map(read_segmentation, (drawn, out))
    before, after = ({s.name: given.mask(n) for n, s in enumerate(given.segments)} for given in read)
    assert np.array_equal(after["SOL"], before["SOL"]) and not after["Later"].any()
    ((_, asked, _),) = jobs
    assert np.array_equal(asked.not_muscle[3], before["SOL"][3]), "nothing grows into it"
    assert [muscle.name for muscle in asked.muscles] == ["GM"]
    assert [muscle["name"] for muscle in read_record(out)["muscles"]] == ["GM"]
    assert not any("Segmentation.Status" in segment.tags for segment in read_result(out).segments), (
        "nobody completed them"
    )


def test_a_label_map_keeps_the_voxels_of_segments_that_are_drawn_on_no_slice(tmp_path):
    image, drawn = write_undrawn(tmp_path)
    out = tmp_path / "out.nii.gz"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    before, after = read_segmentation(drawn), read_result(out)
    assert [(s.name, s.value) for s in after.segments] == [("SOL", 1), ("GM", 3)]
    assert np.array_equal(after.mask(0), before.mask(0))


def test_a_muscle_of_another_status_is_propagated(tmp_path):
    image, drawn = write_completed(tmp_path, status="inprogress")
    out = tmp_path / "out.seg.nrrd"
    assert cli.main(["propagate", str(image), str(drawn), "-o", str(out)]) == 0
    assert [muscle["name"] for muscle in read_record(out)["muscles"]] == ["GM", "SOL"]
