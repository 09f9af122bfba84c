"""Nothing half-written: a file appears under its own name only when it is whole. And what lies below a folder."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART_PREFIX = ".part-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; it takes `path`'s place only if the block succeeds.

    The temporary name ends like the final one, because writers choose the format by the ending.
    """
    path = Path(path)
    part = path.with_name(f"{PART_PREFIX}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def files_below(folder: Path) -> list[Path]:
    """Every file below the folder, sorted; links to folders are followed, each folder being looked at once."""
    seen: set[str] = set()
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = [name for name in sorted(folders) if os.path.realpath(os.path.join(place, name)) not in seen]
        found += [Path(place, name) for name in names]
    return sorted(found)
