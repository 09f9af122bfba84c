"""The experiments of Gonzalez Duque et al. 2020, on any cohort: what is varied, and running it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from MusclePropLib.core.cohort.cases import Case, split_subjects
from MusclePropLib.core.cohort.fit import evaluate, fit
from MusclePropLib.core.cohort.prepared import prepare, usual_name
from MusclePropLib.core.cohort.run import contents
from MusclePropLib.core.cohort.settings import FitSettings
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.network import VARIANTS

OnEvent = Callable[[dict], None]


@dataclass(frozen=True)
class Row:
    """One line of a table: `label` is learned with these settings, from the weights of the row `init` if it is given.

    `paper` is the Dice that the paper prints (per cent), for the order of the lines; None where it prints none.
    """

    title: str
    label: str
    variant: str = VARIANTS[-1]
    share: float = 1.0
    negatives: str = "on"
    init: Row | None = None
    paper: float | None = None

    @property
    def slug(self) -> str:
        """File name of its runs; equal rows of different tables are computed once."""
        parts = [self.label, self.variant, f"{self.share:.0%}".rstrip("%"), self.negatives]
        return "_".join(parts if self.init is None else [*parts, "from", self.init.slug])

    def settings(self, base: FitSettings, seed: int) -> FitSettings:
        """`base` with what this row varies."""
        own = {"variant": self.variant, "share": self.share, "negatives": self.negatives}
        return replace(base, labels=(self.label,), seed=seed, **own)


@dataclass(frozen=True)
class Experiment:
    """A table: its title and lines."""

    title: str
    rows: tuple[Row, ...]


def _table1(label: str) -> Experiment:
    paper = dict(zip(VARIANTS, (78, 82, 87, 91), strict=True))
    rows = tuple(Row(variant, label, variant=variant, paper=paper[variant]) for variant in VARIANTS)
    return Experiment(f"Ablation: {label}, all slices annotated", rows)


def _table2a(label: str) -> Experiment:
    paper = {1.0: 94.5, 0.9: 90.1, 0.7: 83.4, 0.5: 70.8, 0.3: 50.6}
    rows = tuple(Row(f"{share:.0%} of the slices", label, share=share, paper=dice) for share, dice in paper.items())
    return Experiment(f"Partial annotation: {label} drawn on a share of the slices, the other muscles on all", rows)


def _table2b(label: str) -> Experiment:
    titles = {"on": "with negatives", "off": "without", "paper": "with the paper's eq. 3"}
    paper = {"on": (90.1, 83.4, 70.8, 50.6), "off": (91.4, 88.8, 66.2, 43.1), "paper": (None,) * 4}
    rows = [
        Row(f"{share:.0%}, {titles[negatives]}", label, share=share, negatives=negatives, paper=paper[negatives][i])
        for i, share in enumerate((0.9, 0.7, 0.5, 0.3))
        for negatives in titles
    ]
    return Experiment(
        f"Negative evidence: {label} drawn on a share of the slices, the other muscles on all", tuple(rows)
    )


def _transfer(label: str, source: str = "GL") -> Experiment:
    if label == source:
        raise InputError(f"the transfer is from {source} to another muscle, which --label names")
    begun = Row(f"{source}, 100%", source)
    rows = (
        Row(f"{label}, 50%, from scratch", label, share=0.5, paper=70.8),
        Row(f"{label}, 50%, without negatives", label, share=0.5, negatives="off", paper=66.2),
        Row(f"{label}, 50%, from {source}", label, share=0.5, init=begun, paper=68.8),
    )
    return Experiment(f"Transfer: trained on {source}, then on half of the slices of {label}", rows)


EXPERIMENTS: dict[str, tuple[Callable[[str], Experiment], str]] = {
    "table1": (_table1, "SOL"),
    "table2a": (_table2a, "GM"),
    "table2b": (_table2b, "GM"),
    "transfer": (_transfer, "GM"),
}


def experiment(name: str, label: str | None = None) -> Experiment:
    """The experiment of that name, on its own muscle or on `label`; InputError if it cannot be done on that one."""
    build, usual = EXPERIMENTS[name]
    return build(usual_name(label or usual))


def run_experiment(
    plan: Experiment,
    cases: Sequence[Case],
    folder: Path,
    base: FitSettings,
    seeds: Sequence[int],
    on_event: OnEvent = lambda event: None,
) -> dict[Row, list[dict]]:
    """Every row's results, one per seed. What is in `folder` already is not computed again; a broken run goes on.

    A seed stands for another split by subject, other initial weights, other annotated slices and other clips; within
    one seed the rows share all of these. Results are on test subjects whose annotation is not used. Runs that were
    shorter than `base` asks for go on, too. Raises InputError where there are runs of other settings, or longer ones.
    """
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    results: dict[Row, list[dict]] = {row: [] for row in plan.rows}
    total = len(seeds) * len(plan.rows)
    for number, (seed, row) in enumerate((seed, row) for seed in seeds for row in plan.rows):
        on_event({"event": "stage", "name": "run", "text": f"run {number + 1} of {total}: {row.title}, seed {seed}"})
        results[row].append(_result(row, cases, folder, base, seed, on_event))
    return results


def _result(row: Row, cases: Sequence[Case], folder: Path, base: FitSettings, seed: int, on_event: OnEvent) -> dict:
    weights, settings = _weights(row, folder, seed), row.settings(base, seed)
    split = split_subjects(list(cases), seed)
    cache = folder / "cache"
    parts = [[prepare(case, settings.reading, cache) for case in part] for part in split]
    identity = json.loads(json.dumps({"settings": settings.recipe(), "cases": [contents(part) for part in parts]}))
    path = weights.with_suffix(".json")
    if path.is_file():
        result = json.loads(path.read_text(encoding="utf-8"))
        if result["identity"] != identity:
            raise InputError(f"{path} is of other settings or cases; give another folder or remove it")
        if result.get("length") == settings.length():
            return result
        if row.init is not None:
            raise InputError(f"{path} began from weights trained for another time; give another folder or remove it")
    if row.init is not None:
        _result(row.init, cases, folder, base, seed, on_event)
    init = _weights(row.init, folder, seed) if row.init else None
    if not any(case.knows(row.label).any() for case in parts[-1]):
        names = ", ".join(case.name for case in split.test)
        raise InputError(f"none of the cases set aside to test on with seed {seed} ({names}) shows {row.label}")
    trained = fit(split, settings, weights, init, resume=True, on_event=on_event, cache=cache)
    scores = evaluate(weights, split.test, settings, cache)
    result = {
        "identity": identity,
        "length": settings.length(),
        "steps": trained.steps,
        "best_step": trained.best_step,
        "validation_dice": trained.dice,
        "cases": {case: found[row.label].to_json() for case, found in scores.items() if row.label in found},
    }
    with replacing(path) as part:
        part.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return result


def _weights(row: Row, folder: Path, seed: int) -> Path:
    return folder / "runs" / f"{row.slug}_seed{seed}.safetensors"
