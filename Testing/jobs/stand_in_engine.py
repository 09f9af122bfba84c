"""Stands in for core.propagation behind the real worker: quick, and misbehaves on request. For tests only."""

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MusclePropLib.core.errors import InputError


@dataclass
class Settings:
    behaviour: str = ""  # "": the name of the volume's file, "quick" if that is no behaviour
    device: str = "auto"
    weights: str = "bundled"
    time_limit: float = 100.0
    method: str = "auto"
    seed: int = 0


class WarmState:
    def __init__(self):
        self.rounds = 0
        self.tuning = None


class Cancelled(Exception):
    pass


class Outcome:
    def __init__(self, labels, **summary):
        self.labels = labels
        self._summary = summary

    def summary(self):
        return self._summary


def propagate(volume, annotations, settings, on_event, control=None, warm=None):
    warm.rounds += 1
    labels = np.zeros(volume.array.shape, np.uint8)
    for index, muscle in enumerate(annotations.muscles):
        for t, mask in muscle.drawn.items():
            labels[t][mask] = index + 1
    on_event({"event": "stage", "name": "prior", "text": "Carrying the contours"})
    on_event({"event": "preview", "labels": labels, "strides": [1, 1, 1], "estimate": {"GM": 0.5}, "method": "prior"})
    on_event(
        {"event": "progress", "fraction": 0.5, "seconds_left": np.float32(1), "loss": float("nan"), "estimate": {}}
    )
    summary = {
        "muscles": [_described(m, i + 1, labels, volume) for i, m in enumerate(annotations.muscles)],
        "next_slice": 3,
        "seconds": {"prior": 0.1},
        "peak_memory_mb": 1.0,
        "confidence": [[round(0.9 - i / 10, 2)] * len(labels) for i in range(len(annotations.muscles))],
        "found": [[*range(len(labels))] for _ in annotations.muscles],
        "provenance": {"method": "stand-in | not real"},
    }
    tests = {"rounds": warm.rounds, "went_on": warm.tuning is not None, "pid": os.getpid()}
    tests |= {"total": int(volume.array.sum()), "how": "complete"}
    warm.tuning = "what this job has learned"
    outcome = Outcome(labels, **summary, **tests, temporary=tempfile.mkdtemp())
    if settings.behaviour == "talkative":
        talkative(on_event)
    behave = BEHAVIOURS.get(settings.behaviour or Path(volume.source).stem, quick)
    return behave(outcome, control) or outcome


def _described(muscle, value, labels, volume):
    volume_ml = float((labels == value).sum() * volume.geometry.voxel_ml)
    return {
        "name": muscle.name,
        "method": "flow",
        "estimate": 0.8,
        "fill_estimate": 0.7,
        "interpolation_estimate": 0.72,
        "volume_ml": volume_ml,
        "drawn_slices": muscle.drawn_slices,
    }


def quick(outcome, control):
    pass


def slow(outcome, control):
    while True:
        if control() == "cancel":
            raise Cancelled
        if control() == "stop":
            return Outcome(outcome.labels, how="stopped")
        time.sleep(0.01)


def talkative(on_event):
    """Never asks either, and is most likely in the middle of a message when its client dies."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    while True:
        on_event({"event": "progress", "fraction": 0.5, "text": "x" * 1000})


def deaf(outcome, control):
    """Never asks whether it should stop, and has a child process."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(f"child {child.pid}", file=sys.stderr, flush=True)
    while True:
        sum(range(10000))


def busy(outcome, control):
    """Never asks."""
    while True:
        sum(range(10000))


def chatter(outcome, control):
    """Libraries print where they should not: from Python, from C and from child processes, and read stdin."""
    print('{"event": "result", "job": "x"}')
    os.write(1, b"from C\n" * 20000)
    subprocess.run([sys.executable, "-c", "print('from a child'); input()"], check=False)


def flood(outcome, control):
    os.write(2, b"x" * (4 << 20))


def crash(outcome, control):
    print("segment fault ahead", file=sys.stderr, flush=True)
    ctypes.string_at(0)


def many_labels(outcome, control):
    outcome.labels[0, 0, 0] = 200


def other_shape(outcome, control):
    return Outcome(outcome.labels[1:])


def not_finite(outcome, control):
    return Outcome(np.full(outcome.labels.shape, np.nan, np.float32))


def bad_input(outcome, control):
    raise InputError("sweep.nrrd: nothing is drawn")


def fault(outcome, control):
    raise ZeroDivisionError("division by zero")


def no_memory(outcome, control):
    raise MemoryError


def leaves(outcome, control):
    sys.exit(0)


BEHAVIOURS = {
    f.__name__: f
    for f in (
        *(quick, slow, deaf, busy, chatter, flood, crash, many_labels, other_shape, not_finite),
        *(bad_input, fault, no_memory, leaves),
    )
}
