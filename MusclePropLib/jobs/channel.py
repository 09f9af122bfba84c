"""How the client reaches a worker process: the protocol, and its implementation on `subprocess.Popen`."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

WORKER_SCRIPT = Path(__file__).resolve().with_name("worker.py")
WORKER_ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    # Threads that wait for each other in a loop take many times as long as soon as other programs compute, too: torch's
    # are to sleep instead, and NumPy's products are too small to be shared.
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",
}

CHUNK = 1 << 16
WAITING_CHUNKS = 16  # at most, on the way from the worker to `read`; then it waits until somebody polls
ERROR_CHUNKS = 16
DRAIN_SECONDS = 0.5
KILL_GRACE = 2.0


class Channel(Protocol):
    """A worker process that can be started again and again. No call blocks."""

    def start(self) -> None:
        """Start a new worker and forget the one before; OSError if it cannot be started."""

    def write(self, data: bytes) -> None:
        """To the worker's stdin; OSError if it is gone."""

    def read(self) -> bytes:
        """What has come from its stdout since the last call, b"" if nothing."""

    def read_errors(self) -> bytes:
        """The same for stderr, of which only the last part is kept."""

    def alive(self) -> bool:
        """Whether the worker runs, is starting, or has left output that `read` has not given yet."""

    def end(self) -> None:
        """Close its stdin, upon which a worker ends by itself; kill it if it does not within a short grace."""

    def kill(self) -> None:
        """End the worker and its child processes now."""


def worker_command(python: str | None = None) -> list[str]:
    """Program and arguments that start the worker, by absolute path; WORKER_ENVIRONMENT goes with it."""
    return [python or sys.executable, str(WORKER_SCRIPT)]


class PipeChannel:
    """A `Channel` on subprocess.Popen."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(command or worker_command())
        self._worker: _Worker | None = None
        self._ending: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process id, None before the first start."""
        return self._worker.process.pid if self._worker else None

    def start(self) -> None:
        """As the protocol says; a worker that still runs is ended."""
        self.end()
        self._worker = _Worker(self._command)

    def write(self, data: bytes) -> None:
        """Requests are a few hundred bytes and the worker always reads, so the pipe never fills."""
        try:
            self._worker.process.stdin.write(data)
        except (AttributeError, ValueError) as fault:  # never started, or closed
            raise BrokenPipeError("there is no worker to write to") from fault

    def read(self) -> bytes:
        """At most WAITING_CHUNKS chunks at a time, however fast the worker writes."""
        return _take(self._worker.output) if self._worker else b""

    def read_errors(self) -> bytes:
        """The tail of stderr since the last call."""
        return _take(self._worker.errors) if self._worker else b""

    def alive(self) -> bool:
        """As the protocol says."""
        return self._worker is not None and self._worker.alive()

    def end(self) -> None:
        """Close stdin and see to the rest in a thread."""
        if self._worker is not None:
            self._ending = _start(self._worker.end, False)

    def kill(self) -> None:
        """SIGTERM to the process group and SIGKILL after a grace; on Windows taskkill of the process tree."""
        if self._worker is not None:
            self._ending = _start(self._worker.end, True)

    def wait(self, seconds: float) -> bool:
        """Block, at most `seconds`, until a worker that was ended or killed is gone; for programs about to end."""
        if self._ending is None:
            return True
        self._ending.join(seconds)
        return not self._ending.is_alive()


class _Worker:
    """One process and the two threads that move its output into bounded queues."""

    def __init__(self, command: Sequence[str]) -> None:
        # A group of its own: it can be ended with its children, and Ctrl-C in a terminal reaches the client alone.
        group = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}
        )
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env=os.environ | WORKER_ENVIRONMENT, **group
        )
        self.output: queue.Queue[bytes] = queue.Queue(WAITING_CHUNKS)
        self.errors: queue.Queue[bytes] = queue.Queue(ERROR_CHUNKS)
        self._readers = [
            _start(_pump, self.process.stdout, self.output.put),
            _start(_pump, self.process.stderr, self._keep_newest_errors),
        ]
        self._ending = threading.Lock()
        self._found_dead: float | None = None

    def alive(self) -> bool:
        """A dead worker counts as alive while its output is on the way; half a second if a child holds the pipes."""
        if not self._exited() or not self.output.empty():
            return True
        now = time.monotonic()
        self._found_dead = self._found_dead or now
        return any(reader.is_alive() for reader in self._readers) and now - self._found_dead < DRAIN_SECONDS

    def end(self, at_once: bool) -> None:
        """Grace, then force; the group is signalled even if the worker itself is dead, for its children may live."""
        with suppress(OSError):
            self.process.stdin.close()
        with self._ending:
            if at_once:
                self._signal_group(force=False)
            deadline = time.monotonic() + KILL_GRACE
            while not self._exited() and time.monotonic() < deadline:
                time.sleep(0.02)
            self._signal_group(force=True)
            self.process.wait()
        while self._readers[0].is_alive() and _take(self.output):  # one that waits for room would wait for ever
            self._readers[0].join(0.1)

    def _exited(self) -> bool:
        """Whether the process has ended. It is not collected if that can be helped: its id, which is also its group's,
        must not pass to another process before the group is signalled."""
        if self.process.returncode is not None or not hasattr(os, "waitid"):
            return self.process.poll() is not None
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # collected just now
            return True

    def _signal_group(self, force: bool) -> None:
        if self.process.returncode is not None:
            return
        if os.name == "nt":
            tree = ["taskkill", "/T", "/F", "/PID", str(self.process.pid)]
            subprocess.run(tree, check=False, capture_output=True)
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL if force else signal.SIGTERM)

    def _keep_newest_errors(self, chunk: bytes) -> None:
        if self.errors.full():
            with suppress(queue.Empty):
                self.errors.get_nowait()
        self.errors.put(chunk)


def _start(target: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def _pump(stream: BinaryIO, put: Callable[[bytes], None]) -> None:
    with stream, suppress(OSError, ValueError):
        while chunk := stream.read(CHUNK):
            put(chunk)


def _take(waiting: queue.Queue[bytes]) -> bytes:
    chunks = []
    with suppress(queue.Empty):
        while len(chunks) < WAITING_CHUNKS:
            chunks.append(waiting.get_nowait())
    return b"".join(chunks)
