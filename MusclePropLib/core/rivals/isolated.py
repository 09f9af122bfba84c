"""A function run in a process of its own, since some native libraries abort, leak or hang and must not take us along.

ITK's contour interpolation and Slicer's libraries may abort when the interpreter exits, after the work is done. So the
exit status means nothing here; a result file that loads does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from MusclePropLib.core.files import replacing
from MusclePropLib.core.rivals import RivalFailed, RivalUnavailable

ROOT = Path(__file__).resolve().parents[3]
MISSING = "MISSING PACKAGE: "


def run_isolated(
    module: str, arrays: Mapping[str, np.ndarray], time_limit: float, python: str = sys.executable
) -> dict[str, np.ndarray]:
    """The arrays that `compute(arrays)` of `module` returns, computed by `python` in at most `time_limit` seconds.

    Raises RivalUnavailable if the module misses a package there, RivalFailed if it crashes or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="muscleprop-rival-") as folder:
        given, answer = Path(folder, "given.npz"), Path(folder, "answer.npz")
        np.savez(given, **arrays)
        command = [python, "-m", __name__, module, str(given), str(answer)]
        said = _finish(command, folder, time_limit, module)
        if not answer.exists():
            raise _reason(said, module)
        with np.load(answer, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}


def _finish(command: list[str], folder: str, time_limit: float, module: str) -> str:
    """Run to the end or to the limit; returns what was written to stderr."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **quiet)
    try:
        return process.communicate(timeout=time_limit)[1].decode(errors="replace")
    except subprocess.TimeoutExpired as fault:
        raise RivalFailed(f"{module.rpartition('.')[2]} was stopped after {time_limit:.0f} s") from fault
    finally:
        _kill_family(process)


def _kill_family(process: subprocess.Popen) -> None:
    """End the process, and on POSIX what it started, such as data loaders; harmless when all has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _reason(said: str, module: str) -> RuntimeError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    missing = [line.removeprefix(MISSING) for line in lines if line.startswith(MISSING)]
    if missing:
        return RivalUnavailable(missing[0])
    return RivalFailed(f"{module.rpartition('.')[2]} crashed ({lines[-1] if lines else 'without a word'})")


def _end_with_parent() -> None:
    """Leave nothing computing for hours when the benchmark itself is killed (on POSIX, where this shows)."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _child(module: str, given: str, answer: str) -> None:
    _end_with_parent()
    try:
        compute = importlib.import_module(module).compute
        with np.load(given, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        results = compute(arrays)
    except ImportError as fault:
        sys.exit(f"{MISSING}{fault}")
    with replacing(Path(answer)) as part:
        np.savez(part, **results)


if __name__ == "__main__":
    _child(*sys.argv[1:])
