"""A propagation's result on disk, as `muscleprop propagate` writes it, without computing one."""

import numpy as np
from small_files import write_case

from MusclePropLib import cli
from MusclePropLib.core.propagated import propagated_segmentation
from MusclePropLib.core.segmentation import annotations_from_segmentation, read_segmentation, write_segmentation


def write_result(folder, name="leg", dice=0.9):
    """(image, annotations, result) of one small leg; GM is drawn on slices 0 and 5, GL on slice 0."""
    image, drawn = write_case(folder, name)
    given = read_segmentation(drawn)
    annotations = annotations_from_segmentation(given)
    labels = np.zeros(annotations.shape, np.uint8)
    for index, muscle in reversed(list(enumerate(annotations.muscles))):
        labels[:, muscle.drawn[0]] = index + 1
    summary = {
        "provenance": {"version": "1.0", "weights": "abc", "settings": {"seed": 3, "method": "auto"}},
        "muscles": [
            {"name": m.name, "method": "network", "estimate": dice, "fill_estimate": dice - 0.1}
            for m in annotations.muscles
        ],
        "confidence": [[1.0 if t in m.drawn else dice for t in range(len(labels))] for m in annotations.muscles],
    }
    out = folder / f"{name}-muscles.seg.nrrd"
    write_segmentation(out, propagated_segmentation(labels, annotations, given.geometry, summary))
    return image, drawn, out


def report(*arguments):
    return cli.main(["report", *map(str, arguments)])
