"""Runs Python code for Slicer in a process of its own, which ends with all it has started as soon as stdin closes.

    PythonSlicer leash.py -m MODULE ARGUMENTS...
    PythonSlicer leash.py SCRIPT ARGUMENTS...

An installed PythonSlicer is a launcher with Python below it: killing that would leave Python at work. So the code is
run here, in the very process that watches stdin, which closes when the launcher is killed or Slicer has gone.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # as Python has it for -m; the names in this folder would hide others

import runpy
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress


def leashed(command: Sequence[str]) -> list[str]:
    """The command `PythonSlicer ...` so that Python ends with it when it is killed."""
    return [command[0], os.path.abspath(__file__), *command[1:]]


def main(arguments: Sequence[str]) -> None:
    """As `python ARGUMENTS...`."""
    stdin = _private_stdin()
    if os.name != "nt":
        with suppress(OSError):  # it leads a session already
            os.setsid()
    threading.Thread(target=_watch, args=(stdin,), daemon=True).start()
    if arguments[0] == "-m":
        sys.argv = list(arguments[1:])
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")


def _private_stdin() -> int:
    """The pipe from Slicer; who reads stdin now finds it empty."""
    stdin, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return stdin


def _watch(stdin: int) -> None:
    with suppress(OSError):
        while os.read(stdin, 1024):
            pass
    if os.name != "nt" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
