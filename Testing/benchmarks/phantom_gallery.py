"""A picture to judge the simulated calf by: slices as scanned, with the muscles' outlines, and their areas.

With --real, rows of real frames stand above; such a picture is for the eye and must not be passed on.

    python Testing/benchmarks/phantom_gallery.py Resources/Screenshots/phantom.png --seed 5
    python Testing/benchmarks/phantom_gallery.py /tmp/beside.png --real ../shared/real/us_leg_fibula_sweepA/image.nrrd
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

from MusclePropLib.core.defaults import DEFAULT_MUSCLES
from MusclePropLib.core.phantom import simulate_calf
from MusclePropLib.core.volumes import read_volume

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLUMNS = 5


def show_slices(axes, volume, slices, labels=None):
    """Draw slices in their true proportions, with outlines if `labels` are given."""
    _, down, across = volume.geometry.spacing
    rows, columns = volume.array.shape[1:]
    extent = (0, columns * across, rows * down, 0)
    for axis, index in zip(axes, slices, strict=True):
        axis.imshow(volume.array[index], cmap="gray", vmin=0, vmax=255, extent=extent)
        axis.set_axis_off()
        for value, muscle in enumerate(DEFAULT_MUSCLES, 1) if labels is not None else ():
            if (labels[index] == value).any():
                mask = labels[index] == value
                axis.contour(mask, [0.5], colors=[muscle.color], linewidths=1.2, extent=extent, origin="upper")


def show_areas(axis, calf):
    """Area of every muscle along the sweep."""
    spacing = calf.volume.geometry.spacing
    for value, muscle in enumerate(DEFAULT_MUSCLES, 1):
        area = (calf.labels == value).sum(axis=(1, 2)) * spacing[1] * spacing[2] / 100
        volume = area.sum() * spacing[0] / 10
        axis.plot(np.arange(len(area)) * spacing[0], area, color=muscle.color, label=f"{muscle.title}, {volume:.0f} ml")
    axis.set(xlabel="mm below the first slice", ylabel="cross-sectional area, cm²", ylim=(0, None))
    axis.legend(frameon=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--real", type=Path, help="a real volume to compare with")
    args = parser.parse_args()
    calf = simulate_calf(args.seed)
    heights = ([1.25] * 2 if args.real else []) + [1.0] * 4 + [1.3]
    figure = plt.figure(figsize=(20, 3.2 * sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), COLUMNS, height_ratios=heights)
    axes = [figure.add_subplot(grid[i, j]) for i in range(len(heights) - 1) for j in range(COLUMNS)]
    for volume, labels in ([(read_volume(args.real), None)] if args.real else []) + [
        (calf.volume, None),
        (calf.volume, calf.labels),
    ]:
        slices = np.linspace(0.02, 0.96, 2 * COLUMNS) * len(volume.array)
        show_slices([axes.pop(0) for _ in slices], volume, slices.astype(int), labels)
    show_areas(figure.add_subplot(grid[-1, :]), calf)
    figure.savefig(args.output, dpi=70)


if __name__ == "__main__":
    main()
