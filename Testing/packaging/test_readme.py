"""The figures in the README are those of the benchmark."""

import pytest
from cmake_lists import REPOSITORY

from MusclePropLib.core.benchmark.statistics import over_cases, per_draw
from MusclePropLib.core.benchmark.store import read_rows

COUNTS = (3, 5, 9)
TABLE = [
    ("ten simulated calves, equally spaced slices", "calves", "equal"),
    ("ten simulated calves, slices anywhere", "calves", "random"),
    ("three real volumes, equally spaced slices", "real", "equal"),
    ("three real volumes, slices anywhere", "real", "random"),
]
METHODS = ("fill", "muscleprop")


def dice(kind, layout, method):
    rows = read_rows(REPOSITORY / f"Testing/benchmarks/accuracy/{kind}-{method}.json")
    here = [row for row in rows if row["layout"] == layout and row["status"] == "done"]
    places = [[row for row in here if row["slices"] == count] for count in COUNTS]
    return [over_cases(per_draw(place, "dice")).mean for place in places]


@pytest.mark.parametrize(("title", "kind", "layout"), TABLE)
def test_dice_in_the_readme_is_that_of_the_benchmark(title, kind, layout):
    """Of both methods in one line."""
    figures = zip(*(dice(kind, layout, method) for method in METHODS), strict=True)
    cells = " | ".join(f"{fill:.2f}, **{ours:.2f}**" for fill, ours in figures)
    assert f"| {title} | {cells} |" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
