"""A function run in a process of its own, since some native libraries abort, leak or hang and must not take us along.

ITK's contour interpolation and Slicer's libraries may abort when the interpreter exits, after the work is done. So the
exit status means nothing here; a result file that loads does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
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
    with Isolated(module, arrays, python) as child:
        return child.result(time_limit)


class Isolated:
    """`compute(arrays)` of a module, under way in a process of its own; leaving the context ends it.

    Its stdin is a pipe that nothing is written to: when this process dies, however it dies, the pipe closes, and a
    child that is still at work removes its files and ends. Those of one that has ended stay in the temporary folder.
    """

    def __init__(self, module: str, arrays: Mapping[str, np.ndarray], python: str = sys.executable) -> None:
        self._name = module.rpartition(".")[2]
        self._files = tempfile.TemporaryDirectory(prefix="muscleprop-isolated-", ignore_cleanup_errors=True)
        folder = Path(self._files.name)
        self._answer, self._said = folder / "answer.npz", folder / "said.txt"
        np.savez(folder / "given.npz", **arrays)
        command = [python, "-m", __name__, module, str(folder)]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]  # Slicer's Python finds its modules by it
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
        with open(self._said, "wb") as said:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment, start_new_session=True, stderr=said, **pipes
            )

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def result(self, time_limit: float) -> dict[str, np.ndarray]:
        """What it has computed, waited for at most `time_limit` seconds; raises as `run_isolated`."""
        try:
            self._process.wait(time_limit)
        except subprocess.TimeoutExpired as fault:
            raise RivalFailed(f"{self._name} was stopped after {time_limit:.0f} s") from fault
        if not self._answer.exists():
            raise self._reason()
        with np.load(self._answer, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def close(self) -> None:
        """End the process, and on POSIX what it started, such as data loaders; harmless when all has ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.stdin.close()
        self._process.wait()
        self._files.cleanup()

    def _reason(self) -> RuntimeError:
        said = self._said.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        missing = [line.removeprefix(MISSING) for line in lines if line.startswith(MISSING)]
        if missing:
            return RivalUnavailable(missing[0])
        return RivalFailed(f"{self._name} crashed ({lines[-1] if lines else 'without a word'})")


def _end_with_parent(folder: Path) -> None:
    """Leave nothing computing for hours, and no masks lying about, when the parent is killed.

    The pipe is moved away from stdin, which libraries look at while they load: on Windows they would wait for the read.
    """
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        while os.read(pipe, 1):
            pass
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _child(module: str, folder: Path) -> None:
    _end_with_parent(folder)
    try:
        compute = importlib.import_module(module).compute
        with np.load(folder / "given.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        results = compute(arrays)
    except ImportError as fault:
        sys.exit(f"{MISSING}{fault}")
    with replacing(folder / "answer.npz") as part:
        np.savez(part, **results)


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]))
