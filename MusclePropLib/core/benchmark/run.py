"""Run the methods and score them; a method that fails, or a case that cannot be read, becomes a row with its reason."""

from __future__ import annotations

import math
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any

import numpy as np

from MusclePropLib import __version__
from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.benchmark.layouts import NotApplicable, annotate
from MusclePropLib.core.benchmark.plan import Options, Plan
from MusclePropLib.core.benchmark.problems import Problem, SimulatedCase, load_problem, origin
from MusclePropLib.core.benchmark.provenance import commit
from MusclePropLib.core.benchmark.store import Store
from MusclePropLib.core.cohort.cases import Case
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.metrics import score
from MusclePropLib.core.rivals import Answer, Rival, RivalUnavailable, answer_of, rival_named, volumes_of

Row = dict[str, Any]


def run_benchmark(
    cases: Iterable[Case | SimulatedCase],
    plan: Plan,
    store: Store,
    on_row: Callable[[Row], None],
    load: Callable[..., Problem] = load_problem,
) -> None:
    """Fill `store` with a row per case, number of slices, seed and method, calling `on_row` after each.

    Rows that are there already are kept; failed ones are tried again. `load` stands in for `load_problem`.
    """
    for case in cases:
        problem: Problem | Exception | None = None
        for count, seed in plan.draws():
            for method in plan.methods:
                row = _identity(case, plan, method, count, seed)
                found = store.find(row)
                if found is None:
                    problem = problem or _load(load, case, plan)
                    found = store.add(row | _outcome(problem, plan, method, count, seed))
                on_row(found)


def environment() -> dict[str, object]:
    """What the figures depend on besides the data."""
    packages = ("numpy", "scipy", "opencv-python-headless", "scikit-image", "torch", "slicer-core")
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    machine = {"system": platform.platform(), "processors": os.cpu_count(), "python": platform.python_version()}
    return {"muscleprop": __version__, **machine, "packages": found}


def _identity(case: Case | SimulatedCase, plan: Plan, method: str, count: int, seed: int) -> Row:
    """What makes a row the same row: with any of it changed it is measured anew."""
    options = plan.options_of(method, seed)
    where = {"case": case.name, "subject": case.subject, "files": origin(case), **plan.reading()}
    return {**where, "layout": plan.layout, "slices": count, "seed": seed, "method": method, "options": options}


def _load(load: Callable[..., Problem], case: Case | SimulatedCase, plan: Plan) -> Problem | Exception:
    try:
        return load(case, **plan.reading())
    except Exception as fault:  # whatever is wrong with a case, the others are measured
        return fault


def _outcome(problem: Problem | Exception, plan: Plan, method: str, count: int, seed: int) -> Row:
    try:
        if isinstance(problem, Exception):
            raise problem
        annotations = annotate(problem, plan.layout, count, seed)
        if not any(_to_find(muscle, annotations) for muscle in annotations.muscles):
            raise NotApplicable(f"with {count} drawn slices nothing of any muscle is left to find")
        return _measured(rival_named(method), problem, annotations, plan.options_of(method, seed))
    except NotApplicable as fault:
        return {"status": "skipped", "message": str(fault)}
    except RivalUnavailable as fault:
        return {"status": "unavailable", "message": str(fault)}
    except Exception as fault:  # whatever a method does, the benchmark goes on and says so
        reason = str(fault) if isinstance(fault, RuntimeError | InputError) else f"{type(fault).__name__}: {fault}"
        return {"status": "failed", "message": reason, "details": traceback.format_exc()}


def _measured(rival: Rival, problem: Problem, annotations: Annotations, options: Options) -> Row:
    began, used = time.perf_counter(), _processor_seconds()
    compute = volumes_of if rival.volumes_only else answer_of
    found = compute(rival, problem.volume, annotations, **options)
    took = {"seconds": time.perf_counter() - began, "processor_seconds": _processor_seconds() - used}
    drawn = {m.name: m.drawn_slices for m in annotations.muscles}
    row = {"status": "done", "commit": commit(), **took, "drawn": drawn}
    if isinstance(found, Answer):
        said = {"said": found.said} if found.said else {}
        return row | said | {"scores": _scores(problem, annotations, found.masks)}
    return row | {"scores": _volume_errors(problem, annotations, found)}


def _scores(problem: Problem, annotations: Annotations, masks: list[np.ndarray]) -> Row:
    volume = problem.volume
    rows = {}
    for muscle, mask in zip(annotations.muscles, masks, strict=True):
        if not _to_find(muscle, annotations):
            continue
        truth = problem.truth[muscle.name]
        scores = score(mask, truth, volume.geometry, {*muscle.drawn, *muscle.absent}, volume.positions)
        rows[muscle.name] = scores.to_json() | {"beyond_dice": _beyond(mask, truth, muscle.drawn_slices)}
    return rows


def _to_find(muscle: MuscleAnnotation, annotations: Annotations) -> bool:
    """Whether any slice of the muscle was left for a method: with many drawn, a short one may be known throughout."""
    return len({*muscle.drawn, *muscle.absent}) < annotations.shape[0]


def _beyond(mask: np.ndarray, truth: np.ndarray, drawn: list[int]) -> float | None:
    """Dice over the slices before the first and after the last drawn one; None where the muscle does not reach them."""
    outside = np.r_[: drawn[0], drawn[-1] + 1 : len(truth)]
    found, there = mask[outside], truth[outside]
    total = int(np.count_nonzero(found)) + int(np.count_nonzero(there))
    return 2 * int(np.count_nonzero(found & there)) / total if there.any() else None


def _volume_errors(problem: Problem, annotations: Annotations, volumes: list[float]) -> Row:
    """For methods that give no masks: the whole muscle's volume error, comparable with that of the others."""
    stack = Stack.of(problem.volume.geometry, problem.volume.positions)
    rows = {}
    for muscle, found in zip(annotations.muscles, volumes, strict=True):
        whole = stack.millilitres(np.count_nonzero(problem.truth[muscle.name], axis=(1, 2)) * stack.pixel_mm2)
        error = 100 * (found - whole) / whole
        rows[muscle.name] = {"muscle_ml": whole, "muscle_error_percent": error if math.isfinite(error) else None}
    return rows


def _processor_seconds() -> float:
    """Processor time of this process and of its children that have ended, all threads together."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
