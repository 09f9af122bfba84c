"""What a propagation is asked and what it answers."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

import numpy as np

from MusclePropLib.core.annotations import Annotations
from MusclePropLib.core.errors import InputError

METHODS = ("auto", "network", "interpolation")
BUNDLED, NO_WEIGHTS = "bundled", "none"


@dataclass(frozen=True)
class Settings:
    """How to propagate.

    `weights` is "bundled", "none" (an untrained network) or the path of a weights file; `time_limit` in seconds;
    `method` "auto" takes whatever promises most, "network" always the network, "interpolation" never. On a CPU the
    same `seed` gives the same result unless the time limit cuts the fine-tuning short.
    """

    device: str = "auto"
    weights: str = BUNDLED
    time_limit: float = 100.0
    method: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"unknown method '{self.method}'; there are {', '.join(METHODS)}")
        if not self.time_limit > 0:
            raise InputError(f"the time limit must be positive, not {self.time_limit}")


@dataclass(frozen=True)
class MuscleOutcome:
    """One muscle's result and its expected Dice, nan where nothing can tell, as with a single drawn slice.

    `estimate` is that of the result, `fill_estimate` that of Slicer's Fill between slices (nan also where its filter is
    not installed, or with two drawn slices only), `interpolation_estimate` that of interpolated signed distances.
    """

    name: str
    method: str
    estimate: float
    fill_estimate: float
    interpolation_estimate: float
    volume_ml: float
    drawn_slices: list[int]


@dataclass(eq=False)
class Propagation:
    """Labels uint8 (slices, rows, columns), muscle i as i + 1, and `confidence` float32 (muscles, slices) in Dice.

    `next_slice` is where a fresh contour would help most, None when every slice is drawn. `seconds` by stage;
    `peak_memory_mb` of the computing process. `found` says for each muscle on which slices it is, drawn or propagated.
    `warnings` are sentences about what was drawn.
    """

    labels: np.ndarray
    annotations: Annotations
    confidence: np.ndarray
    muscles: list[MuscleOutcome]
    next_slice: int | None
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: float = 0.0
    provenance: dict = field(default_factory=dict)
    found: list[list[int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def mask(self, index: int) -> np.ndarray:
        """Bool mask (slices, rows, columns) of a muscle; drawn slices exactly as drawn, even where muscles overlap."""
        found = self.labels == index + 1
        for t, drawn in self.annotations.muscles[index].drawn.items():
            found[t] = drawn
        return found

    def summary(self) -> dict:
        """All but the labels, fit for JSON: numbers that are not finite become None."""
        return {
            "muscles": [{k: _plain(v) for k, v in asdict(m).items()} for m in self.muscles],
            "confidence": [[_plain(round(float(v), 4)) for v in row] for row in self.confidence],
            "next_slice": self.next_slice,
            "seconds": {k: round(v, 3) for k, v in self.seconds.items()},
            "peak_memory_mb": round(self.peak_memory_mb, 1),
            "provenance": self.provenance,
            "found": self.found,
            "warnings": self.warnings,
        }


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
