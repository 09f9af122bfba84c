"""Stages, time and interruptions of one propagation."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OnEvent = Callable[[dict], None]
Control = Callable[[], str]

STOP, CANCEL = "stop", "cancel"


class Cancelled(Exception):
    """The user cancelled; nothing is to be kept."""


class Progress:
    """Clock, event sender and listener for stop and cancel.

    `control` answers "", "stop" (keep the best so far) or "cancel" (Cancelled is raised at the next look).
    """

    def __init__(self, limit: float, on_event: OnEvent | None, control: Control | None) -> None:
        self._began = time.monotonic()
        self._limit = limit
        self._send = on_event or (lambda event: None)
        self._control = control or (lambda: "")
        self.seconds: dict[str, float] = {}

    def send(self, event: str, **content: object) -> None:
        """Send an event."""
        self._send({"event": event, **content})

    def log(self, text: str, level: str = "info") -> None:
        """Send a sentence for the log."""
        self.send("log", level=level, text=text)

    @contextmanager
    def stage(self, name: str, text: str) -> Iterator[None]:
        """Announce a stage and take its time, added up under its name."""
        self.check()
        self.send("stage", name=name, text=text)
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began

    @property
    def elapsed(self) -> float:
        """Seconds since the request."""
        return time.monotonic() - self._began

    def left(self) -> float:
        """Seconds until the time limit."""
        return self._limit - self.elapsed

    def check(self) -> bool:
        """Whether to go on improving; raises Cancelled."""
        wish = self._control()
        if wish == CANCEL:
            raise Cancelled
        return wish != STOP and self.left() > 0


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in megabytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
