"""Whether a NIfTI file is whole.

ITK's reader says nothing of a file that breaks off or cannot be unpacked: it takes what is missing for zeros.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.gzipped import GZIP, pieces, stream_faults

HEADER_BYTES = 348
"""The length of a header, of which it tells first; ITK does not read NIfTI-2, whose headers are longer."""
VOXELS_AT = 352
"""Where the voxels begin in files that ITK writes."""


def check_whole(path: Path) -> None:
    """InputError if the NIfTI file, or pair of .hdr and .img, breaks off or is damaged.

    What is not compressed costs nothing: the file's size tells. All else is read through once more, a piece of 1 MB at
    a time, since only unpacking tells whether a gzip stream is sound: that takes about as long as ITK's own reading,
    some 7 s per GB of compressed file.
    """
    header_file, voxel_file = header_and_voxels(path)
    if header_file is None or voxel_file is None:
        return
    with stream_faults(path):
        end = _end(_beginning(header_file))
        there = _length(voxel_file)
    if there < end:
        raise InputError(f"{path}: the file breaks off at {100 * there // end} % of its length")


def unpacked_bytes(path: Path) -> int:
    """How many bytes follow the header in a NIfTI file; InputError if its compressed data break off or are damaged."""
    with stream_faults(path):
        return _length(path) - VOXELS_AT


def grid_is_finite(path: Path) -> bool:
    """Whether the numbers that place a NIfTI's voxels are neither NaN nor infinity; True where there is no header."""
    try:
        start = _beginning(header_and_voxels(path)[0] or path)
    except (EOFError, zlib.error):
        return True
    order = _byte_order(start)
    if order is None:
        return True
    sizes, places = struct.unpack_from(f"{order}8f", start, 76), struct.unpack_from(f"{order}18f", start, 256)
    return all(math.isfinite(number) for number in sizes + places)


def header_and_voxels(path: Path) -> tuple[Path | None, Path | None]:
    """The files of header and voxels, one and the same but for Analyze's pairs; None for one that is not there."""
    zipped = path.suffix.lower() == ".gz"
    stem = path.with_suffix("") if zipped else path
    if stem.suffix.lower() not in (".hdr", ".img"):
        return path, path
    endings = ("", ".gz") if not zipped else (".gz", "")
    other = {".hdr": ".img", ".img": ".hdr", ".HDR": ".IMG", ".IMG": ".HDR"}.get(stem.suffix, "")
    partners = (Path(f"{stem.with_suffix(other)}{ending}") for ending in endings)
    partner = next((file for file in partners if file.is_file()), None)
    return (path, partner) if stem.suffix.lower() == ".hdr" else (partner, path)


def _beginning(path: Path) -> bytes:
    """As many bytes as a header has, filled up with zeros."""
    start = b""
    for piece in pieces(path):
        start += piece
        if len(start) >= HEADER_BYTES:
            break
    return start[:HEADER_BYTES].ljust(HEADER_BYTES, b"\0")


def _byte_order(start: bytes) -> str | None:
    """The header's byte order as for `struct`, or None if it is no header."""
    return next((order for order in "<>" if struct.unpack_from(f"{order}i", start)[0] == HEADER_BYTES), None)


def _end(start: bytes) -> int:
    """Where a header says that the voxels end in their file, in bytes; 0 if it is none."""
    order = _byte_order(start)
    if order is None:
        return 0
    rank, *shape = struct.unpack_from(f"{order}8h", start, 40)
    (bits,) = struct.unpack_from(f"{order}h", start, 72)
    (first,) = struct.unpack_from(f"{order}f", start, 108)
    least = HEADER_BYTES if start[344:347] == b"n+1" else 0
    first = max(int(first), least) if math.isfinite(first) else least
    return first + -(-math.prod(max(n, 1) for n in shape[: max(rank, 0)]) * bits // 8)


def _length(file: Path) -> int:
    """The file's bytes when unpacked."""
    with file.open("rb") as stream:
        zipped = stream.read(2) == GZIP
    return sum(map(len, pieces(file))) if zipped else file.stat().st_size
