"""The worker process: reads requests from stdin, computes, tells events on stdout; started by this file's path.

The main thread computes. One daemon thread reads stdin, notes stop and cancel, and ends the process as soon as stdin
closes, even in the middle of computing, so that no worker outlives its client. The computing asks between its steps
whether it is to be cancelled; where a step takes long, the main thread is interrupted.
"""

from __future__ import annotations

import _thread
import ctypes
import gc
import math
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

import numpy as np

if __name__ == "__main__":  # the package's root takes the place of this folder, whose names would hide others
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from MusclePropLib import __version__
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.volumes import Volume
from MusclePropLib.jobs.job import (
    FOLDER_PREFIX,
    Job,
    begins_afresh,
    read_job,
    release_pages,
    write_array,
    write_result,
)
from MusclePropLib.jobs.protocol import Event, LineSplitter, failed, parse_request

NO_ENGINE = "The computation cannot start because PyTorch or a part of MuscleProp could not be loaded in this Python."
NO_MEMORY = "The computation stopped because memory ran out; close other programs or crop the volume, then try again."
FAULT = "The computation stopped because of an unexpected fault ({}); details are in the log."
MOST_COMPLAINTS = 10
PREVIEW_VOXELS = 24_000_000  # at most; the full reconstruction of a calf has eighty times as many
TIDYING_SECONDS = 5.0
INSIST_SECONDS = 0.3  # after a cancel that no step has noticed, and again until one does

Engine = Any  # the module core.propagation, or what stands in for it in a test
Request = dict[str, str]


class Events:
    """Events to the client, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, event: Event) -> None:
        """Write one line. A client that is gone ends the process: by the reading thread, which first tidies up."""
        try:
            with self._lock:
                self._stream.write(event.line())
                self._stream.flush()
        except OSError:
            time.sleep(TIDYING_SECONDS)
            os._exit(1)


class Inbox:
    """What the client has asked for, as the reading thread notes it.

    That thread sends no events: a client that is slow to read them must not keep it from noticing a cancel.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Request | None] = SimpleQueue()
        self._asked: dict[str, str] = {}  # job -> "stop" or "cancel"
        self._unfinished: dict[str, Path] = {}
        self._complaints = 0

    def next(self) -> Request | None:
        """The next `propagate` request, None when the worker is to end; waits for it."""
        return self._waiting.get()

    def asked(self, job: str) -> str:
        """ "", "stop" or "cancel"."""
        return self._asked.get(job, "")

    def done(self, job: str) -> None:
        """The job has had its final event."""
        self._asked.pop(job, None)
        self._unfinished.pop(job, None)

    def read(self, stdin: int) -> None:
        """The reading thread: never returns but by ending the process."""
        lines = LineSplitter()
        while chunk := _read(stdin):
            for line in lines.feed(chunk):
                self._note(parse_request(line), line)
        self._remove_unfinished()
        _exit_with_children()

    def _note(self, request: Request | None, line: str) -> None:
        if request is None:
            self._complain(line)
        elif request["request"] == "propagate":
            self._unfinished[request["job"]] = Path(request["folder"])
            self._waiting.put(request)
        elif request["request"] == "shutdown":
            self._waiting.put(None)
        elif self._asked.get(request["job"]) != "cancel":
            self._asked[request["job"]] = request["request"]
            if request["request"] == "cancel":
                threading.Thread(target=self._insist, args=(request["job"],), daemon=True).start()

    def _insist(self, job: str) -> None:
        """Interrupt the main thread until the job has had its final event; see `Worker.interrupted`."""
        while time.sleep(INSIST_SECONDS) or job in self._unfinished:
            _thread.interrupt_main()

    def _complain(self, line: str) -> None:
        self._complaints += 1
        if self._complaints <= MOST_COMPLAINTS:
            print(f"request not understood: {line[:200]!r}", file=sys.stderr)

    def _remove_unfinished(self) -> None:
        """Nobody can fetch the results of these any more, and patients' data should not lie about."""
        for job, folder in list(self._unfinished.items()):
            if folder.name.startswith(FOLDER_PREFIX):
                Job(job, folder, (0, 0, 0), ()).remove()


class Worker:
    """Runs one job after the other and keeps what makes the next one fast."""

    def __init__(self, engine: Engine, inbox: Inbox, events: Events) -> None:
        self._engine = engine
        self._inbox = inbox
        self._events = events
        self._warm = engine.WarmState()
        self._interruptible = ""  # the job that an interrupt may end now

    def serve(self) -> None:
        """Until a shutdown is asked for. No failure of a job ends the worker."""
        while request := self._inbox.next():
            final = self._final(request["job"], Path(request["folder"]))
            _give_memory_back()
            self._inbox.done(request["job"])
            self._events.send(final)

    def interrupted(self, *_: object) -> None:
        """Signal handler of the main thread: ends a job that was cancelled, wherever it is; else nothing.

        Ctrl-C in a terminal comes here as well and is the client's to judge.
        """
        if self._interruptible and self._inbox.asked(self._interruptible) == "cancel":
            self._warm = self._engine.WarmState()  # it may be half changed
            raise self._engine.Cancelled

    def _final(self, job: str, folder: Path) -> Event:
        try:
            try:
                self._interruptible = job
                return Event("result", job, {"labels": "result.npy", "summary": self._propagate(job, folder)})
            finally:
                self._interruptible = ""  # an interrupt before this line is still caught below
        except self._engine.Cancelled:
            return Event("cancelled", job)
        except InputError as fault:
            return failed(job, str(fault), kind="input")
        except (Exception, SystemExit) as fault:
            self._warm = self._engine.WarmState()  # it may be half changed
            traceback.print_exc()
            return failed(job, _sentence(fault), traceback.format_exc())

    def _propagate(self, job: str, folder: Path) -> Mapping[str, Any]:
        """Compute and write the result; returns its summary. The arrays are let go of on return."""
        if self._inbox.asked(job) == "cancel":
            raise self._engine.Cancelled
        volume, annotations, chosen = read_job(folder)
        try:
            settings = self._engine.Settings(**chosen)
        except TypeError as fault:
            raise InputError(f"the settings of the job are not understood ({fault})") from fault
        if begins_afresh(folder):
            self._warm.tuning = None  # what the last job has taught it; the pretrained network stays
        tell = _Teller(job, folder, self._events, volume)
        with _temporary_files_in(folder):
            outcome = self._engine.propagate(
                volume,
                annotations,
                settings,
                on_event=tell,
                control=lambda: self._inbox.asked(job),
                warm=self._warm,
            )
        summary = outcome.summary()
        write_result(folder, outcome.labels, summary)
        if outcome.labels.shape == volume.array.shape:  # else the client will say what is wrong with it
            tell(_preview_of(outcome.labels))
        return summary


class _Teller:
    """`on_event` of one job: passes events on; arrays go through files. Between stages memory is given back."""

    def __init__(self, job: str, folder: Path, events: Events, volume: Volume) -> None:
        self._job = job
        self._folder = folder
        self._events = events
        self._volume = volume
        self._previews = 0

    def __call__(self, message: Mapping[str, Any]) -> None:
        data = dict(message)
        name = data.pop("event")
        if name == "preview":
            file = f"preview-{self._previews:03d}.npy"
            write_array(self._folder / file, data.pop("labels"))
            data |= {"file": file, "step": self._previews}
            self._previews += 1
        if name == "stage":
            release_pages(self._volume)
        self._events.send(Event(name, self._job, data))


def _preview_of(labels: np.ndarray) -> dict[str, Any]:
    """The result as a last preview: a client with a window should not have to look through a large file for it."""
    step = max(1, math.ceil(math.sqrt(labels.size / PREVIEW_VOXELS)))
    return {"event": "preview", "labels": labels[:, ::step, ::step], "strides": [1, step, step]}


def load_engine() -> Engine:
    """core.propagation with torch; ImportError also for a half-installed torch, which imports as an empty namespace.

    RuntimeError if torch was built for another numpy than the one that is there.
    """
    import torch

    if not hasattr(torch, "__version__"):
        raise ImportError("PyTorch is only half installed; remove and install it again")
    from MusclePropLib.core import propagation

    torch.optim.Adam([torch.from_numpy(np.zeros(1))])  # torch loads a second's worth of modules for its first optimiser
    return propagation


def main(load: Callable[[], Engine] = load_engine) -> int:
    """Serve the client at the other end of stdin and stdout; returns the exit code."""
    stdin, stdout = _private_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = Events(stdout)
    inbox = Inbox()
    threading.Thread(target=inbox.read, args=(stdin,), daemon=True).start()
    try:
        worker = Worker(load(), inbox, events)
    except Exception:
        events.send(failed("", NO_ENGINE, traceback.format_exc()))
        return 1
    signal.signal(signal.SIGINT, worker.interrupted)
    events.send(Event("ready", data={"version": __version__, "pid": os.getpid(), "python": sys.executable}))
    worker.serve()
    return 0


def _private_pipes() -> tuple[int, BinaryIO]:
    """Own handles of stdin and stdout; what libraries and children print goes to stderr, what they read is empty."""
    stdin, stdout = os.dup(0), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return stdin, stdout


def _read(stdin: int) -> bytes:
    try:
        return os.read(stdin, 1 << 16)
    except OSError:
        return b""


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """What the computing leaves behind when it is killed, masks of a patient among it, goes with the job's folder."""
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = None  # the system's


def _give_memory_back() -> None:
    """What one job has used is of no use until the next: to the system with it, where the C library can (glibc)."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _exit_with_children() -> None:
    if os.name != "nt" and os.getpgrp() == os.getpid():
        with suppress(OSError):
            os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _sentence(fault: BaseException) -> str:
    if isinstance(fault, MemoryError) or "out of memory" in str(fault).lower():
        return NO_MEMORY
    first = (str(fault).strip().splitlines() or [""])[0]
    return FAULT.format(f"{type(fault).__name__}: {first}"[:200].rstrip(": "))


if __name__ == "__main__":
    sys.exit(main())
