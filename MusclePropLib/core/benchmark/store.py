"""The benchmark's results.json: whole after every row, so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing

Row = dict[str, Any]
FACTS = ("case", "files", "axis", "label_any", "crop", "layout", "slices", "seed", "method", "options")


class Store:
    """Rows of a benchmark, kept in `path`; `environment` is written beside them."""

    def __init__(self, path: Path, environment: dict[str, object], keep: bool | Callable[[Row], bool] = True) -> None:
        """Read what is there; what is not to `keep` is not found again, but stays until it is measured anew.

        Raises InputError if it is not a benchmark's results.
        """
        self.path = path
        self._keeps = keep if callable(keep) else lambda row: keep
        self._environment = environment
        self._rows = {_key(row): row for row in read_rows(path)} if path.exists() else {}

    @property
    def rows(self) -> list[Row]:
        """All rows, oldest first."""
        return list(self._rows.values())

    def find(self, identity: Row) -> Row | None:
        """The finished row of this identity."""
        row = self._rows.get(_key(identity))
        return row if row and row["status"] == "done" and self._keeps(row) else None

    def add(self, row: Row) -> Row:
        """Take a row in, in place of an older one of the same identity, and write the file; returns it as it is kept.

        The file has a line for each row, and seven digits of every score.
        """
        key = _key(row)
        self._rows.pop(key, None)
        self._rows[key] = row | {"scores": _shortened(row["scores"])} if "scores" in row else row
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in self.rows)
        head = json.dumps(self._environment, allow_nan=False)
        with replacing(self.path) as part:
            part.write_text(f'{{"environment": {head},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
        return self._rows[key]


def read_rows(path: Path) -> list[Row]:
    """The rows of a results.json; InputError if it is damaged."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        for row in rows:
            _key(row), row["status"]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(f"{path}: not the results of a benchmark ({fault})") from fault
    return rows


def _shortened(scores: dict[str, Row]) -> dict[str, Row]:
    return {
        muscle: {name: float(f"{value:.7g}") if isinstance(value, float) else value for name, value in figures.items()}
        for muscle, figures in scores.items()
    }


def _key(row: Row) -> str:
    return json.dumps([row[fact] for fact in FACTS], sort_keys=True)
