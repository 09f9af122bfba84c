"""Time and memory of measurements, exports and reports.

    python Testing/benchmarks/measure_bench.py [--working]

writes measure_bench.json beside itself; `--working` leaves out the large grid and writes nothing. The aims: everything
on 140 x 300 x 400 in under 5 s, the report with its 3D view in under 15 s; areas and volumes of a 1372 x 632 x 2270
label map with a peak under twice the label map. Each command is a process of its own, so that peaks are its own, and
the time is what passed on the clock, Python's start included, besides what its threads spent on a processor: on a
loaded machine they differ.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from processes import machine

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.defaults import DEFAULT_MUSCLES
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.propagated import propagated_segmentation
from MusclePropLib.core.segmentation import write_segmentation
from MusclePropLib.core.volumes import Volume, write_volume

FILE = Path(__file__).with_suffix(".json")
WORKING, FULL = (140, 300, 400), (2270, 632, 1372)
DRAWN = 5
SECONDS = {"measure": 5, "export": 5, "report": 15}
PEAK_OVER_LABEL_MAP = 2
TIMED = """
import json, re, resource, time
from pathlib import Path
began = time.monotonic()
from MusclePropLib import cli
status = cli.main({argv!r})
spent = resource.getrusage(resource.RUSAGE_SELF)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
def peak_mb():
    try:  # ru_maxrss starts at what the parent process had
        return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))[1]) / 1e3
    except OSError:
        return spent.ru_maxrss / 1e3
used = sum(u.ru_utime + u.ru_stime for u in (spent, children))
Path({result!r}).write_text(json.dumps(dict(
    status=status, seconds=time.monotonic() - began, processor_seconds=used, peak_mb=peak_mb())), encoding="utf-8")
"""


def labels_of(shape):
    """Three ellipsoids that fill much of the grid."""
    labels = np.zeros(shape, np.uint8)
    rows, columns = np.ogrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    for t, z in enumerate(np.linspace(-1, 1, shape[0])):
        for value, middle in enumerate((-0.6, 0.0, 0.6), 1):
            labels[t][(columns - middle) ** 2 / 0.07 + rows**2 / 0.5 <= 1 - z**2] = value
    return labels


def write_case(folder, shape, spacing, with_image):
    """Result (and image) in the folder; returns the paths."""
    geometry = Geometry.from_spacing(shape, spacing)
    labels = labels_of(shape)
    slices = np.linspace(0.1, 0.9, DRAWN) * shape[0]
    muscles = [
        MuscleAnnotation(d.name, {int(t): labels[int(t)] == n for t in slices}, color=d.color)
        for n, d in enumerate(DEFAULT_MUSCLES, 1)
    ]
    summary = {
        "muscles": [{"name": d.name, "method": "network", "estimate": 0.9} for d in DEFAULT_MUSCLES],
        "confidence": [[0.9] * shape[0]] * len(muscles),
    }
    result = folder / "leg-muscles.seg.nrrd"
    write_segmentation(result, propagated_segmentation(labels, Annotations(shape, muscles), geometry, summary))
    image = folder / "leg.nrrd"
    if with_image:
        array = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
        write_volume(image, Volume(array, geometry))
    return result, image


def timed(argv):
    """Seconds, processor seconds and peak megabytes of one command."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "figures.json")
        code = TIMED.format(argv=[str(a) for a in argv], result=str(result))
        root = Path(__file__).resolve().parents[2]
        subprocess.run([sys.executable, "-c", code], check=True, cwd=root, stdout=subprocess.DEVNULL)
        found = json.loads(result.read_text(encoding="utf-8"))
    if found.pop("status"):
        sys.exit(f"{argv[0]} failed")
    return found


def working():
    """Every command on the working grid: name to figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result, image = write_case(folder, WORKING, (2.4, 0.35, 0.35), True)
        given = [result, "--image", image]
        outputs = [folder / f"leg{e}" for e in (".stl", ".nii.gz", ".csv")]
        figures = {
            "measure": timed(["measure", *given, "--json"]),
            "export": timed(["export", *given, "-o", *outputs]),
            "report": timed(["report", *given, "-o", folder / "leg.html"]),
        }
    return {name: found | {"aim_seconds": SECONDS[name]} for name, found in figures.items()}


def full():
    """Measurements on the full grid."""
    with tempfile.TemporaryDirectory() as name:
        result, _ = write_case(Path(name), FULL, (0.15, 0.12, 0.12), False)
        found = timed(["measure", result, "--csv"])
    label_map_mb = math.prod(FULL) / 1e6
    return found | {
        "label_map_mb": label_map_mb,
        "peak_over_label_map": found["peak_mb"] / label_map_mb,
        "aim_peak_over_label_map": PEAK_OVER_LABEL_MAP,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--working", action="store_true", help="the working grid only, and nothing is written")
    args = parser.parse_args()
    report = {"command": "python Testing/benchmarks/measure_bench.py", "machine": machine(), "working_grid": WORKING}
    report |= working()
    if not args.working:
        report |= {"full_grid": FULL, "measure_full_grid": full()}
    report = {name: rounded(value) for name, value in report.items()}
    text = json.dumps(report, indent=2)
    print(text)
    if not args.working:
        FILE.write_text(text + "\n", encoding="utf-8")


def rounded(value):
    """A table of figures to two decimals; anything else as it is."""
    if not isinstance(value, dict):
        return value
    return {k: round(v, 2) if isinstance(v, float) else v for k, v in value.items()}


if __name__ == "__main__":
    main()
