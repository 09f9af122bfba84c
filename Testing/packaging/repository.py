"""Where the project lives: said in the extension's CMakeLists.txt, and from there in every file that needs it.

    python Testing/packaging/repository.py                                  # where it is said to be
    python Testing/packaging/repository.py https://github.com/OWNER/NAME    # it has moved

The extension index reads plain text from these files, so the address cannot be a variable.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ("CMakeLists.txt", "MuscleProp.json", "MuscleProp/MuscleProp.py")
HOST = "github.com/"


def homepage(root: Path = ROOT) -> str:
    """What CMakeLists.txt says."""
    return re.search(r'EXTENSION_HOMEPAGE "([^"]+)"', (root / FILES[0]).read_text(encoding="utf-8"))[1]


def others(root: Path = ROOT) -> list[str]:
    """OWNER/NAME in every address of a GitHub repository or of a file in one, file by file."""
    texts = "\n".join((root / name).read_text(encoding="utf-8") for name in FILES)
    found = re.findall(r"(?:github\.com|raw\.githubusercontent\.com)/([\w-]+/[\w-]+)", texts)
    return [name for name in found if name != "Slicer/Slicer"]  # its schema


def move(url: str, root: Path = ROOT) -> None:
    """Say everywhere that the project lives at `url`."""
    old, new = (u.partition(HOST)[2].removesuffix(".git").strip("/") for u in (homepage(root), url))
    if new.count("/") != 1:
        raise SystemExit(f"{url}: not the address of a GitHub repository")
    for name in FILES:
        path = root / name
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(rf"(?<=com/){re.escape(old)}(?![\w-])", new, text), encoding="utf-8")


if __name__ == "__main__":
    move(sys.argv[1]) if sys.argv[1:] else print(homepage())
