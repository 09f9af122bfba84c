"""Reads what a Python package imports, without importing it, and what of that its layers forbid."""

import ast
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "MusclePropLib"
QT = ("qt", "ctk", "PySide6", "PyQt5", "PyQt6", "qtpy")
SLICER = ("slicer", "vtk", "MRMLCorePython", "SlicerApplication")
TORCH = ("torch", "torchvision")

# Arrows point one way: gui -> scene, jobs -> core; report -> exchange -> core. A layer may import its own modules and
# these.
MAY_IMPORT = {
    "core": ("core",),
    "jobs": ("jobs", "core"),
    "scene": ("scene", "core"),
    "exchange": ("exchange", "core"),
    "report": ("report", "exchange", "core"),
    "gui": ("gui", "scene", "jobs", "exchange", "report", "core"),
    "commands": ("commands", "jobs", "exchange", "report", "core"),
}
NEVER = {
    "core": QT + SLICER,
    "jobs": QT + SLICER,
    "scene": QT,
    "exchange": QT + TORCH + tuple(name for name in SLICER if name != "vtk"),
    "report": QT + TORCH + tuple(name for name in SLICER if name != "vtk"),
    "gui": TORCH,
    "commands": QT + SLICER,
}
LOADED_AT_START = ("", "jobs", "scene", "exchange", "report", "gui", "commands")  # "": the package's own modules
WORKER = f"{PACKAGE}.jobs.worker"  # computes, in a process of its own


@dataclass(frozen=True)
class Import:
    """`module` imported in `where`; `at_start`: as soon as `where` itself is imported."""

    where: str
    line: int
    module: str
    at_start: bool


def imports_of(root: Path) -> list[Import]:
    """All imports of the package's files under `root`, in whichever form they are written."""
    found = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        where = ".".join(parts[:-1] if is_package else parts)
        found += _imports(ast.parse(path.read_text(encoding="utf-8")), where, is_package, at_start=True)
    return found


def violations(found: list[Import]) -> list[str]:
    """One line for each import that breaks the rule."""
    heavy = _importers_of(TORCH, found)
    return [f"{i.where}, line {i.line}: {reason} ({i.module})" for i in found for reason in _reasons(i, heavy)]


def layer(module: str) -> str:
    """core, jobs, ... of a module of the package; "" for the package's own modules."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else ""


def layers_on_disk(root: Path) -> set[str]:
    """The folders of the package that hold modules; each needs its place in the rule."""
    return {path.parent.name for path in (root / PACKAGE).glob("*/*.py")}


def _reasons(item: Import, heavy: set[str]) -> list[str]:
    own, top = layer(item.where), item.module.split(".")[0]
    reasons = []
    if top == PACKAGE and own and layer(item.module) not in (*MAY_IMPORT[own], ""):
        reasons.append(f"{own} must not import {layer(item.module)}")
    if top in NEVER.get(own, ()):
        reasons.append(f"{own} must not import {top}")
    if own in LOADED_AT_START and item.where != WORKER:
        if item.at_start and (top in TORCH or item.module in heavy):
            reasons.append("loads torch at start")
        if own == "jobs" and top in TORCH:
            reasons.append("the client's side of jobs must not import torch")
    return reasons


def _importers_of(libraries: tuple[str, ...], found: list[Import]) -> set[str]:
    """Modules of the package whose import brings in one of the libraries, at however many removes."""
    at_start = [i for i in found if i.at_start]
    heavy = {i.where for i in at_start if i.module.split(".")[0] in libraries}
    while more := {i.where for i in at_start if i.module in heavy} - heavy:
        heavy |= more
    return heavy


def _imports(node: ast.AST, where: str, is_package: bool, at_start: bool) -> list[Import]:
    found = []
    for child in ast.iter_child_nodes(node):
        found += [Import(where, child.lineno, module, at_start) for module in _modules(child, where, is_package)]
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _for_types_only(child)
        found += _imports(child, where, is_package, at_start and not later)
    return found


def _modules(node: ast.AST, where: str, is_package: bool) -> list[str]:
    """What a statement imports. `from a import b` counts as a and a.b: b may be a module; a.b's parents count too."""
    if isinstance(node, ast.Import):
        return [parent for alias in node.names for parent in _with_parents(alias.name)]
    if isinstance(node, ast.ImportFrom):
        base = _absolute(node, where, is_package)
        return [*_with_parents(base), *(f"{base}.{alias.name}" for alias in node.names)]
    if isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__") and node.args:
        name = node.args[0]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return _with_parents(name.value)
    return []


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def _absolute(node: ast.ImportFrom, where: str, is_package: bool) -> str:
    if not node.level:
        return node.module
    package = where.split(".")
    package = package[: len(package) - node.level + (1 if is_package else 0)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _for_types_only(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:`, which never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
