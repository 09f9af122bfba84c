"""Cases on the working grid: states, masks and the cache."""

import os
from dataclasses import replace

import numpy as np
import pytest

from MusclePropLib.core.annotations import NOT_MUSCLE, SLICES_TAG
from MusclePropLib.core.cohort.cases import Case
from MusclePropLib.core.cohort.clips import Sampler, assemble, keep_share
from MusclePropLib.core.cohort.evaluation import full_scores, known_dice
from MusclePropLib.core.cohort.frames import FrameGrid
from MusclePropLib.core.cohort.prepared import Reading, prepare
from MusclePropLib.core.defaults import GM, SOL
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segmentation import segmentation_from_masks, write_segmentation
from MusclePropLib.core.segments import Segment
from MusclePropLib.core.volumes import Volume, write_volume

SHAPE = (10, 40, 50)
GRID = FrameGrid(1.0, 32, 32)
GEOMETRY = Geometry.from_spacing(SHAPE, (2.0, 0.5, 0.5))


def block(slices, columns=slice(20, 32)) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[slices, 12:28, columns] = True
    return mask


def written(folder, segments: dict[str, np.ndarray], tags: dict[str, str] | None = None) -> Case:
    image = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    write_volume(folder / "a.nrrd", Volume(image, GEOMETRY))
    named = [Segment(name, tags={SLICES_TAG: tags[name]} if tags and name in tags else {}) for name in segments]
    write_segmentation(folder / "a.seg.nrrd", segmentation_from_masks(segments.values(), GEOMETRY, named))
    return Case("a", "a", folder / "a.nrrd", folder / "a.seg.nrrd")


def ready(folder, segments, tags=None, **reading):
    return prepare(written(folder, segments, tags), Reading(GRID, **reading), folder / "cache")


def test_states_follow_tag_file_and_completeness(tmp_path):
    gm, gl = block([2, 3]), block([3, 8], slice(0, 10))
    tags = {"GL": '{"axis": 0, "drawn": [8], "absent": [0, 9]}'}
    case = ready(tmp_path, {"GM": gm, "GL": gl}, tags, axis=0)
    assert case.names == ("GM", "GL")
    assert np.flatnonzero(case.known[0]).tolist() == [2, 3]
    assert np.flatnonzero(case.known[1]).tolist() == [0, 8, 9]
    assert np.flatnonzero(case.mask("GL").any((1, 2))).tolist() == [8]
    complete = ready(tmp_path, {"GM": gm, "GL": gl}, tags, axis=0, complete=True)
    assert complete.known[0].all()
    assert np.flatnonzero(complete.known[1]).tolist() == [0, 8, 9]


def test_masks_and_grey_values_keep_place_and_size(tmp_path):
    case = ready(tmp_path, {"GM": block([4])}, axis=0)
    assert case.images.dtype == np.float16 and case.images.min() >= 0 and case.images.max() <= 1
    assert isinstance(case.images, np.memmap) and isinstance(case.bits, np.memmap)
    # 16 x 12 pixels of .5 mm in the frame's middle rows, columns 20 to 32 of 50, on 32 x 32 pixels of 1 mm.
    rows, columns = (np.flatnonzero(case.mask("GM")[4].any(axis)) for axis in (1, 0))
    assert (rows.min(), rows.max(), len(columns)) == (12, 19, 6)
    np.testing.assert_allclose(case.positions, 2.0 * np.arange(10))
    assert (case.step(1.0), case.step(4.0), case.step(6.4)) == (1, 2, 3)


def test_a_prepared_case_is_not_read_again_until_it_changes(tmp_path):
    case = written(tmp_path, {"GM": block([4])})
    first = prepare(case, Reading(GRID, axis=0), tmp_path / "cache")
    stamp = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.*")}
    prepare(case, Reading(GRID, axis=0), tmp_path / "cache")
    assert stamp == {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.*")}
    case = written(tmp_path, {"GM": block([4, 5])})
    assert prepare(case, Reading(GRID, axis=0), tmp_path / "cache").known.sum() == first.known.sum() + 1


def test_nor_is_it_taken_for_the_same_when_only_the_file_of_its_voxels_changes(tmp_path):
    case = replace(written(tmp_path, {"GM": block([4])}), image=tmp_path / "a.nhdr")
    image = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    write_volume(case.image, Volume(image, GEOMETRY))
    first = prepare(case, Reading(GRID, axis=0), tmp_path / "cache").images[:]
    header = case.image.stat()
    write_volume(case.image, Volume(image[::-1], GEOMETRY))
    os.utime(case.image, ns=(header.st_atime_ns, header.st_mtime_ns))
    second = prepare(case, Reading(GRID, axis=0), tmp_path / "cache").images[:]
    assert case.image.stat().st_size == header.st_size and np.array_equal(second, first[::-1])


def test_an_unfinished_cache_is_made_anew(tmp_path):
    case = written(tmp_path, {"GM": block([4])})
    prepare(case, Reading(GRID, axis=0), tmp_path / "cache")
    (head,) = (tmp_path / "cache").rglob("case.json")
    head.unlink()
    next(head.parent.glob("bits.npy")).write_bytes(b"broken off")
    assert prepare(case, Reading(GRID, axis=0), tmp_path / "cache").mask("GM").any()


def test_what_the_frame_cuts_off_is_reported(tmp_path):
    events = []
    case = written(tmp_path, {"GM": block([4])})
    prepare(case, Reading(FrameGrid(1.0, 6, 6), axis=0), tmp_path / "cache", events.append)
    assert events[0]["level"] == "warning" and "--size" in events[0]["text"]


def test_two_spellings_of_one_muscle_are_refused(tmp_path):
    case = written(tmp_path, {"GM": block([4]), "Gastrocnemius medialis": block([5])})
    with pytest.raises(InputError, match=r"a\.seg\.nrrd: two segments of the same name"):
        prepare(case, Reading(GRID, axis=0), tmp_path / "cache")


@pytest.mark.parametrize(
    ("coded", "names"),
    [
        ({"Muskel 1": GM, "Muskel 2": SOL}, ("GM", "SOL")),
        ({"Muskel 1": GM, "Tibia": None}, ("GM", "Tibia")),
        ({"SOL": GM, "GL": None}, ("SOL", "GL")),  # the name comes first
        ({"left": GM, "right": GM}, ("left", "right")),
        ({"Gastrocnemius medialis": None, "fascia": GM}, ("GM", "fascia")),
    ],
)
def test_segments_are_found_by_terminology_where_their_names_do_not_tell(tmp_path, coded, names):
    case = written(tmp_path, dict.fromkeys(coded, block([4])))
    tags = {name: {"TerminologyEntry": muscle.terminology} if muscle else {} for name, muscle in coded.items()}
    segments = [Segment(name, tags=tags[name]) for name in coded]
    write_segmentation(case.labels, segmentation_from_masks([block([4])] * len(coded), GEOMETRY, segments))
    assert prepare(case, Reading(GRID, axis=0), tmp_path / "cache").names == names


def whole_clip(case, labels, kept):
    slices = np.arange(len(case.images))
    return assemble(case, case.images[slices].astype(np.float32), case.bits[slices], kept, labels)


def test_negatives_are_others_eroded_and_explicit_where_unknown(tmp_path):
    gm, sol, no = block([2, 3]), block([3, 5], slice(32, 44)), block([5], slice(4, 8))
    case = ready(tmp_path, {"GM": gm, "SOL": sol, NOT_MUSCLE: no}, axis=0)
    assert case.names == ("GM", "SOL")
    kept = keep_share(case, ("GM",), 1.0, 0)
    clip = whole_clip(case, ("GM",), kept)
    drawn = case.mask("SOL")
    assert clip.known[:, 0].tolist() == [t in (2, 3) for t in range(10)]
    assert not clip.negatives[3].any(), "where GM is known its own mask says more"
    on_five = clip.negatives[5, 0]
    assert 0 < (on_five & drawn[5]).sum() < drawn[5].sum()
    assert (on_five & ~drawn[5]).sum() == 8 * 2, "the explicit negative is not eroded"
    assert not clip.negatives[[0, 1, 4, 6]].any()
    allowed = clip.allowed(negatives=True)
    assert allowed.any(1).all()
    np.testing.assert_array_equal(allowed[:, 1][2], clip.masks[2, 0])
    np.testing.assert_array_equal(allowed[:, 1][5], ~on_five)
    assert clip.allowed(negatives=False)[5].all()


def test_a_held_back_slice_is_no_evidence_of_anything(tmp_path):
    gm, gl = block([2, 3]), block([2, 3], slice(32, 44))
    case = ready(tmp_path, {"GM": gm, "GL": gl}, axis=0)
    kept = np.zeros((2, 10), bool)
    kept[0, 2] = True
    clip = whole_clip(case, ("GM", "GL"), kept)
    assert clip.masks[2, 0].any() and not clip.masks[3].any() and not clip.masks[:, 1].any()
    assert clip.negatives[2, 1].any() and not clip.negatives[3].any()
    pixel = tuple(np.argwhere(clip.masks[2, 0])[0])
    assert clip.allowed(negatives=False)[2, :, *pixel].tolist() == [False, True, True]


def test_shares_are_nested_and_rounded(tmp_path):
    case = ready(tmp_path, {"GM": block(range(10))}, axis=0)
    half, most = (keep_share(case, ("GM", "GL"), share, 3) for share in (0.5, 0.9))
    assert half.sum() == 5 and most.sum() == 9 and not half[1].any()
    assert (most >= half).all()
    assert not np.array_equal(half, keep_share(case, ("GM", "GL"), 0.5, 4))


@pytest.mark.parametrize("slices", [1, 4, 10, 13])
def test_clips_are_the_seed_s_alone_and_hold_evidence(tmp_path, slices):
    case = ready(tmp_path, {"GM": block([4])}, axis=0)
    kept = [keep_share(case, ("GM",), 1.0, 0)]
    sampler = Sampler([case], ("GM",), kept, slices, augment=False)
    for seed in range(8):
        clip, again = (sampler.draw(np.random.default_rng(seed)) for _ in range(2))
        assert clip.image.shape == (slices, 1, 32, 32)
        assert clip.known.any()
        np.testing.assert_array_equal(clip.image, again.image)


def test_augmentation_moves_image_and_mask_together(tmp_path):
    case = ready(tmp_path, {"GM": block(range(10))}, axis=0)
    bright = case.mask("GM").astype(np.float32)
    case = type(case)(case.case, case.names, bright.astype(np.float16), case.bits, case.known, case.positions)
    sampler = Sampler([case], ("GM",), [keep_share(case, ("GM",), 1.0, 0)], 4)
    shapes = set()
    for seed in range(6):
        clip = sampler.draw(np.random.default_rng(seed))
        inside, outside = clip.image[clip.masks], clip.image[~clip.masks]
        assert np.median(inside) > np.quantile(outside, 0.95)
        shapes.add(clip.masks[0].tobytes())
    assert len(shapes) == 6


@pytest.mark.parametrize(("shape", "fits"), [((10, 40, 50), True), ((10, 40, 48), False), ((8, 44, 50), False)])
def test_a_label_map_of_another_size_belongs_to_another_image(tmp_path, shape, fits):
    case = replace(written(tmp_path, {"GM": block([4])}), labels=tmp_path / "masks.mha")
    labels = np.zeros(shape, np.uint8)
    labels[4, 12:28, 20:32] = 150
    write_volume(case.labels, Volume(labels, Geometry.from_spacing(shape, GEOMETRY.spacing)))
    if fits:
        assert prepare(case, Reading(GRID, axis=0), tmp_path / "cache").mask("GM")[4].any()
    else:
        with pytest.raises(InputError, match=r"masks\.mha: .* voxels, but .*a\.nrrd has 50 x 40 x 10"):
            prepare(case, Reading(GRID, axis=0), tmp_path / "cache")


def test_a_part_of_the_grid_that_says_where_it_begins_is_a_label_map_too(tmp_path):
    case = replace(written(tmp_path, {"GM": block([4])}), labels=tmp_path / "masks.mha")
    affine = GEOMETRY.affine.copy()
    affine[:3, 3] += affine[:3, 0] * 3
    write_volume(case.labels, Volume(block([4])[3:7].astype(np.uint8) * 150, Geometry((4, 40, 50), affine)))
    found = prepare(case, Reading(GRID, axis=0), tmp_path / "cache")
    assert np.flatnonzero(found.mask("GM").any((1, 2))).tolist() == [4]


@pytest.mark.parametrize("segments", [{"GM": block([])}, {NOT_MUSCLE: block([3])}])
def test_a_case_on_which_no_muscle_is_drawn_is_named(tmp_path, segments):
    with pytest.raises(InputError, match=r"a\.seg\.nrrd: no muscle is drawn"):
        ready(tmp_path, segments, axis=0)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()], "and nothing of it is kept"


def test_what_a_complete_label_map_does_not_show_is_absent(tmp_path):
    whole, partly = (ready(tmp_path, {"GM": block([4])}, axis=0, complete=complete) for complete in (True, False))
    assert whole.knows("SOL").all() and not partly.knows("SOL").any()
    for case, share in ((whole, 1.0), (partly, 0.0)):
        kept = keep_share(case, ("GM", "SOL"), 1.0, 0)
        assert kept[1].mean() == share
        clip = assemble(case, case.images[:].astype(np.float32), case.bits[:], kept, ("GM", "SOL"))
        assert clip.known[:, 1].mean() == share and not clip.masks[:, 1].any()
    wrong = np.where(whole.mask("GM"), 1, 2).astype(np.uint8)
    assert known_dice(wrong, whole, ("GM", "SOL")) == {"GM": 1.0, "SOL": 0.0}
    assert full_scores(wrong, whole, ("GM", "SOL"), 1.0)["SOL"].dice == 0.0
    assert known_dice(wrong, partly, ("GM", "SOL")) == {"GM": 1.0}
