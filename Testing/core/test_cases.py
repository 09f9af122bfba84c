"""Finding pairs of image and label map in the layouts that labs have, and splitting by subject."""

import re

import pytest

from MusclePropLib.core.cohort.cases import Case, find_cases, left_out, split_subjects
from MusclePropLib.core.errors import InputError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def pairs(folder, **options):
    return {
        case.name: (case.subject, case.image.relative_to(folder).as_posix(), case.labels.relative_to(folder).as_posix())
        for case in find_cases(folder, **options)
    }


@pytest.mark.parametrize(
    ("image", "labels", "name", "subject"),
    [
        ("x12.mha", "masksX12.mha", "x12", "x12"),
        ("imagesTr/calf_003_0000.nii.gz", "labelsTr/calf_003.nii.gz", "Tr-calf_003", "Tr-calf_003"),
        ("us_leg/image.nrrd", "us_leg/label.nrrd", "us_leg", "us_leg"),
        ("sub-07/ses-1/us.nii", "sub-07/ses-1/us_mask.nii", "sub-07-ses-1-us", "sub-07"),
        ("P1.nrrd", "P1.seg.nrrd", "P1", "P1"),
        ("patient_4_left.mha", "patient_4_left-segmentation.mha", "patient_4_left", "patient_4"),
        ("s4/sweep.nrrd", "s4/Segmentation.seg.nrrd", "s4-sweep", "s4-sweep"),
        ("Images/a.nrrd", "Masks/a.nrrd", "a", "a"),
        ("maskedStudy/a.nrrd", "maskedStudy/a_gt.nrrd", "maskedStudy-a", "maskedStudy-a"),
        # A folder above both says nothing of either.
        ("SegTHOR/Patient_1/Patient_1.nii", "SegTHOR/Patient_1/GT.nii", "SegTHOR-Patient_1-Patient_1", "Patient_1"),
        ("seg study/a.nrrd", "seg study/a.seg.nrrd", "seg study-a", "seg study-a"),
        ("seg study/images/a.nrrd", "seg study/masks/a.nrrd", "seg study-a", "seg study-a"),
    ],
)
def test_layouts(tmp_path, image, labels, name, subject):
    touch(tmp_path, image, labels, "notes.txt", ".hidden/image.nrrd", "alone.nrrd")
    assert pairs(tmp_path) == {name: (subject, image, labels)}


def test_capitals_do_not_matter_but_are_kept(tmp_path):
    touch(tmp_path, "Leg A/P1.nrrd", "leg a/masks/p1.nrrd")
    assert list(pairs(tmp_path)) == ["Leg A-P1"]


def test_a_folder_of_masks_has_no_images(tmp_path):
    touch(tmp_path, "x.nrrd", "x_mask.nrrd", "s1/masks/liver.nrrd", "s1/masks/skin_mask.nrrd")
    assert list(pairs(tmp_path)) == ["x"]


def test_a_label_map_is_of_one_image(tmp_path):
    touch(tmp_path, "x.nrrd", "other/y.nrrd", "other/X_mask.nrrd", "images/other/x.nrrd")
    assert pairs(tmp_path) == {"other-x": ("other-x", "images/other/x.nrrd", "other/X_mask.nrrd")}


def test_what_has_no_partner_is_named(tmp_path):
    touch(tmp_path, "a.nrrd", "a_mask.nrrd", "notes.txt", ".hidden/b.nrrd")
    assert left_out(tmp_path, find_cases(tmp_path)) is None
    touch(tmp_path, "p1/t1.nii", "p1/t2.nii", "p1/label.nii", "s1/ct/000.dcm", "s1/ct/001.dcm", "s1/gt.nii")
    said = left_out(tmp_path, find_cases(tmp_path))
    assert "5 images or label maps" in said and "(p1/label.nii, p1/t1.nii, p1/t2.nii, s1/ct, s1/gt.nii)" in said
    touch(tmp_path, "z.mha")
    assert "6 images or label maps" in (said := left_out(tmp_path, find_cases(tmp_path))) and "s1/gt.nii, ...)" in said


def test_linked_folders_are_looked_into_once(tmp_path):
    """As cohorts on a shared disk are put together; a link to a folder above is no endless way down."""
    touch(tmp_path / "disk", "one/image.nrrd", "one/label.nrrd")
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    try:
        (cohort / "linked").symlink_to(tmp_path / "disk", target_is_directory=True)
        (tmp_path / "disk" / "up").symlink_to(cohort, target_is_directory=True)
    except OSError:
        pytest.skip("no links on this file system")
    assert list(pairs(cohort)) == ["linked-one"]


def test_a_list_decides(tmp_path):
    touch(tmp_path, "one.nrrd", "one.seg.nrrd", "two.nrrd", "drawn-by-anna.nrrd")
    (tmp_path / "cases.csv").write_text("image,labels,subject\ntwo.nrrd,drawn-by-anna.nrrd,Anna\n", encoding="utf-8")
    assert pairs(tmp_path) == {"two": ("Anna", "two.nrrd", "drawn-by-anna.nrrd")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_list_from_a_spreadsheet(tmp_path, encoding, separator, line_end):
    touch(tmp_path, "eins, links.nrrd", "mask;1.nrrd")
    rows = (("image", "labels", "name"), ('"eins, links.nrrd"', '"mask;1.nrrd"', "Müller"))
    text = "".join(separator.join(row) + line_end for row in rows)
    (tmp_path / "cases.csv").write_bytes(text.encode(encoding))
    assert pairs(tmp_path) == {"Müller": ("Müller", "eins, links.nrrd", "mask;1.nrrd")}
    assert left_out(tmp_path, []) is None


def test_a_list_with_a_missing_file_names_line_and_file(tmp_path):
    (tmp_path / "cases.csv").write_text("image,labels\ngone.nrrd,gone-too.nrrd\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2.*gone\.nrrd"):
        find_cases(tmp_path)


def test_subject_pattern(tmp_path):
    touch(tmp_path, "leg7_a.nrrd", "leg7_a_mask.nrrd", "leg7_b.nrrd", "leg7_b_mask.nrrd")
    assert {subject for subject, *_ in pairs(tmp_path, subject=r"leg(\d+)").values()} == {"7"}
    assert {subject for subject, *_ in pairs(tmp_path, subject=r"leg\d+").values()} == {"leg7"}
    with pytest.raises(InputError, match="does not fit"):
        find_cases(tmp_path, subject="arm")
    with pytest.raises(InputError, match="not a regular expression"):
        find_cases(tmp_path, subject="(")


def test_nothing_and_doubles_are_said(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_cases(tmp_path / "gone")
    with pytest.raises(InputError, match="no pair"):
        find_cases(tmp_path)
    touch(tmp_path, "a.nrrd", "a_mask.nrrd", "a_label.nrrd")
    with pytest.raises(InputError, match=re.escape("cases.csv")):
        find_cases(tmp_path)


def cohort(subjects, each):
    return [Case(f"{s}-{n}", str(s), None, None) for s in range(subjects) for n in range(each)]


def test_no_subject_on_two_sides():
    cases = cohort(10, 3)
    split = split_subjects(cases, seed=1)
    parts = [{case.subject for case in part} for part in (split.training, split.validation, split.test)]
    assert [len(part) for part in parts] == [6, 2, 2]
    assert len(set.union(*parts)) == 10
    assert split == split_subjects(cases, seed=1)
    assert split != split_subjects(cases, seed=2)


def test_small_cohorts():
    assert len(split_subjects(cohort(3, 1), seed=0).test) == 1
    assert split_subjects(cohort(2, 1), seed=0, shares=(0.2, 0)).test == ()
    with pytest.raises(InputError, match="2 subjects are too few"):
        split_subjects(cohort(2, 4), seed=0)
