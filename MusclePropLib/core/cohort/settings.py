"""What a cohort training is given, and what it returns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from MusclePropLib.core.cohort.objective import NEGATIVES
from MusclePropLib.core.cohort.prepared import Reading
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.network import VARIANTS, NetworkConfig

# Settings that say how far and where to train, not what: they may differ when a training goes on.
_LENGTH = ("epochs", "steps", "patience")
_MAY_CHANGE = (*_LENGTH, "device")


@dataclass(frozen=True)
class FitSettings:
    """`labels` are the segments to learn, all by default; every other one is negative evidence only.

    `share` of the known slices of each label is used. `negatives`: `on`, `off` or `paper` (its eq. 3 instead of the
    likelihood). Clips are `slices` slices about `spacing` mm apart, `clips` of them per step. It validates every
    `validate_every` steps (if 0, after each pass over the training slices) and ends after `steps` (if 0, after `epochs`
    passes), or after `patience` validations without a better one. What is validated and kept is the running mean of the
    weights, of which each step leaves the share `averaging`: single steps swing with the clip that they saw.
    """

    labels: tuple[str, ...] = ()
    variant: str = VARIANTS[-1]
    base_maps: int = 16
    levels: int = 5
    share: float = 1.0
    negatives: str = "on"
    reading: Reading = field(default_factory=Reading)
    slices: int = 12
    spacing: float = 1.0
    clips: int = 1
    epochs: int = 60
    steps: int = 0
    validate_every: int = 0
    patience: int = 12
    learning_rate: float = 1e-3
    reconstruction: float = 0.3
    averaging: float = 0.99
    augment: bool = True
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"the share of annotated slices must lie above 0 and at most at 1, not {self.share}")
        if self.negatives not in NEGATIVES:
            raise InputError(f"negatives must be one of {', '.join(NEGATIVES)}, not '{self.negatives}'")
        if not 0 <= self.averaging < 1:
            raise InputError(f"averaging must lie from 0 to below 1, not {self.averaging}")
        if self.variant not in VARIANTS:
            raise InputError(f"the variant must be one of {', '.join(VARIANTS)}, not '{self.variant}'")
        for name in ("slices", "clips", "base_maps", "levels", "patience", "epochs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', ' ')} must be at least 1, not {getattr(self, name)}")
        if min(self.steps, self.validate_every) < 0:
            raise InputError("steps, and steps from one validation to the next, must not be negative")
        if not (0 <= self.learning_rate < math.inf and 0 <= self.reconstruction < math.inf):
            raise InputError("the learning rate, and its share for the reconstruction, must be numbers not below 0")

    def network(self, classes: int) -> NetworkConfig:
        """Configuration of the network for so many classes, background included."""
        groups = math.gcd(8, self.base_maps)
        return NetworkConfig(1, classes, self.base_maps, self.levels, self.variant, norm_groups=groups)

    def recipe(self) -> dict:
        """What must be equal for a training to go on, JSON-able."""
        return {name: value for name, value in asdict(self).items() if name not in _MAY_CHANGE}

    def length(self) -> dict[str, int]:
        """What says how long to train, JSON-able."""
        return {name: getattr(self, name) for name in _LENGTH}


@dataclass(frozen=True)
class FitResult:
    """Best mean validation Dice and its step, steps taken, labels learned, and where the weights are."""

    dice: float
    best_step: int
    steps: int
    labels: tuple[str, ...]
    weights: Path
