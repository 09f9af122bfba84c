"""The largest grid in the literature, 1372 x 632 x 2270 voxels of 8 bit, from file to file on the command line.

    python Testing/benchmarks/full_grid.py [--shape 2270 632 1372]

resamples a simulated calf to it, runs `muscleprop propagate` and writes full_grid.json beside itself: seconds, and the
peak memory of client and worker together against the size of the volume (the aim is below 2.5).
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from processes import MemoryWatch, machine

from MusclePropLib.core import sparsify
from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.phantom.calf import simulate_calf
from MusclePropLib.core.segmentation import segmentation_from_annotations, write_segmentation

FULL, SLICES, SEED = (2270, 632, 1372), 5, 0
SIMULATED = (140, 300, 400)
FILE = Path(__file__).with_name("full_grid.json")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", type=int, nargs=3, default=FULL)
    parser.add_argument("--time-limit", type=float, default=100.0)
    args = parser.parse_args()
    shape, before = tuple(args.shape), machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, shape)
        argv = ["propagate", "leg.mha", "drawn.seg.nrrd", "-o", "out.seg.nrrd", "--json"]
        argv += ["--time-limit", f"{args.time_limit:g}"]
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "MusclePropLib", *argv], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        with MemoryWatch(process.pid) as memory:
            out = process.communicate()[0]
        seconds = time.monotonic() - began
    if process.returncode:
        sys.exit("the propagation failed")
    summary, volume_mb = json.loads(out), math.prod(shape) / 2**20
    report = {
        "command": f"python Testing/benchmarks/full_grid.py --shape {' '.join(map(str, shape))}",
        "machine": before,
        "volume_mb": round(volume_mb),
        "peak_memory_mb": round(memory.peak_mb),
        "peak_memory_without_files_mb": round(memory.peak_private_mb),
        "peak_memory_over_volume": round(memory.peak_mb / volume_mb, 2),
        "peak_of_each_process_mb": summary["peak_memory_mb"],
        "seconds": round(seconds, 1),
        "stages": summary["seconds"],
    }
    FILE.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def prepare(folder, shape):
    """leg.mha and drawn.seg.nrrd: a simulated calf on a finer grid, written without holding all of it."""
    calf = simulate_calf(SEED, SIMULATED)
    spacing = [s * a / b for s, a, b in zip(calf.volume.geometry.spacing, SIMULATED, shape, strict=True)]
    where = [np.minimum(np.arange(n) * m // n, m - 1) for n, m in zip(shape, SIMULATED, strict=True)]
    header = f"""ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False
ElementSpacing = {spacing[2]:.6f} {spacing[1]:.6f} {spacing[0]:.6f}
DimSize = {shape[2]} {shape[1]} {shape[0]}\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"""
    with (folder / "leg.mha").open("wb") as file:
        file.write(header.encode())
        for t in where[0]:
            size = (shape[2], shape[1])
            frame = sitk.GetImageFromArray(calf.volume.array[t])
            scale = [SIMULATED[2] / shape[2], SIMULATED[1] / shape[1]]
            fine = sitk.Resample(frame, size, sitk.Transform(), sitk.sitkLinear, (0.0, 0.0), scale)
            file.write(sitk.GetArrayViewFromImage(fine).tobytes())
    muscles = []
    for index, name in enumerate(calf.names):
        filled = np.flatnonzero((calf.labels == index + 1).any(axis=(1, 2)))
        drawn = {}
        for t in sparsify.equally_spaced(filled, SLICES):
            fine = int(np.searchsorted(where[0], t))
            drawn[fine] = (calf.labels[t] == index + 1)[np.ix_(where[1], where[2])]
        muscles.append(MuscleAnnotation(name, drawn))
    grid = Geometry.from_spacing(shape, tuple(spacing))
    write_segmentation(folder / "drawn.seg.nrrd", segmentation_from_annotations(Annotations(shape, muscles), grid))


if __name__ == "__main__":
    main()
