"""Nothing half-written: a file appears under its own name only when it is whole. What lies below a folder; its end."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.steps import Steps

PART_PREFIX = ".part-"
REMOVE_BYTES = 1 << 26


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; it takes `path`'s place only if the block succeeds.

    The temporary name ends like the final one, because writers choose the format by the ending. An OSError of that
    name, or of none, as of a full disk, is raised with `path`.
    """
    path = Path(path)
    part = path.with_name(f"{PART_PREFIX}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield part
        os.replace(part, path)
    except OSError as fault:
        if fault.errno is not None and fault.filename in (None, os.fspath(part)):
            fault.filename = os.fspath(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """SHA-256, by which the file is known again, wherever it is copied to, until its bytes change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def distinct(names: Sequence[str]) -> list[str]:
    """The names of files, numbered where one stands again, be it in other letters: not all disks tell these apart."""
    given, taken, found = {name.casefold() for name in names}, set(), []
    for name in names:
        if name.casefold() in taken:
            name = next(other for n in count(2) if (other := f"{name}-{n}").casefold() not in given)
            given.add(name.casefold())
        taken.add(name.casefold())
        found.append(name)
    return found


def check_name(path: Path) -> None:
    """InputError for a name that is not valid UTF-8, as out of an old ZIP: SimpleITK would end the whole process."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError as fault:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise InputError(f"{shown}: the name is not valid UTF-8; rename the file") from fault


def is_hidden(name: str) -> bool:
    """Whether file managers and shells leave the file or folder of this name out."""
    return name.startswith(".")


def files_below(folder: Path) -> list[Path]:
    """Every file below the folder, sorted; links to folders are followed, each folder being looked at once.

    Hidden files and folders are left out: on disks that are not its own, macOS lays a `._NAME` beside every NAME.
    """
    seen: set[str] = set()
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        visible = [name for name in sorted(folders) if not is_hidden(name)]
        folders[:] = [name for name in visible if os.path.realpath(os.path.join(place, name)) not in seen]
        found += [Path(place, name) for name in names if not is_hidden(name)]
    return sorted(found)


def removed(folder: Path) -> Steps:
    """Delete a folder and the files in it, long ones from their ends, REMOVE_BYTES a step; no error if it is not there.

    A long file in the system's cache takes a tenth of a second to delete at once. Nobody may still read the files, but
    somebody else may be deleting them, too: at the end of Slicer the worker does.
    """
    found: list[Path] = []
    with contextlib.suppress(OSError):
        found += folder.iterdir()
    for file in (f for f in found if f.is_file() and not f.is_symlink()):
        with contextlib.suppress(OSError):
            for size in range(file.stat().st_size - REMOVE_BYTES, 0, -REMOVE_BYTES):
                os.truncate(file, size)
                yield
    shutil.rmtree(folder, ignore_errors=True)
