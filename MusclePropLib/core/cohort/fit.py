"""Train a network on a cohort."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from MusclePropLib.core.cohort.cases import Case, Split
from MusclePropLib.core.cohort.checkpoint import read_progress
from MusclePropLib.core.cohort.evaluation import full_scores, predict
from MusclePropLib.core.cohort.prepared import PreparedCase, prepare, usual_name
from MusclePropLib.core.cohort.processes import Processes, device_of, joined
from MusclePropLib.core.cohort.run import Material, OnEvent, Run, best_row
from MusclePropLib.core.cohort.settings import FitResult, FitSettings
from MusclePropLib.core.device import Plan, check_device, choose_device, with_memory_fallback
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.metrics import Scores
from MusclePropLib.core.segments import NAMELESS
from MusclePropLib.core.weights import load_weights


def fit(
    split: Split,
    settings: FitSettings,
    weights: Path,
    init: Path | None = None,
    resume: bool = False,
    on_event: OnEvent = lambda event: None,
    cache: Path | None = None,
) -> FitResult:
    """Train on `split.training`, stop by `split.validation`, and leave the best network in `weights`.

    The cases of `split.test` are only converted, for `evaluate`: a file that is damaged is told of before the training.
    `init` are weights to begin from. With `resume`, a training that was broken off goes on from its last checkpoint, to
    the numbers that it would have reached. `cache` holds the prepared cases (default: in the run's folder). Events are
    `log` and `progress`, as in a propagation. Raises InputError for unusable cases or weights, a device that is not
    there, labels that no case shows, or a checkpoint of another training or of a longer one.
    """
    check_device(settings.device)
    if init is not None:
        load_weights(init)  # before the cohort is converted, which takes long
    folder = run_folder(weights)
    folder.mkdir(parents=True, exist_ok=True)
    with joined() as processes:
        if settings.clips % processes.size:
            raise InputError(f"{settings.clips} clips per step cannot be shared evenly by {processes.size} processes")
        report = on_event if processes.leads else lambda event: None
        cases = _prepared(split, settings, cache or folder / "cache", processes, report)
        labels = _labels(settings.labels, cases[0])
        _check_validation(labels, cases[1])
        _tell_of_nameless([*cases[0], *cases[1]], report)
        material = Material(*cases, labels, weights, folder / "checkpoint.safetensors", init)
        rows = _trained(Run(settings, material, processes, report), resume)
    best = best_row(rows)
    return FitResult(best["dice"], best["step"], rows[-1]["step"], labels, weights)


def evaluate(
    weights: Path, cases: Sequence[Case], settings: FitSettings, cache: Path | None = None
) -> dict[str, dict[str, Scores]]:
    """Scores by case and label of trained weights on `cases`, none of whose annotation is used, on the working grid."""
    network, metadata, _ = load_weights(weights)
    network.to(choose_device(settings.device))
    found = {}
    for case in cases:
        ready = prepare(case, settings.reading, cache or run_folder(weights) / "cache")
        prediction = predict(network, ready.images, settings.slices, ready.step(settings.spacing))
        found[case.name] = full_scores(prediction, ready, metadata["labels"], settings.reading.grid.spacing)
    return found


def run_folder(weights: Path) -> Path:
    """Where a training keeps its cache, checkpoint and curves: beside the weights, by their name."""
    return weights.with_suffix(".run")


def _trained(run: Run, resume: bool) -> list[dict]:
    """The curves of a run. With several processes nobody retreats for want of memory: the others would not know."""
    _check_resumable(run, resume)
    run.processes.wait()
    plan = Plan(device_of(run.settings.device, run.processes), run.settings.slices)
    return run.train(plan) if run.processes.size > 1 else with_memory_fallback(run.train, plan, run.on_event)


def _prepared(
    split: Split, settings: FitSettings, cache: Path, processes: Processes, report: OnEvent
) -> list[list[PreparedCase]]:
    """The cases to learn from and to validate on.

    The leader converts what is not in the cache yet; then everybody maps it. InputError unless all have their slices
    across the same axis.
    """
    if not split.training or not split.validation:
        raise InputError("a training needs cases to learn from and cases of other subjects to validate on")
    for part in split:
        if processes.leads:
            for case in part:
                prepare(case, settings.reading, cache, report)
        processes.wait()  # after each part, for nobody waits for ever
    prepared = [[prepare(case, settings.reading, cache) for case in part] for part in split]
    _check_axes([case for part in prepared for case in part])
    return prepared[:2]


def _check_axes(cases: Sequence[PreparedCase]) -> None:
    """A dense label map says nothing of the axis across which others of the cohort are drawn."""
    first = cases[0]
    for case in cases:
        if case.axis != first.axis:
            said = f"its slices lie across axis {case.axis}, those of {first.case.name} across axis {first.axis}"
            raise InputError(f"{case.case.labels}: {said}; give --axis for all of them")


def _labels(wanted: Sequence[str], cases: Sequence[PreparedCase]) -> tuple[str, ...]:
    shown = sorted({name for case in cases for name in case.names})
    labels = tuple(dict.fromkeys(usual_name(label) for label in wanted)) or tuple(shown)
    for label in labels:
        if label not in shown:
            raise InputError(f"no training case has a segment '{label}'; there are {', '.join(shown)}")
    return labels


def _check_validation(labels: Sequence[str], cases: Sequence[PreparedCase]) -> None:
    """InputError, before the first step and not after it, if nothing of what is learned can be validated."""
    if not any(case.knows(label).any() for case in cases for label in labels):
        names = ", ".join(case.case.name for case in cases)
        raise InputError(f"none of the cases set aside for validation ({names}) shows {', '.join(labels)}")


def _tell_of_nameless(cases: Sequence[PreparedCase], report: OnEvent) -> None:
    """One value too many in a label map, and none of its values has the name that it has in the other files."""
    nameless = [case.case.name for case in cases if any(name.startswith(NAMELESS) for name in case.names)]
    if nameless and len(nameless) < len(cases):
        text = f"{', '.join(nameless)}: label values without a name, which other cases have; give --labels NAME=VALUE"
        report({"event": "log", "level": "warning", "text": text})


def _check_resumable(run: Run, resume: bool) -> None:
    """InputError if a checkpoint is there and is not wanted, or is of another training."""
    path = run.material.checkpoint
    if not path.is_file():
        return
    if not resume:
        raise InputError(f"{path.parent} holds a training already; go on with it (--resume) or remove the folder")
    before, now = read_progress(path), json.loads(json.dumps(run.identity()))
    differing = [name for name in now if name != "settings" and before.get(name) != now[name]]
    settings = before.get("settings", {})
    differing += [name for name, value in now["settings"].items() if settings.get(name) != value]
    if differing:
        raise InputError(f"{path} is of another training: {', '.join(differing)} differ; it cannot be resumed")
    if run.outgrown(before["rows"]):
        raise InputError(f"{path} is of a longer training than is asked for now; remove it or train elsewhere")
