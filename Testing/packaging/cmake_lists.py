"""The file lists in the CMake files against the disk; run as a script, it brings them up to date.

Slicer's macro ships the listed files and no others, so a module that is missing here is missing for every user.
"""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LISTS = {
    ("MusclePropLib", "MODULE_PYTHON_SCRIPTS"): ("**/*.py",),
    ("MuscleProp", "MODULE_PYTHON_RESOURCES"): ("Resources/**/*",),
}


def listed(folder: str, variable: str) -> list[str]:
    """What the CMake file names."""
    text = (REPOSITORY / folder / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.search(rf"set\({variable}\n(.*?)\s*\)", text, re.S)[1].split()


def on_disk(folder: str, variable: str) -> list[str]:
    """What is there."""
    root = REPOSITORY / folder
    files = (p for pattern in LISTS[folder, variable] for p in root.glob(pattern) if p.is_file())
    return sorted(p.relative_to(root).as_posix() for p in files if "__pycache__" not in p.parts)


def update(folder: str, variable: str) -> None:
    """Write the list anew."""
    path = REPOSITORY / folder / "CMakeLists.txt"
    lines = "".join(f"  {name}\n" for name in on_disk(folder, variable))
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(rf"(set\({variable}\n).*?(  \))", rf"\1{lines}\2", text, flags=re.S), encoding="utf-8")


if __name__ == "__main__":
    for key in LISTS:
        update(*key)
