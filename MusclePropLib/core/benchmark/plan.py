"""What a benchmark is to compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from MusclePropLib.core.benchmark.layouts import CHANCE, LAYOUTS
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.rivals import rival_named

Options = Mapping[str, object]


@dataclass(frozen=True)
class Plan:
    """Methods, numbers of drawn slices, layout and seeds; how cases are read; `options` per method name."""

    methods: tuple[str, ...]
    slices: tuple[int, ...]
    layout: str = "equal"
    seeds: tuple[int, ...] = (0,)
    axis: int = 0
    label_any: bool = False
    crop: bool = True
    options: Mapping[str, Options] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*self.methods, *self.options):
            rival_named(name)
        if self.layout not in LAYOUTS:
            raise InputError(f"no layout is called '{self.layout}'; there are {', '.join(LAYOUTS)}")
        if not self.methods or not self.slices or min(self.slices) < 1:
            raise InputError("a benchmark needs methods, and numbers of drawn slices of at least 1")

    def draws(self) -> Iterator[tuple[int, int]]:
        """(number of slices, seed) of each annotation to try; one seed where chance has no part."""
        for count in self.slices:
            for seed in self.seeds if self.layout in CHANCE else self.seeds[:1]:
                yield count, seed

    def reading(self) -> dict[str, object]:
        """How cases are read, for `load_problem`."""
        return {"axis": self.axis, "label_any": self.label_any, "crop": self.crop}
