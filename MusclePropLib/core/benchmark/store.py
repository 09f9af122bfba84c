"""The benchmark's results.json: whole after every row, so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing

Row = dict[str, Any]
FACTS = ("case", "files", "axis", "label_any", "crop", "layout", "slices", "seed", "method", "options")


class Store:
    """Rows of a benchmark, kept in `path`; `environment` is written beside them."""

    def __init__(self, path: Path, environment: dict[str, object], keep: bool = True) -> None:
        """Read what is there; without `keep` none of it is found again, but it stays until it is measured anew.

        Raises InputError if it is not a benchmark's results.
        """
        self.path = path
        self._findable = keep
        self._environment = environment
        self._rows = {_key(row): row for row in read_rows(path)} if path.exists() else {}

    @property
    def rows(self) -> list[Row]:
        """All rows, oldest first."""
        return list(self._rows.values())

    def find(self, identity: Row) -> Row | None:
        """The finished row of this identity."""
        row = self._rows.get(_key(identity)) if self._findable else None
        return row if row and row["status"] == "done" else None

    def add(self, row: Row) -> None:
        """Take a row in, in place of an older one of the same identity, and write the file."""
        self._rows[_key(row)] = row
        content = {"environment": self._environment, "rows": self.rows}
        with replacing(self.path) as part:
            part.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """The rows of a results.json; InputError if it is damaged."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        for row in rows:
            _key(row), row["status"]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(f"{path}: not the results of a benchmark ({fault})") from fault
    return rows


def _key(row: Row) -> str:
    return json.dumps([row[fact] for fact in FACTS], sort_keys=True)
