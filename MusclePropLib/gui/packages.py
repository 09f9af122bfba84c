"""What the worker's Python needs beyond what Slicer brings: what is missing, and the commands that install it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

TORCH = "torch>=2.3"
LIGHT_THE_TORCH = "light-the-torch>=0.5"
RUN_LIGHT_THE_TORCH = "import runpy\n\nrunpy.run_module('light_the_torch', run_name='__main__', alter_sys=True)\n"
KEPT = ("numpy", "scipy", "SimpleITK", "pydicom", "torch", "vtk")  # Slicer's own or just installed: to stay as it is


def missing_packages(requirements: Path) -> list[str]:
    """Names of what is not installed, or in a version that does not do; "torch" first. Imports none of it."""
    importlib.invalidate_caches()
    missing = [] if torch_is_whole() else ["torch"]
    return missing + [name for name, wanted in read_requirements(requirements) if not _installed(name, wanted)]


def torch_is_whole() -> bool:
    """Whether torch is there, new enough, and not half-installed, which imports as an empty namespace."""
    return _installed("torch", TORCH.removeprefix("torch")) and not _torch_is_in_pieces()


def torch_is_to_be_had() -> bool:
    """Whether torch is still made for this kind of computer: for macOS on Intel, 2.2 was the last."""
    return (sys.platform, platform.machine()) != ("darwin", "x86_64")


def install_commands(missing: Iterable[str], requirements: Path, folder: Path) -> list[list[str]]:
    """What is to be run one after the other; none of it changes a package that Slicer itself relies on.

    torch is installed as the PyTorch extension does it, by light-the-torch, which finds the build for the graphics
    driver, but in a process of its own, so that Slicer's window goes on living. It wants an older pip than Slicer may
    have: both lie in `folder`, an empty one that nobody else writes to, and is needed until the last command has ended.
    """
    missing = list(missing)
    python = shutil.which("PythonSlicer") or sys.executable
    keep = ["-c", str(_constraints(folder))]
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", *keep]
    commands = []
    if "torch" in missing:
        finder = folder / "light-the-torch"
        finder.mkdir()
        (finder / "__main__.py").write_text(RUN_LIGHT_THE_TORCH, encoding="utf-8")
        install = [python, str(finder), "install", *keep]
        commands.append([*pip, "--target", str(finder), LIGHT_THE_TORCH])
        if _torch_is_in_pieces():  # which pip may take for all of it
            commands.append([*install, "--ignore-installed", "--no-deps", TORCH])
        commands.append([*install, TORCH, "torchvision"])
    if set(missing) - {"torch"}:
        commands.append([*pip, "-r", str(requirements)])
    return commands


def read_requirements(path: Path) -> list[tuple[str, str]]:
    """Name and version specifier of every line that is not a comment."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [(r.name, str(r.specifier)) for r in map(_requirement, filter(None, lines))]


def _torch_is_in_pieces() -> bool:
    """Whether there is a part of torch: an installation was broken off."""
    recorded, spec = _installed("torch", ""), importlib.util.find_spec("torch")
    whole = spec is not None and spec.origin is not None and Path(spec.origin).with_name("version.py").is_file()
    return (recorded or spec is not None) and not (recorded and whole)


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


def _constraints(folder: Path) -> Path:
    """A file that holds the versions which pip must not change."""
    lines = []
    for name in KEPT:
        if name == "torch" and not torch_is_whole():
            continue
        try:
            lines.append(f"{name}=={importlib.metadata.version(name)}\n")
        except importlib.metadata.PackageNotFoundError:
            continue
    path = folder / "constraints.txt"
    path.write_text("".join(lines), encoding="utf-8")
    return path
