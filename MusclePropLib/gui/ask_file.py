"""Asking where to write a file."""

from __future__ import annotations

import re
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*]')
"""What Windows or a path would stumble over; volumes that come from DICOM are called "4: Leg"."""


def ask_where(title: str, name: str, kind: str, endings: tuple[str, ...]) -> Path | None:
    """The file to write; None if the expert thinks better of it. A name without one of `endings` is given the first."""
    proposed = str(Path(qt.QDir.homePath()) / f"{NOT_IN_NAMES.sub('_', name)}{endings[0]}")
    chosen = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, proposed, f"{kind} (*{endings[0]})")
    if not chosen:
        return None
    path = Path(chosen)
    if path.suffix.lower() in endings:
        return path
    path = path.with_name(f"{path.name}{endings[0]}")
    return path if not path.exists() or _may_replace(path) else None


def _may_replace(path: Path) -> bool:
    """The dialog has asked about the name as it was typed only."""
    question = _("{path} already exists. Replace it?").format(path=path)
    return slicer.util.confirmOkCancelDisplay(question, windowTitle="MuscleProp")
