"""Time and memory of measurements, exports and reports: `python Testing/benchmarks/measure_bench.py [OUTPUT.json]`.

Targets: everything on 140 x 300 x 400 in under 5 s, the report in under 15 s; areas and volumes of a 1372 x 632 x 2270
label map with a peak under twice the label map. Each case is a process of its own, so that peaks are its own, and the
time is that which its threads spent on a processor besides what passed on the clock: on a loaded machine they differ.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.defaults import DEFAULT_MUSCLES
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.propagated import propagated_segmentation
from MusclePropLib.core.segmentation import write_segmentation
from MusclePropLib.core.volumes import Volume, write_volume

WORKING, FULL = (140, 300, 400), (2270, 632, 1372)
DRAWN = 5
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
        return json.loads(result.read_text(encoding="utf-8"))


def working():
    """Every command on the working grid, by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result, image = write_case(folder, WORKING, (2.4, 0.35, 0.35), True)
        given = [result, "--image", image]
        outputs = [folder / f"leg{e}" for e in (".stl", ".nii.gz", ".csv")]
        yield "measure", timed(["measure", *given, "--json"])
        yield "export", timed(["export", *given, "-o", *outputs])
        yield "report", timed(["report", *given, "-o", folder / "leg.html"])


def full():
    """Measurements on the full grid."""
    with tempfile.TemporaryDirectory() as name:
        result, _ = write_case(Path(name), FULL, (0.15, 0.12, 0.12), False)
        found = timed(["measure", result, "--csv"])
        yield "measure, full grid", found | {"peak_over_label_map": found["peak_mb"] / (np.prod(FULL) / 1e6)}


def main(output=None):
    figures = {}
    for case, values in itertools.chain(working(), full()):
        figures[case] = values
        print(f"{case:<20}" + "  ".join(f"{key} {value:.2f}" for key, value in values.items()), flush=True)
    if output:
        Path(output).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(values["status"] for values in figures.values()))


if __name__ == "__main__":
    main(*sys.argv[1:])
