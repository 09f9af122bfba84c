"""What a benchmark is to compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from MusclePropLib.core.benchmark.layouts import CHANCE, LAYOUTS
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.rivals import check_options, rival_named

Options = Mapping[str, object]


@dataclass(frozen=True)
class Plan:
    """Methods, numbers of drawn slices, layout and seeds; how cases are read; `options` per method name.

    With `training`, where the layout leaves nothing to chance, the seeds are those of the methods' own training.
    """

    methods: tuple[str, ...]
    slices: tuple[int, ...]
    layout: str = "equal"
    seeds: tuple[int, ...] = (0,)
    axis: int = 0
    label_any: bool = False
    crop: bool = True
    training: bool = False
    options: Mapping[str, Options] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.methods:
            rival_named(name)
        for name, options in self.options.items():
            check_options(rival_named(name), options)
        if self.layout not in LAYOUTS:
            raise InputError(f"no layout is called '{self.layout}'; there are {', '.join(LAYOUTS)}")
        if not self.methods or not self.slices or min(self.slices) < 1:
            raise InputError("a benchmark needs methods, and numbers of drawn slices of at least 1")
        if not self.seeds or min(self.seeds) < 0:
            raise InputError("a benchmark needs seeds, whole numbers from 0 on")

    def draws(self) -> Iterator[tuple[int, int]]:
        """(number of slices, seed) of each run; one seed where chance has no part."""
        for count in self.slices:
            for seed in self.seeds if self.training or self.layout in CHANCE else self.seeds[:1]:
                yield count, seed

    def options_of(self, method: str, seed: int) -> dict[str, object]:
        """What a method is given in the run of a seed; seed 0 is everybody's own."""
        own = {"seed": seed} if self.training and seed and self.layout not in CHANCE else {}
        return dict(self.options.get(method, {})) | own

    def reading(self) -> dict[str, object]:
        """How cases are read, for `load_problem`."""
        return {"axis": self.axis, "label_any": self.label_any, "crop": self.crop}
