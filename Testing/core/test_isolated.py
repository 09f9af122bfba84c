"""A rival in its own process: its crash, hang or missing package becomes a sentence."""

import os
import time

import numpy as np
import pytest

from MusclePropLib.core.rivals import RivalFailed, RivalUnavailable
from MusclePropLib.core.rivals.isolated import run_isolated

SAMPLES = "Testing.core.isolated_samples"
NUMBERS = np.arange(6).reshape(2, 3)


def call(name, limit=60.0, **more):
    return run_isolated(SAMPLES, {name: NUMBERS, **more}, limit)


@pytest.mark.parametrize("name", ["doubles", "aborts_at_exit"])
def test_arrays_go_and_come_back_whatever_the_exit(name):
    assert np.array_equal(call(name)["twice"], 2 * NUMBERS)


def test_a_crash_is_a_sentence():
    with pytest.raises(RivalFailed, match=r"isolated_samples crashed \(ValueError: no such luck\)"):
        call("raises")
    with pytest.raises(RivalFailed, match="crashed"):
        call("aborts")


def test_a_missing_package_is_not_a_crash():
    with pytest.raises(RivalUnavailable, match="no_such_package_anywhere"):
        call("misses")


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are POSIX")
def test_a_hang_ends_with_all_it_started(tmp_path):
    path = tmp_path / "pid"
    with pytest.raises(RivalFailed, match="stopped after"):
        call("hangs", limit=5.0, path=np.array(str(path)))
    if not path.exists():
        pytest.skip("the machine is too busy to have started anything within the limit")
    grandchild = int(path.read_text())
    for _ in range(50):
        if not running(grandchild):
            break
        time.sleep(0.1)
    assert not running(grandchild)


def running(pid):
    """A zombie that nobody has reaped counts as ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
