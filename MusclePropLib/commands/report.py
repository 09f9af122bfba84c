"""`muscleprop report`: a page to look at, print and hand on."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from MusclePropLib.commands.common import IMAGE_ENDINGS, check_folder, write_text
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import distinct

if TYPE_CHECKING:
    from MusclePropLib.core.measurements.recording import Recording

HELP = "write a report: one HTML page per recording, and one over all if there are several"
EXAMPLE = """muscleprop report leg-muscles.seg.nrrd --image leg.nrrd -o leg.html
muscleprop report results/*.seg.nrrd --subjects subjects.csv -o cohort.html
subjects.csv has the columns file,subject,side,scan; sides (left, right) and scans of a subject are compared,
of scans the two that most have, and further ones that all of these have;
file is a result's name, or as much of the end of its path as tells it apart (s1/left-muscles.seg.nrrd)"""

COLUMNS = ("file", "subject", "side", "scan")
RESULT_MARK = "-muscles"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT", help="results of propagations (.seg.nrrd)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="page (.html); of several, the one over all")
    parser.add_argument(
        "--image",
        type=Path,
        nargs="+",
        help="the results' images, in the same order (default: as recorded, or NAME.nrrd beside NAME-muscles.seg.nrrd)",
    )
    parser.add_argument("--subjects", type=Path, metavar="CSV", help="whose the recordings are: file,subject,side,scan")


def run(args: argparse.Namespace) -> int:
    """Write the page, or a folder of pages and the page over all that links to them; nothing if one cannot be made."""
    _check(args)
    subjects = {} if args.subjects is None else subjects_of(args.results, args.subjects)
    images = args.image or [find_image(result) for result in args.results]
    if len(args.results) == 1:
        _, page = _page(args.results[0], images[0], "")
        write_text(args.output, page)
        print(args.output)
        return 0
    from MusclePropLib.report.cohort import cohort_page
    from MusclePropLib.report.pairs import Entry

    folder = args.output.with_suffix("")
    check_folder(folder)
    entries, pages = [], {}
    for result, image, name in zip(args.results, images, _page_names(args.results), strict=True):
        recording, pages[folder / name] = _page(result, image, f"../{args.output.name}")
        entries.append(Entry(recording, f"{folder.name}/{name}", **subjects.get(result, {})))
    pages[args.output] = cohort_page(entries, args.output.stem)
    folder.mkdir(exist_ok=True)
    for path, page in pages.items():
        write_text(path, page)
        print(path)
    return 0


def subjects_of(results: Sequence[Path], path: Path) -> dict[Path, dict[str, str]]:
    """Subject, side and scan of the results that the table `path` names; a word on those that it does not name.

    InputError if a row fits several results, two rows fit one, two results have all three in common, or no row fits.
    """
    subjects: dict[Path, dict[str, str]] = {}
    for row in read_subjects(path):
        file = row.pop("file")
        fitting = [result for result in dict.fromkeys(results) if _ends_with(result, file)]
        if len(fitting) > 1:
            raise InputError(f"{path}: '{file}' fits {fitting[0]} and {fitting[1]}; write more of the path before it")
        for result in fitting:
            if subjects.setdefault(result, row) is not row:
                raise InputError(f"{path}: two rows fit {result}, the second being '{file}'; leave one of them out")
    _check_distinct(subjects, path)
    missing = [str(result) for result in results if result not in subjects]
    if len(missing) == len(results):
        raise InputError(f"{path}: names none of the results ({missing[0]} ...) in its column 'file'")
    if missing:
        print(f"muscleprop: {path}: does not name {', '.join(missing)}", file=sys.stderr)
    return subjects


def _ends_with(result: Path, file: str) -> bool:
    """Whether the result's path ends with the parts of `file`, be that a name or a path.

    That of another place fits nothing, even if the names agree: it may be another person's.
    """
    wanted = tuple(part for part in Path(os.path.normpath(file)).parts if part != os.pardir)
    return Path(os.path.abspath(result)).parts[-len(wanted) :] == wanted


def _check_distinct(subjects: Mapping[Path, Mapping[str, str]], path: Path) -> None:
    """InputError if two results would take the same place in a comparison; found before all of them are measured."""
    first: dict[tuple[str, ...], Path] = {}
    for result, whose in subjects.items():
        subject, *which = whose.values()
        if subject and any(which) and first.setdefault((subject, *which), result) != result:
            same = f"{first[subject, *which]} and {result} have the same subject, side and scan"
            raise InputError(f"{path}: {same} ({', '.join(filter(None, (subject, *which)))})")


def read_subjects(path: Path) -> list[dict[str, str]]:
    """File, subject, side and scan by row; InputError if a column or a file is missing or a side unknown."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = ";" if ";" in file.readline() else ","  # as spreadsheets write it where the comma is decimal
            file.seek(0)
            reader = csv.DictReader(file, delimiter=separator)
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"{path}: cannot be read ({fault})") from fault
    if missing := [c for c in ("file", "subject") if c not in columns]:
        raise InputError(f"{path}: the column '{missing[0]}' is missing")
    subjects = []
    for number, row in enumerate(rows, 2):
        if not any(row.values()):
            continue
        given = {c: (row.get(c) or "").strip() for c in COLUMNS}
        if not given["file"]:
            raise InputError(f"{path}: row {number} has nothing in the column 'file'")
        given["side"] = {"l": "left", "r": "right"}.get(given["side"].lower(), given["side"].lower())
        if given["side"] not in ("", "left", "right"):
            raise InputError(f"{path}: '{given['file']}' has the side '{row['side']}', which is neither left nor right")
        subjects.append(given)
    return subjects


def find_image(result: Path) -> Path | None:
    """The image that the result's record names, or that lies beside it; None if there is none."""
    from MusclePropLib.core.measurements.records import read_record, stem

    recorded = Path(read_record(result).get("image", ""))
    candidates = [recorded, result.with_name(recorded.name)] if recorded.name else []
    endings = (e for e in IMAGE_ENDINGS if e not in ("", ".dcm"))  # beside a result, .dcm may be its DICOM SEG
    candidates += [result.with_name(stem(result).removesuffix(RESULT_MARK) + e) for e in endings]
    return next((c for c in candidates if c.exists() and c.resolve() != result.resolve()), None)


def _check(args: argparse.Namespace) -> None:
    if args.output.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{args.output}: a report is a page; give it the ending .html")
    if not args.output.parent.is_dir():
        raise InputError(f"{args.output}: there is no such folder")
    if args.image and len(args.image) != len(args.results):
        raise InputError(f"{len(args.image)} images for {len(args.results)} results; give one for each, or none")


def _page(result: Path, image: Path | None, back: str) -> tuple[Recording, str]:
    from MusclePropLib.core.measurements.files import read_inputs
    from MusclePropLib.report.recording import recording_page

    given = read_inputs(result, image, None, "auto")
    recording = given.measure()
    if image is None:
        print(f"muscleprop: {result}: its image is not known, so the report shows no slices (--image)", file=sys.stderr)
    return recording, recording_page(recording, given.segmentation, given.volume, back)


def _page_names(results: Sequence[Path]) -> list[str]:
    """A page's name for each result, whatever folders these are in."""
    from MusclePropLib.core.measurements.records import stem

    return [f"{name}.html" for name in distinct([stem(result) for result in results])]
