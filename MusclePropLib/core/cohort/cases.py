"""Which files of a folder belong together: image, label map, subject."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import files_below

CASES_CSV = "cases.csv"
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
    subject. Otherwise a file is a label map if its name, its ending (`.seg.nrrd`) or a folder above it says so (label,
    mask, seg, gt, annotation ...), and belongs to the image whose path is the same without such words: `x1.mha` and
    `masksX1.mha` (Leg-3D-US), `imagesTr/a_0000.nii.gz` and `labelsTr/a.nii.gz` (nnU-Net), `s1/image.nrrd` and
    `s1/label.nrrd`; a folder's only image and only label map belong together too. Images without one are left out.
    Links to folders are followed.

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
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if not {"image", "labels"} <= set(rows.fieldnames or ()):
            raise InputError(f"{path}: needs the columns image and labels")
        for row in rows:
            image, labels = (path.parent / (row[column] or "").strip() for column in ("image", "labels"))
            for file_path in (image, labels):
                if not file_path.exists() or file_path == path.parent:
                    raise InputError(f"{path}, line {rows.line_num}: no such file: {file_path}")
            name = (row.get("name") or "").strip() or _ENDING.sub("", row["image"].strip()).replace("/", "-")
            yield Case(name, (row.get("subject") or "").strip() or _subject(name, subject), image, labels)


def _paired(folder: Path, subject: str | None) -> Iterator[Case]:
    images: dict[str, Path] = {}
    labels: dict[str, Path] = {}
    for path in files_below(folder):
        relative = path.relative_to(folder)
        if not _ENDING.search(path.name) or any(part.startswith(".") for part in relative.parts):
            continue
        plain, is_label = _plain(relative)
        key = plain.lower()
        place = labels if is_label else images
        if key in place:
            raise InputError(f"{place[key]} and {path.name} look like the same case; list the cases in {CASES_CSV}")
        place[key] = path
    for key, image in images.items():
        mask = labels.get(key) or _only_neighbour(image, images, labels)
        if mask:
            name = _plain(image.relative_to(folder))[0].replace("/", "-") or _ENDING.sub("", image.name)
            yield Case(name, _subject(name, subject), image, mask)


def _only_neighbour(image: Path, images: dict[str, Path], labels: dict[str, Path]) -> Path | None:
    """The label map of a folder that holds one image and one label map, whatever they are called."""
    beside = [[path for path in found.values() if path.parent == image.parent] for found in (images, labels)]
    return beside[1][0] if [len(found) for found in beside] == [1, 1] else None


def _plain(relative: Path) -> tuple[str, bool]:
    """What image and label map of a case have in common, but for capitals, and whether this is the label map."""
    stem = _ENDING.sub("", relative.name)
    is_label = relative.name.lower().endswith(".seg.nrrd")
    parts = []
    for part in (*relative.parts[:-1], re.sub(r"_0000$", "", stem)):
        plain = _without(part, _LABEL_WORDS)
        is_label = is_label or plain != part
        parts.append(_without(plain, _IMAGE_WORDS))
    return "/".join(part for part in parts if part), is_label


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
