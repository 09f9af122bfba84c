"""What the worker's Python needs beyond what Slicer brings: what is missing, and the commands that install it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

TORCH = "torch>=2.2"
LIGHT_THE_TORCH = "light-the-torch>=0.5"
KEPT = ("numpy", "scipy", "SimpleITK", "torch", "vtk")  # Slicer's own or just installed: never to be replaced


def missing_packages(requirements: Path) -> list[str]:
    """Names of what is not installed, or in a version that does not do; "torch" first. Imports none of it."""
    importlib.invalidate_caches()
    missing = [] if torch_is_whole() else ["torch"]
    return missing + [name for name, wanted in read_requirements(requirements) if not _installed(name, wanted)]


def torch_is_whole() -> bool:
    """A half-installed torch imports without a complaint, as an empty namespace."""
    if not _installed("torch", TORCH.removeprefix("torch")):
        return False
    spec = importlib.util.find_spec("torch")
    return spec is not None and spec.origin is not None and Path(spec.origin).with_name("version.py").is_file()


def install_commands(missing: Iterable[str], requirements: Path) -> list[list[str]]:
    """What is to be run one after the other; none of it changes a package that Slicer itself relies on.

    torch is installed as the PyTorch extension does it, by light-the-torch, which finds the build for the graphics
    driver, but in a process of its own, so that Slicer's window goes on living.
    """
    missing = list(missing)
    python = shutil.which("PythonSlicer") or sys.executable
    keep = ["-c", str(_constraints())]
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", *keep]
    commands = []
    if "torch" in missing:
        again = ["--force-reinstall"] if importlib.util.find_spec("torch") is not None else []  # half of it is there
        commands.append([*pip, LIGHT_THE_TORCH])
        commands.append([python, "-m", "light_the_torch", "install", *again, *keep, TORCH, "torchvision"])
    if set(missing) - {"torch"}:
        commands.append([*pip, "-r", str(requirements)])
    return commands


def read_requirements(path: Path) -> list[tuple[str, str]]:
    """Name and version specifier of every line that is not a comment."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [(r.name, str(r.specifier)) for r in map(_requirement, filter(None, lines))]


def _installed(name: str, wanted: str) -> bool:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return version is not None and _requirement(name + wanted).specifier.contains(version, prereleases=True)


def _requirement(text: str) -> object:
    try:
        from packaging.requirements import Requirement
    except ImportError:  # Slicer 5.10 may only have pip's copy
        from pip._vendor.packaging.requirements import Requirement
    return Requirement(text)


def _constraints() -> Path:
    """A file that holds the versions which pip must not change."""
    lines = []
    for name in KEPT:
        if name == "torch" and not torch_is_whole():
            continue
        try:
            lines.append(f"{name}=={importlib.metadata.version(name)}\n")
        except importlib.metadata.PackageNotFoundError:
            continue
    options = {"prefix": "muscleprop-constraints-", "suffix": ".txt", "delete": False}  # pip reads it later
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", **options) as file:  # others' may lie there, too
        file.write("".join(lines))
    return Path(file.name)
