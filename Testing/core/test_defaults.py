"""The terminology of the three muscles."""

import pytest

from MusclePropLib.core.defaults import DEFAULT_MUSCLES

PERMUTATION = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]


def product(a: int, b: int) -> int:
    """Of two elements of the dihedral group of order ten, rotations 0 to 4 and reflections 5 to 9."""
    if a < 5:
        return (a + b) % 5 + (0 if b < 5 else 5)
    return (a - b) % 5 + (5 if b < 5 else 0)


def check(code: str) -> int:
    """Verhoeff's check sum, zero for every valid SNOMED CT identifier."""
    total = 0
    for place, digit in enumerate(map(int, reversed(code))):
        for _ in range(place % 8):
            digit = PERMUTATION[digit]
        total = product(total, digit)
    return total


@pytest.mark.parametrize("code", ["91723000", "102292000", *(m.code for m in DEFAULT_MUSCLES)])
def test_every_code_has_snomeds_check_digit(code):
    assert check(code) == 0
    assert check(code[:-1] + str((int(code[-1]) + 1) % 10)) != 0


def test_the_entry_has_slicers_seven_parts_and_snomed_codes():
    for muscle in DEFAULT_MUSCLES:
        parts = muscle.terminology.split("~")
        assert len(parts) == 7
        coded = [p for i, p in enumerate(parts) if i in (1, 2, 5)]
        assert all(c.startswith("SCT^") and c.count("^") == 2 for c in coded)
