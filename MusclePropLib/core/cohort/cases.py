"""Which files of a folder belong together: image, label map, subject."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import files_below

CASES_CSV = "cases.csv"
_NAMED = 5
"""So many of the files without a partner are named."""
_ENDING = re.compile(r"(?:\.seg|\.igs)?\.(?:nrrd|nhdr|nii\.gz|nii|mha|mhd)$", re.IGNORECASE)
_LABEL_WORDS = "labels?|masks?|seg|segmentations?|gt|groundtruth|truth|annotations?|contours?"
_IMAGE_WORDS = "images?|imgs?|volumes?|vol|scans?"
# A word counts at either end of a name, set off by a separator, a digit or a capital: `labelsTr`, `masksX12`, `a_mask`.
_SUBJECT = re.compile(r"(?:sub|subj|subject|pat|patient|participant|proband|volunteer)[-_ ]?[a-z]*\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """One annotated volume. Cases of one `subject` never stand on both sides of a split."""

    name: str
    subject: str
    image: Path
    labels: Path


class Split(NamedTuple):
    """Cases to learn from, to stop on, and to report on; no subject in two of them."""

    training: tuple[Case, ...]
    validation: tuple[Case, ...]
    test: tuple[Case, ...]


def find_cases(folder: str | Path, subject: str | None = None) -> list[Case]:
    """All image and label pairs below `folder`, sorted by name.

    A `cases.csv` decides if there is one: columns image and labels, paths relative to it, and, if wanted, name and
    subject. Otherwise a file is a label map if its name, its ending (`.seg.nrrd`) or a folder that the image is not in
    says so (label, mask, seg, gt, annotation ...), and belongs to the image whose path is the same without such words:
    `x1.mha` and `masksX1.mha` (Leg-3D-US), `imagesTr/a_0000.nii.gz` and `labelsTr/a.nii.gz` (nnU-Net), `s1/image.nrrd`
    and `s1/label.nrrd`; a folder's only image and only label map belong together too. What has no partner is left out
    (see `left_out`). Hidden files are left out, links to folders are followed.

    `subject` is a regular expression for the subject in the case's name (its first group, if any); by default words
    like `sub-03` or `patient_7`, else every case is a subject of its own.
    Raises InputError if nothing pairs, or two files claim one place.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    listed = folder / CASES_CSV
    cases = list(_listed(listed, subject) if listed.is_file() else _paired(folder, subject))
    if not cases:
        raise InputError(f"{folder}: no pair of image and label map found; name them alike or list them in {CASES_CSV}")
    _refuse_twins((case.name for case in cases), folder)
    return sorted(cases, key=lambda case: case.name)


def left_out(folder: str | Path, cases: Iterable[Case]) -> str | None:
    """A sentence on the images, DICOM folders and label maps below `folder` that are in none of the `cases` found.

    None if there are none, or if a `cases.csv` decides.
    """
    folder = Path(folder)
    if (folder / CASES_CSV).is_file():
        return None
    used = {path for case in cases for path in (case.image, case.labels)}
    places = (path.parent if path.suffix.lower() == ".dcm" else path for path in files_below(folder))
    images = (path for path in dict.fromkeys(places) if path.is_dir() or _ENDING.search(path.name))
    alone = [path for path in images if path not in used]
    if not alone:
        return None
    names = [path.relative_to(folder).as_posix() for path in alone[:_NAMED]] + ["..."] * (len(alone) > _NAMED)
    what = "images or label maps" if len(alone) > 1 else "image or label map"
    return (
        f"{folder}: {len(alone)} {what} left out for want of a partner ({', '.join(names)}); "
        f"name image and label map alike or list them in {CASES_CSV}"
    )


def split_subjects(cases: list[Case], seed: int, shares: tuple[float, float] = (0.2, 0.2)) -> Split:
    """Shuffle the subjects and set aside the `shares` for validation and test, at least one each unless the share is 0.

    Raises InputError if that leaves none to train on.
    """
    subjects = sorted({case.subject.casefold() for case in cases})
    order = [subjects[i] for i in np.random.default_rng(seed).permutation(len(subjects))]
    validation, test = (max(1, round(share * len(order))) if share > 0 else 0 for share in shares)
    if validation + test >= len(order):
        raise InputError(
            f"{len(order)} subjects are too few to train, validate and test on different ones "
            f"({validation} and {test} set aside)"
        )
    parts = order[validation + test :], order[:validation], order[validation : validation + test]
    return Split(*(tuple(case for case in cases if case.subject.casefold() in part) for part in parts))


def _listed(path: Path, subject: str | None) -> Iterator[Case]:
    rows = _table(path)
    if not {"image", "labels"} <= set(rows.fieldnames or ()):
        raise InputError(f"{path}: needs the columns image and labels")
    for row in rows:
        image, labels = (path.parent / (row[column] or "").strip() for column in ("image", "labels"))
        for file_path in (image, labels):
            if not file_path.exists() or file_path == path.parent:
                raise InputError(f"{path}, line {rows.line_num}: no such file: {file_path}")
        name = (row.get("name") or "").strip() or _ENDING.sub("", row["image"].strip()).replace("/", "-")
        yield Case(name, (row.get("subject") or "").strip() or _subject(name, subject), image, labels)


def _table(path: Path) -> csv.DictReader:
    """The rows of a table as spreadsheets save it: the header line says what separates the columns.

    What is not UTF-8 is taken for the Western letters of Windows.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    lines = io.StringIO(text, newline=None)
    separator = max(",;\t", key=lines.readline().count)
    lines.seek(0)
    return csv.DictReader(lines, delimiter=separator)


def _paired(folder: Path, subject: str | None) -> Iterator[Case]:
    found = [_File.of(path, folder) for path in files_below(folder) if _ENDING.search(path.name)]
    alike: dict[str, list[_File]] = {}
    for file in found:
        alike.setdefault(file.plain, []).append(file)
    pairs = [_image_and_labels(files) for files in alike.values() if len(files) > 1]
    pairs += _neighbours(found, {file.path for pair in pairs for file in pair})
    for image, labels in pairs:
        name = _name(image.path.relative_to(folder))
        yield Case(name, _subject(name, subject), image.path, labels.path)


class _File(NamedTuple):
    """A file by its path below the folder.

    `plain` is what image and label map of a case have in common; `says` tells of each part of the path, the file's own
    name last, whether it has a word for label maps.
    """

    path: Path
    plain: str
    says: tuple[bool, ...]

    @classmethod
    def of(cls, path: Path, folder: Path) -> _File:
        parts = _parts(path.relative_to(folder))
        plain = [_without(part, _LABEL_WORDS) for part in parts]
        says = [before != after for before, after in zip(parts, plain, strict=True)]
        says[-1] = says[-1] or path.name.lower().endswith(".seg.nrrd")
        return cls(path, _joined(plain, "/").lower(), tuple(says))


def _image_and_labels(files: list[_File]) -> tuple[_File, _File]:
    """Of two files alike, the one whose path has more words for label maps is that; InputError if none is plainly so.

    The words are compared because a folder above both, such as `SegTHOR` or `segmentation study`, may have one, too.
    """
    image, labels, *more = sorted(files, key=lambda file: sum(file.says))
    if more or image.says[-1] or sum(image.says) == sum(labels.says):
        paths = " and ".join([str(files[0].path), *(file.path.name for file in files[1:])])
        raise InputError(f"{paths} look like the same case; list the cases in {CASES_CSV}")
    return image, labels


def _neighbours(found: list[_File], taken: set[Path]) -> Iterator[tuple[_File, _File]]:
    """Image and label map of the folders that hold one of each, whatever they are called; not of a folder of masks."""
    beside: dict[Path, tuple[list[_File], list[_File]]] = {}
    for file in found:
        if file.says[-2:-1] != (True,):
            beside.setdefault(file.path.parent, ([], []))[file.says[-1]].append(file)
    for images, labels in beside.values():
        if len(images) == len(labels) == 1 and not {images[0].path, labels[0].path} & taken:
            yield images[0], labels[0]


def _name(relative: Path) -> str:
    """The name of the case with this image."""
    return _joined(_parts(relative), "-") or _ENDING.sub("", relative.name)


def _parts(relative: Path) -> list[str]:
    """The folders and the file's name without its ending and nnU-Net's number of the channel."""
    return [*relative.parts[:-1], re.sub(r"_0000$", "", _ENDING.sub("", relative.name))]


def _joined(parts: Iterable[str], separator: str) -> str:
    """The parts without words for images."""
    return separator.join(plain for part in parts if (plain := _without(part, _IMAGE_WORDS)))


def _without(name: str, words: str) -> str:
    """`name` without one of the words at its beginning or end."""
    begins = re.match(rf"(?i:{words})(?=[-_. A-Z0-9]|$)[-_. ]*", name)
    if begins:
        return name[begins.end() :]
    return re.sub(rf"(?:^|[-_. ]+)(?i:{words})$", "", name)


def _subject(name: str, pattern: str | None) -> str:
    if pattern is None:
        found = _SUBJECT.search(name)
        return found[0] if found else name
    try:
        found = re.search(pattern, name)
    except re.error as fault:
        raise InputError(f"the subject pattern '{pattern}' is not a regular expression ({fault})") from fault
    if not found:
        raise InputError(f"the subject pattern '{pattern}' does not fit the case '{name}'")
    return found[found.re.groups and 1]


def _refuse_twins(names: Iterable[str], folder: Path) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{folder}: two cases are called '{name}'; name them apart in {CASES_CSV}")
        seen.add(name)
