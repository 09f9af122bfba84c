"""Whether the compressed voxels of a NRRD file are whole.

ITK's reader stops as soon as it has bytes enough. Of damaged data that go on there, it never sees the checksum.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np

from MusclePropLib.core.gzipped import pieces, stream_faults

_COMPRESSED = re.compile(rb"encoding:\s*gz(ip)?\s*$", re.IGNORECASE)
_TRAILER_BYTES = 8


def check_read(path: Path, voxel_files: Sequence[Path], array: np.ndarray) -> None:
    """InputError if `array`, which ITK has read, is not what was compressed into `path`.

    `voxel_files` are those that a detached header names. The checksum of what was read tells, at a twentieth of the
    time of reading. Only where the file does not end with that one, since it is damaged, or has its bytes in another
    order, or holds several streams, all is unpacked once more, which takes about as long as reading.
    """
    streams = _streams(path, voxel_files)
    if len(streams) == 1 and _last_checksum(streams[0][0]) == zlib.crc32(array):
        return
    unpacked_bytes(path, voxel_files)


def unpacked_bytes(path: Path, voxel_files: Sequence[Path]) -> int:
    """How many bytes the compressed voxels come to; InputError if they break off or are damaged."""
    with stream_faults(path):
        return sum(len(piece) for file, start in _streams(path, voxel_files) for piece in pieces(file, start))


def _streams(path: Path, voxel_files: Sequence[Path]) -> list[tuple[Path, int]]:
    """The files of compressed voxels, and where these begin; none if the voxels are not compressed as gzip."""
    with path.open("rb") as file:
        header = list(takewhile(lambda line: not line.isspace(), file))
        if not any(_COMPRESSED.match(line) for line in header):
            return []
        return [(voxels, 0) for voxels in voxel_files] or [(path, file.tell())]


def _last_checksum(file: Path) -> int:
    """The checksum at the end of a gzip stream that ends with the file."""
    with file.open("rb") as stream:
        stream.seek(max(file.stat().st_size - _TRAILER_BYTES, 0))
        return int.from_bytes(stream.read(4), "little")
