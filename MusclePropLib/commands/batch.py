"""`muscleprop batch`: every annotated volume under a folder, one warm worker for all."""

from __future__ import annotations

import argparse
import csv
import io
import os
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MusclePropLib.commands._case import Case
from MusclePropLib.commands._session import Session, add_settings, settings_of
from MusclePropLib.commands.common import (
    IMAGE_ENDINGS,
    SEGMENTATION_ENDINGS,
    CommandFailed,
    Progress,
    check_folder,
    print_json,
    write_json,
    write_text,
)
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import checksum, files_below

HELP = "propagate every annotated volume under a folder; goes on where it was interrupted"
EXAMPLE = """muscleprop batch recordings -o results
with
recordings/leg-01.nrrd and recordings/leg-01-annotations.seg.nrrd (in subfolders too)
gives
results/leg-01-muscles.seg.nrrd, results/leg-01-muscles.json and results/summary.csv"""

MARK = "-annotations"
SUMMARY = "summary.csv"
CORRECTED = "corrected since it was computed, and left as it is; propagate it by itself or move it away"
COLUMNS = (
    *("case", "status", "muscle", "volume_ml", "estimate", "method", "drawn_slices", "next_slice", "seconds"),
    "message",
)


@dataclass(frozen=True)
class Item:
    """One annotated volume: `name` is its path under the input folder without endings."""

    name: str
    case: Case

    @property
    def record(self) -> Path:
        """The file that says that this case is done, and with what."""
        return self.case.output.with_name(f"{Path(self.name).name}-muscles.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "folder",
        type=Path,
        help="holds volumes NAME.nrrd (or another ending; or folders NAME of a DICOM series) and what is drawn, "
        "NAME-annotations.seg.nrrd; hidden files are left out",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    add_settings(parser)
    parser.add_argument(
        "--again",
        action="store_true",
        help="also do again what is done and has not changed, but for results that were corrected since",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def run(args: argparse.Namespace) -> int:
    """Propagate case after case; status 1 if any failed. summary.csv is up to date after each.

    A result that somebody has corrected since is never overwritten. InputError at the end if the table could not be
    written, as when it is open in another program.
    """
    chosen = settings_of(args)
    settings = chosen | {"axis": args.axis}
    check_folder(args.output)
    items = find_cases(args.folder, args.output)
    args.output.mkdir(parents=True, exist_ok=True)
    records: dict[str, dict[str, Any]] = {}
    fault: OSError | None = None
    with Session(chosen, args.axis) as session:
        for number, item in enumerate(items, 1):
            done = None if args.again else _done(item, settings)
            with Progress(f"{number}/{len(items)} {item.name}: ") as progress:
                records[item.name] = done or _propagate(item, session, settings, progress)
            fault = _write_table(args.output / SUMMARY, records)
            if not args.json:
                print(f"{number}/{len(items)} {item.name}: {_told(records[item.name], done is not None)}", flush=True)
    failures = sum(record["status"] == "failed" for record in records.values())
    if args.json:
        print_json({"cases": records, "failed": failures})
    else:
        corrected = sum(record["status"] == "corrected" for record in records.values())
        kept = f", {corrected} corrected since and left as they are" * bool(corrected)
        done = len(records) - failures - corrected
        print(f"{done} of {len(records)} cases done{kept}; {args.output / SUMMARY}")
    if fault is not None:
        reason = fault.strerror or str(fault)
        raise InputError(f"{args.output / SUMMARY}: could not be written ({reason}); close it and run the batch again")
    return 1 if failures else 0


def find_cases(folder: Path, output: Path) -> list[Item]:
    """The annotated volumes under `folder`, linked folders too and hidden files not, sorted by name.

    InputError if there are none, or two annotations of one volume, whose results would overwrite each other.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    drawn = (path for path in files_below(folder) if f"{MARK}." in path.name)
    items = [item for path in drawn if (item := _item(path, folder, output))]
    if not items:
        raise InputError(f"{folder}: no annotated volume (NAME.nrrd with NAME{MARK}.seg.nrrd) in it")
    given: dict[str, Path] = {}
    for item in items:
        path = item.case.annotations
        if given.setdefault(item.name, path) != path:
            raise InputError(f"{path}: there is {given[item.name].name}, too; keep one annotation of each volume")
    return items


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """summary.csv: one row per case and muscle, one per case that failed or whose result was corrected since."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for name, record in records.items():
        writer.writerows({"case": name} | row for row in _rows(record))
    return text.getvalue()


def _write_table(path: Path, records: Mapping[str, Mapping[str, Any]]) -> OSError | None:
    """What kept it from being written: no reason to leave the other cases undone."""
    try:
        write_text(path, table(records))
    except OSError as fault:
        return fault
    return None


def _item(path: Path, folder: Path, output: Path) -> Item | None:
    stem, _, ending = path.name.partition(MARK)
    if not stem or ending.lower() not in SEGMENTATION_ENDINGS:
        return None
    image = _image_named(path.with_name(stem)) or path.with_name(stem + IMAGE_ENDINGS[0])
    place = path.parent.relative_to(folder)
    target = output / place / f"{stem}-muscles.seg.nrrd"
    return Item((place / stem).as_posix(), Case(image, path, target))


def _image_named(name: Path) -> Path | None:
    """The image `name` with one of the endings, which may be in capitals where there is none in small letters."""
    beside = sorted(other for other in os.listdir(name.parent) if other.startswith(name.name))
    any_case = {other[len(name.name) :].lower(): name.with_name(other) for other in beside}
    pairs = ((name.with_name(name.name + e), any_case.get(e)) for e in IMAGE_ENDINGS)
    return next((path for pair in pairs for path in pair if path and path.exists()), None)


def _fingerprint(item: Item, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the result depends on: if any of it changes, the case is done again. OSError if it cannot be looked at."""
    from MusclePropLib.core.images import image_files
    from MusclePropLib.core.outcome import BUNDLED, NO_WEIGHTS
    from MusclePropLib.core.volumes import volume_files

    files = [*volume_files(item.case.image), *image_files(item.case.annotations)]
    if settings["weights"] not in (BUNDLED, NO_WEIGHTS):
        files.append(Path(settings["weights"]))
    stats = [path.stat() for path in files if path.exists()]
    return {"settings": dict(settings), "files": [[s.st_size, s.st_mtime_ns] for s in stats]}


def _done(item: Item, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    from MusclePropLib.core.measurements.records import read_record

    try:
        record = read_record(item.case.output)
        same = item.case.output.exists() and record.get("inputs") == _fingerprint(item, settings)
        return record if same and not _corrected(item, record) else None
    except (OSError, InputError):
        return None


def _corrected(item: Item, record: Mapping[str, Any]) -> bool:
    """Whether the result is no longer the one that its record tells of; records of older versions do not know."""
    output = item.case.output
    return "checksum" in record and output.exists() and checksum(output) != record["checksum"]


def _propagate(item: Item, session: Session, settings: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    from MusclePropLib.core.measurements.records import read_record

    try:
        if _corrected(item, read_record(item.case.output)):
            return {"status": "corrected", "message": f"{item.case.output}: {CORRECTED}"}
        inputs = _fingerprint(item, settings)
        item.case.output.parent.mkdir(parents=True, exist_ok=True)
        record = {"status": "done", "inputs": inputs, **session.propagate(item.case, progress)}
        write_json(item.record, record)
    except (InputError, CommandFailed, OSError) as fault:
        return {"status": "failed", "message": str(fault)}
    except Exception as fault:  # whatever it is, the other cases are not to blame
        traceback.print_exc()
        return {"status": "failed", "message": f"{item.name}: {type(fault).__name__}: {fault}"}
    return record


def _told(record: Mapping[str, Any], before: bool) -> str:
    from MusclePropLib.core.measurements.tables import millilitres

    if record["status"] != "done":
        return record["message"].splitlines()[0]
    volumes = ", ".join(f"{m['name']} {millilitres(m['volume_ml'])} ml" for m in record["muscles"])
    return f"{volumes} ({'done before' if before else format(record['seconds']['total'], '.0f') + ' s'})"


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if record["status"] != "done":
        yield {"status": record["status"], "message": record["message"].splitlines()[0]}
        return
    common = {"status": "done", "next_slice": record.get("next_slice"), "seconds": round(record["seconds"]["total"], 1)}
    for muscle in record["muscles"]:
        drawn = " ".join(map(str, muscle["drawn_slices"]))
        yield {**common, **muscle, "muscle": muscle["name"], "drawn_slices": drawn}
