"""What the job tests share: the stand-in worker's command, a small volume, and waiting for what has to happen."""

import sys
import time
from pathlib import Path

import numpy as np

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.volumes import Volume

STAND_IN = [sys.executable, str(Path(__file__).with_name("stand_in_worker.py"))]
SHAPE = (6, 20, 24)
PATIENCE = 30.0


def until(condition, what, seconds=PATIENCE):
    """Poll `condition` until it gives something; that, or a failed test that says what did not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {seconds} s")


def finish(runner):
    """All events up to and with the final one."""
    events = []

    def final():
        events.extend(runner.poll())
        return next((e for e in events if e.final), None)

    until(final, "a final event")
    return events


def until_event(runner, name):
    """Poll until the event `name` comes; what comes at the same time is lost."""
    return until(lambda: next((e for e in runner.poll() if e.name == name), None), f"the event {name}")


def running(pid):
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def small_volume():
    array = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    return Volume(array, Geometry.from_spacing(SHAPE, (1.4, 0.2, 0.2)))


def small_annotations():
    mask = np.zeros(SHAPE[1:], bool)
    mask[5:12, 6:15] = True
    return Annotations(SHAPE, [MuscleAnnotation("GM", {0: mask, 5: mask.copy()})])
