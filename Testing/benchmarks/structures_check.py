"""Do simulated neighbouring slices resemble each other as real ones do? Prints one table; needs the real volumes.

Rows: correlation between slices `lag` apart after in-plane alignment, of the fine (high-pass) and coarse (low-pass)
content; Dice of a mask carried `k` slices by chained DIS optical flow, and of the mask simply left where it was.
Columns: the mean over windows of each real volume, and quantiles over samples of the simulated stream.

    python Testing/benchmarks/structures_check.py --samples 100 --real ../shared/real
"""

import argparse
import os
import time
from pathlib import Path

import cv2
import numpy as np
import SimpleITK as sitk

from MusclePropLib.core.phantom.structures import simulate_structure

SLICES, SIZE, FILL = 24, 96, 0.35
LAGS, CARRIES = (1, 2, 4, 8), (1, 2, 4, 8, 12, 16, 20)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def real_windows(folder, count=6):
    """(image, mask) stacks of SLICES slices from one volume, cropped so that the structure fills FILL of the crop."""
    image, label = (sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{n}.nrrd"))) for n in ("image", "label"))
    drawn = np.flatnonzero((label > 0).any(axis=(1, 2)))
    for start in np.linspace(drawn[0], drawn[-1] - SLICES + 1, count).astype(int):
        window = slice(start, start + SLICES)
        mask = label[window] > 0
        scale = FILL * SIZE / np.sqrt(4 / np.pi * mask.sum(axis=(1, 2)).mean())
        middle = [np.mean([i.min(), i.max()]) for i in np.nonzero(mask)[1:]]
        shift = [SIZE / 2 - scale * m for m in middle]
        yield crop(image[window].astype(np.float32), scale, shift), crop(mask.astype(np.float32), scale, shift) > 0.5


def crop(stack, scale, shift):
    matrix = np.float32([[scale, 0, shift[1]], [0, scale, shift[0]]])
    sigma = max(0.5 / scale - 0.3, 0.01)  # no aliasing when the crop is reduced
    smooth = [cv2.GaussianBlur(s, (0, 0), sigma) for s in stack] if scale < 1 else stack
    return np.stack([cv2.warpAffine(s, matrix, (SIZE, SIZE)) for s in smooth])


def correlations(image):
    """{(band, lag): mean correlation over slice pairs}, each pair first aligned by phase correlation."""
    coarse = np.stack([cv2.GaussianBlur(s, (0, 0), 2.0) for s in image])
    window = cv2.createHanningWindow((SIZE, SIZE), cv2.CV_32F)
    found = {(band, lag): [] for band in ("fine", "coarse") for lag in LAGS}
    for lag in LAGS:
        for t in range(0, len(image) - lag, 2):
            (dx, dy), _ = cv2.phaseCorrelate(image[t].copy(), image[t + lag].copy(), window)  # it writes on its inputs
            move = np.float32([[1, 0, dx], [0, 1, dy]])
            for band, stack in (("fine", image - coarse), ("coarse", coarse)):
                there = cv2.warpAffine(stack[t + lag], move, (SIZE, SIZE), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
                pair = [s[12:-12, 12:-12].ravel() for s in (stack[t], there)]
                found[band, lag].append(np.corrcoef(*pair)[0, 1])
    return {key: float(np.nanmean(values)) for key, values in found.items()}


def dice(a, b):
    return 2 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def carried(image, mask):
    """{("flow" | "still", k): Dice of the first slice's mask on slice k}, mean of both directions along the stack."""
    low, high = np.percentile(image, [0.5, 99.5])
    bytes_ = (np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).astype(np.float32)
    found = {}
    for order in (slice(None), slice(None, None, -1)):
        frames, truth = bytes_[order], mask[order]
        first = next(i for i, m in enumerate(truth) if m.sum() > 20)
        place = grid
        for k in range(1, min(max(CARRIES), len(frames) - 1 - first) + 1):
            here = grid + flow.calc(frames[first + k], frames[first + k - 1], None)
            place = cv2.remap(place, here, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            if k in CARRIES and truth[first + k].sum() > 20:
                moved = cv2.remap(truth[first].astype(np.float32), place, None, cv2.INTER_LINEAR) > 0.5
                found.setdefault(("flow", k), []).append(dice(moved, truth[first + k]))
                found.setdefault(("still", k), []).append(dice(truth[first], truth[first + k]))
    return {key: float(np.mean(values)) for key, values in found.items()}


def measure(pairs):
    rows = [correlations(image) | carried(image, mask) for image, mask in pairs]
    keys = dict.fromkeys(key for r in rows for key in r)
    return {key: np.array([r[key] for r in rows if key in r]) for key in keys}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--real", type=Path, default=Path(os.environ.get("MUSCLEPROP_REAL", "../shared/real")))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    real = {f.name: measure(real_windows(f)) for f in sorted(arguments.real.iterdir()) if f.is_dir()}
    began = time.process_time()
    samples = [simulate_structure(np.random.default_rng(s), SLICES, SIZE) for s in range(arguments.samples)]
    print(f"{1000 * (time.process_time() - began) / len(samples):.0f} ms of one core per sample\n")
    stream = measure([(s.image, s.mask) for s in samples])
    print(f"{'':12}", *(f"{name[-9:]:>9}" for name in real), *(f"sim q{100 * q:02.0f}" for q in QUANTILES))
    for key in stream:
        values = [f"{table[key].mean():9.2f}" for table in real.values()]
        print(f"{key[0]:7} {key[1]:4d}", *values, *(f"{q:7.2f}" for q in np.quantile(stream[key], QUANTILES)))


if __name__ == "__main__":
    main()
