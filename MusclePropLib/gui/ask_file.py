"""Asking where to write a file."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer


def ask_where(title: str, name: str, kind: str, endings: tuple[str, ...]) -> Path | None:
    """The file to write; None if the expert thinks better of it. A name without one of `endings` is given the first."""
    proposed = str(Path(qt.QDir.homePath()) / f"{name}{endings[0]}")
    chosen = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, proposed, f"{kind} (*{endings[0]})")
    if not chosen:
        return None
    path = Path(chosen)
    return path if path.suffix.lower() in endings else path.with_name(f"{path.name}{endings[0]}")
