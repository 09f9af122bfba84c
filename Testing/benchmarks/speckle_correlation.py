"""Are neighbouring simulated slices as alike as real ones? Prints a table and writes speckle_correlation.md.

For two slices of a volume the shift between them is found by phase correlation of their structure and removed; then
their normalised correlation is taken in patches, each allowed to move a little further, for

- speckle: what a Gaussian of 3 pixels removes, and
- structure: what it leaves, less what one of 20 pixels leaves.

A patch that seeks its best match correlates by chance; slices very far apart show how much (last column).

    python Testing/benchmarks/speckle_correlation.py --real ../shared/real
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from MusclePropLib.core.benchmark.provenance import commit
from MusclePropLib.core.phantom import simulate_calf
from MusclePropLib.core.volumes import read_volume

REAL = ("us_leg_fibula_sweepA", "us_leg_fibula_recon3d_A")
LAGS = (1, 2, 4, 8)
DISTANCES = (2.5, 5.0, 10.0)
PATCH, SEEK, LARGEST_SHIFT = 48, 3, 20


def slice_correlation(array, lag, pairs=12):
    """Median (speckle, structure) correlation of patches over `pairs` pairs of slices `lag` apart."""
    first = np.linspace(5, len(array) - 6 - lag, pairs).astype(int)
    found = [pair_correlation(array[t].astype(np.float32), array[t + lag].astype(np.float32)) for t in first]
    return tuple(np.median(np.concatenate(values)) for values in zip(*found, strict=True))


def pair_correlation(one, other):
    """Correlations of all patches (speckle, structure) of two slices."""
    (fine, coarse, seen), moving = split(one), split(other)
    shift = phase_cross_correlation(coarse * seen, moving[1] * moving[2])[0]
    shift = np.clip(shift, -LARGEST_SHIFT, LARGEST_SHIFT).astype(int)
    moved = [np.roll(band, shift, (0, 1)) for band in moving]
    corners = [
        (row, column)
        for row in range(SEEK, one.shape[0] - PATCH - SEEK, PATCH)
        for column in range(SEEK, one.shape[1] - PATCH - SEEK, PATCH)
        if (seen & moved[2])[row : row + PATCH, column : column + PATCH].mean() > 0.95
    ]
    return [[best_match(a, b, *corner) for corner in corners] for a, b in ((fine, moved[0]), (coarse, moved[1]))]


def split(image):
    """(speckle, structure, where there is tissue and not shadow) of one slice."""
    smooth = ndimage.gaussian_filter(image, 3)
    return image - smooth, smooth - ndimage.gaussian_filter(image, 20), ndimage.gaussian_filter(image, 6) > 25


def best_match(one, other, row, column):
    """Highest correlation of a patch with the other slice's patches up to SEEK pixels away."""
    patch = standard(one[row : row + PATCH, column : column + PATCH])
    moves = [(i, j) for i in range(-SEEK, SEEK + 1) for j in range(-SEEK, SEEK + 1)]
    candidates = (other[row + i : row + i + PATCH, column + j : column + j + PATCH] for i, j in moves)
    return max(float(np.mean(patch * standard(candidate))) for candidate in candidates)


def standard(patch):
    return (patch - patch.mean()) / max(patch.std(), 1e-6)


def curves(volume):
    """{"spacing": mm, "speckle": values at LAGS and far apart, "structure": the same}."""
    lags = (*LAGS, len(volume.array) // 2)
    values = np.array([slice_correlation(volume.array, lag) for lag in lags])
    spacing = float(np.median(np.abs(np.diff(volume.slice_positions()))))
    return {"spacing": spacing, "speckle": values[:, 0], "structure": values[:, 1]}


def table(found, band):
    """Markdown rows: correlation by lag, then read off at equal distances, then by chance."""
    lags = [f"lag {lag}" for lag in LAGS]
    head = ["volume", "slice spacing mm", *lags, *(f"at {d:g} mm" for d in DISTANCES), "unrelated"]
    rows = [head, ["---"] * len(head)]
    for name, curve in found.items():
        near = curve[band][: len(LAGS)]
        at_distance = np.interp(DISTANCES, [0, *(np.array(LAGS) * curve["spacing"])], [1, *near])
        numbers = (f"{value:.2f}" for value in (curve["spacing"], *near, *at_distance, curve[band][-1]))
        rows.append([name, *numbers])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="folder of the real volumes")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3], help="simulated subjects")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".md"))
    args = parser.parse_args()
    found = {name: curves(read_volume(args.real / name / "image.nrrd")) for name in REAL}
    found |= {f"simulated {seed}": curves(simulate_calf(seed).volume) for seed in args.seeds}
    about = __doc__.split("\n\n    python")[0].split("\n\n", 1)[1]
    written = f"Written by `python Testing/benchmarks/speckle_correlation.py --real FOLDER` at commit {commit()}."
    parts = ["# Correlation between slices, real and simulated", written, about]
    for band in ("speckle", "structure"):
        parts += [f"## {band.capitalize()}", table(found, band)]
    text = "\n\n".join(parts) + "\n"
    args.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
