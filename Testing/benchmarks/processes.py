"""What a benchmark notes of the machine, and the memory of processes while they run (Linux)."""

import os
import platform
import subprocess
import threading
import time
from pathlib import Path

INTERVAL = 0.25
ROOT = Path(__file__).parents[2]


class MemoryWatch:
    """Peak of the memory of a process and its descendants together, in MB, every page counted once (PSS).

    Reading a file through a map counts too, though the system may drop such pages at any time.
    """

    def __init__(self, pid):
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peak_mb = 0.0
        self.peak_private_mb = 0.0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self):
        while not self._ended.wait(INTERVAL):
            both = [_memory(pid) for pid in [self._pid, *_descendants(self._pid)]]
            self.peak_mb = max(self.peak_mb, sum(pss for pss, _ in both) / 1024)
            self.peak_private_mb = max(self.peak_private_mb, sum(anonymous for _, anonymous in both) / 1024)


def processor_seconds(pid):
    """Processor time of a process and the children it has waited for: what it costs, however busy the machine is."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def machine():
    """Processor, cores, software: what a time means nothing without."""
    import torch

    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _memory(pid):
    """(proportional set size, anonymous memory) in kB; zeros for a process that has gone."""
    found = {line.split(":")[0]: line.split()[1] for line in _lines(f"/proc/{pid}/smaps_rollup")[1:]}
    return int(found.get("Pss", 0)), int(found.get("Anonymous", 0))


def _descendants(pid):
    children = [int(c) for c in " ".join(_lines(f"/proc/{pid}/task/{pid}/children")).split()]
    return [d for child in children for d in [child, *_descendants(child)]]


def _lines(path):
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
