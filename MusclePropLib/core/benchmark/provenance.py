"""Which state of the code a figure was measured with, so that stale ones are seen."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_FILES = "annotations assemble convlstm convolution losses network outcome propagation training"
METHOD = (
    "MusclePropLib/core/guided",
    "MusclePropLib/core/priors",
    *(f"MusclePropLib/core/{name}.py" for name in _FILES.split()),
    "Resources/Weights/guided.safetensors",
    *(f":(exclude)MusclePropLib/core/guided/{name}.py" for name in ("lessons", "pretrain", "subjects")),
)
"""Git paths of what MuscleProp's own figures depend on; what the weights were made with is in the weights."""


@cache
def commit() -> str:
    """Short hash of the commit that is checked out, empty outside a git repository."""
    return _git("rev-parse", "--short", "HEAD").strip()


@cache
def is_stale(measured_at: str) -> bool:
    """Whether MuscleProp's method has changed since that commit; true of a commit that is not known, too."""
    return not measured_at or bool(_git("diff", "--name-only", measured_at, "HEAD", "--", *METHOD, failed="unknown"))


def _git(*arguments: str, failed: str = "") -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    except OSError:
        return failed
    return done.stdout if done.returncode == 0 else failed
