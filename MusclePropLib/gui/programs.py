"""Runs programs one after the other in the background."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import qt

from MusclePropLib.gui.signal import Signal

TAIL = 8000  # characters of output that go with a failure
GONE_MS = 2000


class Programs:
    """`changed` is emitted at every line of output, `ended` with what went wrong, empty if nothing did."""

    def __init__(self) -> None:
        self.changed = Signal()
        self.ended = Signal()
        self.running = False
        self.line = ""
        self._commands: list[list[str]] = []
        self._processes: list[qt.QProcess] = []  # all of them: one that is deleted in its own signal crashes
        self._output = ""

    def start(self, commands: Iterable[Sequence[str]]) -> None:
        """Begin; RuntimeError while others are under way."""
        if self.running:
            raise RuntimeError("programs are already under way")
        self._commands = [list(command) for command in commands]
        self._processes = []
        self.running, self.line, self._output = True, "", ""
        self._next()

    def cancel(self) -> None:
        """Stop where it is."""
        self._commands = []
        if self.running:
            self._processes[-1].kill()

    def close(self) -> None:
        """Cancel, and wait for the process to be gone: Slicer quits."""
        self.cancel()
        if self._processes:
            self._processes[-1].waitForFinished(GONE_MS)

    def _next(self) -> None:
        if not self._commands:
            self._end("")
            return
        program, *arguments = self._commands.pop(0)
        process = qt.QProcess()
        self._processes.append(process)
        process.setProcessChannelMode(qt.QProcess.MergedChannels)
        process.connect("readyRead()", self._read)
        process.connect("finished(int,QProcess::ExitStatus)", self._finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._failed_to_start)
        process.start(program, arguments)

    def _read(self) -> None:
        text = self._processes[-1].readAll().data().decode("utf-8", errors="replace")
        self._output = (self._output + text)[-TAIL:]
        lines = [part.strip() for part in text.replace("\r", "\n").split("\n") if part.strip()]
        if lines:
            self.line = lines[-1]
            self.changed.emit()

    def _finished(self, code: int, status: int) -> None:
        self._read()
        if code == 0 and status == qt.QProcess.NormalExit:
            self._next()
        else:
            self._end(self._output or f"exit code {code}")

    def _failed_to_start(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:  # every other error is followed by `finished`
            self._end(self._processes[-1].errorString())

    def _end(self, failure: str) -> None:
        self.running, self.line = False, ""
        self.ended.emit(failure)
