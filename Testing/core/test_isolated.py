"""A rival in its own process: its crash, hang or missing package becomes a sentence."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from MusclePropLib.core.rivals import RivalFailed, RivalUnavailable
from MusclePropLib.core.rivals.isolated import ROOT, run_isolated

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
    grandchild = int(path.read_text(encoding="utf-8"))
    assert within(5, lambda: not running(grandchild))


def running(pid):
    """A zombie that nobody has reaped counts as ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="shows on POSIX only")
def test_nothing_goes_on_when_the_benchmark_is_killed(tmp_path):
    path = tmp_path / "pid"
    call_it = f"run_isolated({SAMPLES!r}, {{'naps': np.zeros(1), 'path': np.array({str(path)!r})}}, 60)"
    code = f"import numpy as np; from MusclePropLib.core.rivals.isolated import run_isolated; {call_it}"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    benchmark = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment)
    assert within(50, path.exists)
    time.sleep(0.5)
    benchmark.kill()
    benchmark.wait()
    assert within(30, lambda: not running(int(path.read_text(encoding="utf-8"))))
    assert not [*tmp_path.glob("muscleprop-isolated-*")], "no masks of a patient are left behind"


def within(seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False
