"""A volume and its segments as a folder of files, for a process of its own that writes the report on them.

python MusclePropLib/report/handover.py FOLDER PAGE.html
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # the package's root takes the place of this folder, whose names would hide others
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np

from MusclePropLib.core.files import replacing
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.segments import Segment, Segmentation, segmentation_from_slices
from MusclePropLib.core.steps import Steps, array_written
from MusclePropLib.core.volumes import Volume

SCRIPT = Path(__file__).resolve()


@dataclass(frozen=True)
class Piece:
    """One segment: where the box `labels` (slices, rows, columns), which begins at `offset` in the volume, has `value`.
    The segment's tags count slices as the volume's array does, along axis 0."""

    segment: Segment
    labels: np.ndarray
    value: int
    offset: tuple[int, int, int]


def segments_written(folder: Path, pieces: Sequence[Piece]) -> Steps:
    """Write the segments' files, slab by slab, over those of an earlier call."""
    for number, piece in enumerate(pieces):
        with (folder / f"piece-{number}.npy").open("wb") as stream:
            yield from array_written(stream, piece.labels)
    told = [{"segment": asdict(p.segment), "value": p.value, "offset": p.offset} for p in pieces]
    (folder / "pieces.json").write_text(json.dumps(told), encoding="utf-8")


def volume_written(folder: Path, volume: Volume) -> Steps:
    """Write the volume's files likewise."""
    with (folder / "image.npy").open("wb") as stream:
        yield from array_written(stream, volume.array)
    head = {"affine": volume.geometry.affine.tolist(), "source": volume.source}
    (folder / "head.json").write_text(json.dumps(head), encoding="utf-8")


def take_over(folder: Path) -> tuple[Volume, Segmentation]:
    """What `segments_written` and `volume_written` have written."""
    head, pieces = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("head.json", "pieces.json"))
    array = np.load(folder / "image.npy", mmap_mode="r", allow_pickle=False)
    geometry = Geometry(array.shape, np.array(head["affine"]))
    segments = [Segment(**{**p["segment"], "color": tuple(p["segment"]["color"])}) for p in pieces]
    slices = (dict(_masks(folder, number, array.shape, p)) for number, p in enumerate(pieces))
    return Volume(array, geometry, source=head["source"]), segmentation_from_slices(
        slices, 0, geometry, segments, head["source"]
    )


def main(folder: Path, page: Path) -> int:
    """Write the page about the volume and segments in the folder, and delete the folder, which can take a while."""
    from MusclePropLib.core.measurements.recording import measure
    from MusclePropLib.report.recording import recording_page

    try:
        volume, segmentation = take_over(folder)
        text = recording_page(measure(segmentation, volume, axis=0), segmentation, volume)
        with replacing(page) as part:
            part.write_text(text, encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _masks(
    folder: Path, number: int, shape: tuple[int, int, int], piece: Mapping[str, Any]
) -> Iterator[tuple[int, np.ndarray]]:
    box = np.load(folder / f"piece-{number}.npy", mmap_mode="r", allow_pickle=False)
    first, row, column = piece["offset"]
    for t, labels in enumerate(box):
        part = labels == piece["value"]
        if part.any():
            mask = np.zeros(shape[1:], bool)
            mask[row : row + part.shape[0], column : column + part.shape[1]] = part
            yield first + t, mask


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
