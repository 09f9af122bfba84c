"""The course of a training as a table and as a picture."""

from __future__ import annotations

import csv
from pathlib import Path

from MusclePropLib.core.files import replacing


def write_curves(folder: Path, rows: list[dict]) -> None:
    """`curves.csv`, one row per validation, and `curves.png`: losses above, validation Dice below."""
    with replacing(folder / "curves.csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):  # a muscle's name is no formula, whatever is in it
        _draw(folder / "curves.png", rows)


def _draw(path: Path, rows: list[dict]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5.5), layout="constrained")
    losses, dice = figure.subplots(2, 1, sharex=True)
    steps = [row["step"] for row in rows]
    for name in ("segmentation", "reconstruction"):
        if rows[0][name] != "":
            losses.plot(steps, [row[name] for row in rows], label=f"{name} loss")
    losses.set(yscale="log", ylabel="training loss")
    losses.legend(frameon=False)
    for name in rows[0]:
        if name.startswith("dice "):
            points = [(row["step"], row[name]) for row in rows if row[name] != ""]
            dice.plot(*zip(*points, strict=True), label=name.removeprefix("dice "))
    best = max(rows, key=lambda row: row["dice"])
    dice.plot(best["step"], best["dice"], "k*", markersize=11, label=f"best mean {best['dice']:.3f}")
    dice.set(xlabel="step", ylabel="Dice on validation subjects", ylim=(0, 1))
    dice.legend(frameon=False, loc="lower right")
    for axes in (losses, dice):
        axes.grid(alpha=0.3)
    with replacing(path) as part:
        figure.savefig(part, dpi=130)
