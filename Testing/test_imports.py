"""The static import rule: arrows gui -> scene, jobs -> core; no Slicer, Qt or torch where they do not belong."""

import subprocess
import sys
from pathlib import Path

import pytest
from imports import MAY_IMPORT, PACKAGE, imports_of, layers_on_disk, violations

ROOT = Path(__file__).parents[1]


def test_the_package_keeps_the_rule():
    assert violations(imports_of(ROOT)) == []


def test_every_layer_has_its_rule():
    assert layers_on_disk(ROOT) <= MAY_IMPORT.keys()


PLANTED = [
    ("core/a.py", "import slicer", "core must not import slicer"),
    ("core/a.py", "from vtk.util import numpy_support", "core must not import vtk"),
    ("core/a.py", "def f():\n    import qt", "core must not import qt"),
    ("core/a.py", "from MusclePropLib.jobs import runner", "core must not import jobs"),
    ("core/a.py", "from .. import scene", "core must not import scene"),
    ("core/a.py", "from MusclePropLib import gui", "core must not import gui"),
    ("jobs/a.py", "import qt", "jobs must not import qt"),
    ("jobs/a.py", "import slicer.util", "jobs must not import slicer"),
    ("jobs/a.py", "from MusclePropLib.scene.x import y", "jobs must not import scene"),
    ("jobs/a.py", "def f():\n    import torch", "client's side of jobs must not import torch"),
    ("jobs/worker.py", "import qt", "jobs must not import qt"),
    ("scene/a.py", "from ctk import x", "scene must not import ctk"),
    ("scene/a.py", "from MusclePropLib.jobs.job import Job", "scene must not import jobs"),
    ("scene/a.py", "from MusclePropLib.core import heavy", "loads torch at start"),
    ("scene/a.py", "from MusclePropLib.core.middle import x", "loads torch at start"),
    ("gui/a.py", "def f():\n    import torch", "gui must not import torch"),
    ("gui/a.py", "from ..core.heavy import x", "loads torch at start"),
    ("gui/a.py", "import importlib\nimportlib.import_module('torch')", "gui must not import torch"),
    ("commands/a.py", "import torch.nn as nn", "loads torch at start"),
    ("commands/a.py", "class A:\n    import torch", "loads torch at start"),
    ("cli.py", "try:\n    import torch\nexcept ImportError:\n    torch = None", "loads torch at start"),
    ("__init__.py", "from MusclePropLib.core.heavy import x", "loads torch at start"),
    ("exchange/a.py", "import slicer", "exchange must not import slicer"),
    ("exchange/a.py", "from MusclePropLib.report import x", "exchange must not import report"),
    ("report/a.py", "from MusclePropLib.core.heavy import x", "loads torch at start"),
]


@pytest.mark.parametrize(("path", "text", "reason"), PLANTED)
def test_a_planted_violation_is_found(tmp_path, path, text, reason):
    found = violations(imports_of(plant(tmp_path, path, text)))
    assert any(reason in line for line in found), found
    assert all(line.startswith(f"{PACKAGE}.{path[:-3].replace('/', '.')}".removesuffix(".__init__")) for line in found)


ALLOWED = [
    ("core/a.py", "import torch"),
    ("jobs/worker.py", "def load():\n    import torch"),
    ("jobs/a.py", "from MusclePropLib.core.geometry import Geometry"),
    ("jobs/a.py", "def f():\n    from MusclePropLib.core.propagation import x"),
    ("scene/a.py", "import slicer\nimport vtk\nfrom MusclePropLib.core import light"),
    ("gui/a.py", "import qt\nfrom MusclePropLib.scene import a\nfrom MusclePropLib.jobs.runner import Runner"),
    ("exchange/a.py", "import vtk\nfrom MusclePropLib.core import light"),
    ("report/a.py", "from MusclePropLib.exchange import a"),
    ("commands/a.py", "def run():\n    import torch\n    from MusclePropLib.core.heavy import x"),
    ("commands/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from MusclePropLib.core import heavy"),
]


@pytest.mark.parametrize(("path", "text"), ALLOWED)
def test_what_is_allowed_is_not_reported(tmp_path, path, text):
    assert violations(imports_of(plant(tmp_path, path, text))) == []


def plant(root, path, text):
    """A package with a module that loads torch, one that loads that, one that does neither, and `text` at `path`."""
    core = root / PACKAGE / "core"
    core.mkdir(parents=True)
    (core / "heavy.py").write_text("import torch", encoding="utf-8")
    (core / "middle.py").write_text("from MusclePropLib.core.heavy import x", encoding="utf-8")
    (core / "light.py").write_text("import numpy", encoding="utf-8")
    target = root / PACKAGE / path
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return root


def test_a_command_line_starts_without_anything_heavy():
    """What the static rule promises, seen in a process."""
    imports = "from MusclePropLib import cli; import MusclePropLib.jobs.runner; cli.build_parser()"
    code = f"import sys; {imports}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not {"torch", "matplotlib", "slicer", "vtk", "qt", "PySide6", "skimage", "cv2"} & set(done.stdout.split())
