"""How long an expert waits: a simulated calf of 140 x 300 x 400, three muscles, 5 slices, behind a warm worker.

    python Testing/benchmarks/speed.py

writes speed.json beside itself: seconds from the request to the first preview, the first preview by the network and
the result; the same after one more slice is drawn where the tool asks for it; and the peak memory of client and worker.
By the clock, which is what the expert waits, and in the worker's processor time, which other programs disturb less.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from processes import MemoryWatch, machine, processor_seconds

from MusclePropLib.core import sparsify
from MusclePropLib.core.metrics import score
from MusclePropLib.core.outcome import Settings
from MusclePropLib.core.phantom.calf import simulate_calf
from MusclePropLib.core.segmentation import annotations_from_segmentation, segmentation_from_labels
from MusclePropLib.jobs.channel import PipeChannel
from MusclePropLib.jobs.job import read_result, write_job
from MusclePropLib.jobs.runner import Runner, run_to_end

SHAPE, SLICES, SEED = (140, 300, 400), 5, 0
FILE = Path(__file__).with_name("speed.json")


def main():
    before = machine()
    calf = simulate_calf(SEED, SHAPE)
    truth = segmentation_from_labels(calf.labels, calf.volume.geometry)
    drawn = annotations_from_segmentation(truth, 0, pick=lambda filled: sparsify.equally_spaced(filled, SLICES))
    with Runner(PipeChannel()) as runner:
        runner.warm_up()
        while runner.ready is None:
            runner.poll()
            time.sleep(0.02)
        with MemoryWatch(os.getpid()) as memory:
            first, asked = round_of(runner, calf, drawn)
            draw(drawn, calf.labels, asked)
            second, _ = round_of(runner, calf, drawn)
    report = {
        "command": "python Testing/benchmarks/speed.py",
        "machine": before,
        "volume": SHAPE,
        "slices": SLICES,
        "first": first,
        "after_one_more_slice": second,
        "peak_memory_mb": round(memory.peak_mb),
    }
    FILE.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def round_of(runner, calf, drawn):
    """One propagation: its seconds, and the slice that it asks for."""
    pid = runner.ready.data["pid"]
    began, spent, seen = time.monotonic(), processor_seconds(pid), {}

    def reached(what):
        seen.setdefault(what, (time.monotonic() - began, processor_seconds(pid) - spent))

    def note(event):
        if event.name == "preview":
            reached("first_preview")
            if "network" in str(event.data.get("method")):
                reached("first_network_preview")

    with write_job(calf.volume, drawn, vars(Settings())) as job:
        final = run_to_end(runner, job, note)
        if final.name != "result":
            sys.exit(final.data.get("message", final.name))
        reached("result")
        labels, summary = read_result(job).labels, final.data["summary"]
        dice = {}
        for index, muscle in enumerate(drawn.muscles):
            masks = labels == index + 1, calf.labels == index + 1
            scores = score(*masks, calf.volume.geometry, exclude=muscle.drawn_slices)
            dice[calf.names[index]] = round(scores.dice, 3)
    seconds, processor = ({name: round(both[i], 1) for name, both in seen.items()} for i in (0, 1))
    figures = {"seconds": seconds, "processor_seconds": processor, "stages": summary["seconds"], "dice": dice}
    return figures, summary["next_slice"]


def draw(drawn, labels, t):
    """Draw every muscle that there is on slice `t`."""
    for index, muscle in enumerate(drawn.muscles):
        mask = labels[t] == index + 1
        if np.any(mask):
            muscle.drawn[t] = mask


if __name__ == "__main__":
    main()
