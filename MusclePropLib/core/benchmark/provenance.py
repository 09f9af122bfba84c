"""Which state of the code a figure was measured with, so that stale ones are seen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from MusclePropLib.core.rivals import RIVALS

Row = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]

_FILES = "annotations assemble convlstm convolution losses network outcome overlaps propagation training"
METHOD = (
    "MusclePropLib/core/guided",
    "MusclePropLib/core/priors",
    *(f"MusclePropLib/core/{name}.py" for name in _FILES.split()),
    "Resources/Weights/guided.safetensors",
    *(f":(exclude)MusclePropLib/core/guided/{name}.py" for name in ("lessons", "pretrain", "subjects")),
)
"""Git paths of what MuscleProp's own figures depend on; what the weights were made with is in the weights."""

ALIKE = (
    "1113d3c",
    "809441c",
    "896c7e1",
    "0258ca6",
    "860abc0",
    "96895fd",
    "a117906",
    "39cef4b",
    "500236b",
    "6d76fd1",
    "4ea48e2",
    "ccb1cad",
    "69cafae",
    "4790a9a",
    "1f40989",
    "0c89ef2",
    "6032664",
    "606382d",
    "a12f7f1",
    "224bcfc",
    "f7d8d57",
    "5923b8a",
    "60bd68f",
    "4872951",
    "96991cc",
    "b17b59e",
    "ff7c2ca",
)
"""Commits, oldest first, that changed files of METHOD but no figure.

1113d3c made the first preview quicker: figures of the shape priors, measured before and after it, are equal.
809441c made large grids quicker: of four calves and the three real volumes, propagated before and after it in five
layouts, label maps and estimates are equal.
896c7e1 leaves out fewer slices of small volumes; of none that is measured here any were left out, before or after it.
Nor do benchmarks look for the axis across which slices were drawn, which is all that 96895fd and 1f40989 are about.
0258ca6 made dozens of structures quicker, seen as for 809441c. 860abc0 spares random walks that no seed is linked with;
there was none in the shape priors of the real volumes, of two calves in all layouts and of the organs.
a117906 says it in fewer words.
39cef4b lets in a random walk in other cases than the commit before it, but in none of the 43 propagations of the real
volumes that had been measured by then. 500236b and 4ea48e2 end fine-tuning sooner on large grids, 6d76fd1 walks when
time is up. ccb1cad tries no walk over many places; of those that had been tried none was let in. 69cafae is comments.
4790a9a lets in a random walk where no draft is good: of what had been measured since 69cafae, all that it concerns (ten
organs) was measured anew. 0c89ef2 is about weights that are replaced while a worker is warm. 6032664 is about sweeps
of which slices are left out where the probe went back, and windows of one grey level: none measured here is such a one.
606382d is about muscles that are drawn over each other: all that is measured here comes from label maps without any.
a12f7f1 says besides on which slices a muscle was found, 224bcfc and f7d8d57 look for the weights in more places.
5923b8a widens windows that a muscle leaves: of the first drafts of all that had been measured, four structures in chest
and one calf's soleus did, and were measured anew. 60bd68f is about estimates of muscles drawn on two slices; those of
which it changes any were measured anew. 4872951 is about what the network finds of organs drawn on two slices, which
were measured anew with it. 96991cc saves a look where it finds nothing. b17b59e has the network correct another draft,
ff7c2ca expects other errors of some of what it then finds: drafts of all that had been measured from two drawn slices on
were made once more, and the figures of those in which the corrected one changed were measured anew.
"""


@cache
def commit() -> str:
    """Short hash of the commit that is checked out, empty outside a git repository."""
    return _git("rev-parse", "--short", "HEAD").strip()


@cache
def is_stale(measured_at: str) -> bool:
    """Whether MuscleProp's method has changed since that commit; true of a commit that is not known, too."""
    if not measured_at:
        return True
    later = [alike for alike in ALIKE if _git("rev-list", "-1", f"{measured_at}..{alike}")]
    states = [measured_at, *(state for alike in later for state in (f"{alike}^", alike)), "HEAD"]
    return any(_differ(*states[at : at + 2]) for at in range(0, len(states), 2))


def is_outdated(row: Row) -> bool:
    """Whether a benchmark's row is of MuscleProp as it was before its method last changed."""
    return RIVALS[row["method"]].own and is_stale(row.get("commit", ""))


def measured_at(rows: Iterable[Row]) -> str:
    """What a page says of the state that its figures of MuscleProp are of."""
    own = [row for row in rows if RIVALS[row["method"]].own and row["status"] == "done"]
    commits = ", ".join(sorted({row.get("commit") or "unknown" for row in own}))
    outdated = sum(map(is_outdated, own))
    return f"""MuscleProp's figures: commit {commits or "none"}; the page: commit {commit() or "unknown"}.
Of {len(own)} figures of MuscleProp, {outdated} were measured before the method last changed."""


def _differ(before: str, after: str) -> bool:
    return bool(_git("diff", "--name-only", before, after, "--", *METHOD, failed="unknown"))


def _git(*arguments: str, failed: str = "") -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    except OSError:
        return failed
    return done.stdout if done.returncode == 0 else failed
