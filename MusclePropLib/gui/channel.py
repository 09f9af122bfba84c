"""The worker process behind Slicer's event loop: a `jobs.channel.Channel` on QProcess, without threads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress

import qt

from MusclePropLib.jobs.channel import KILL_GRACE, WORKER_ENVIRONMENT, worker_command


class QProcessChannel:
    """See `Channel`. PythonSlicer may be a launcher with Python below it, so ending is left to the closed stdin first,
    upon which the worker ends itself and its children."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(command or worker_command(shutil.which("PythonSlicer")))
        self._process: qt.QProcess | None = None
        self._ending: list[qt.QProcess] = []  # an unreferenced QProcess is killed with its work half done

    def start(self) -> None:
        """OSError if there is no such program; a worker that still runs is ended."""
        self.end()
        program = shutil.which(self._command[0])
        if program is None:
            raise FileNotFoundError(f"{self._command[0]}: no such program")
        process = qt.QProcess()
        process.setProcessEnvironment(_environment())
        process.start(program, self._command[1:])
        self._process = process

    def write(self, data: bytes) -> None:
        """QProcess keeps what the worker has not read yet."""
        if self._process is None or not _runs(self._process):
            raise BrokenPipeError("there is no worker to write to")
        self._process.write(data)

    def read(self) -> bytes:
        """As the protocol says."""
        return self._process.readAllStandardOutput().data() if self._process is not None else b""

    def read_errors(self) -> bytes:
        """As the protocol says."""
        return self._process.readAllStandardError().data() if self._process is not None else b""

    def alive(self) -> bool:
        """As the protocol says."""
        return self._process is not None and (_runs(self._process) or self._process.bytesAvailable() > 0)

    def end(self) -> None:
        """Close stdin and let the process go; kill it if it is still there after a grace."""
        process, self._process = self._process, None
        if process is not None and _runs(process):
            process.closeWriteChannel()
            self._ending = [p for p in self._ending if _runs(p)] + [process]
            qt.QTimer.singleShot(round(1000 * KILL_GRACE), lambda: self._kill(process))

    def kill(self) -> None:
        """A worker that hangs does not see the closed stdin, but its children do when it is gone."""
        process = self._process
        self.end()
        if process is not None:
            process.kill()

    def wait(self, seconds: float) -> None:
        """Block until every worker has ended, at most `seconds` each; for the moment before Slicer itself ends."""
        for process in self._ending:
            process.waitForFinished(round(1000 * seconds))

    def _kill(self, process: qt.QProcess) -> None:
        if _runs(process):
            process.kill()
        with suppress(ValueError):
            self._ending.remove(process)


def _environment() -> qt.QProcessEnvironment:
    environment = qt.QProcessEnvironment.systemEnvironment()
    for name, value in {**os.environ, **WORKER_ENVIRONMENT}.items():  # what Python has changed does not reach Qt's
        environment.insert(name, value)
    return environment


def _runs(process: qt.QProcess) -> bool:
    return process.state() != qt.QProcess.NotRunning
