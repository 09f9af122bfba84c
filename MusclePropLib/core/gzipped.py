"""Reading gzip and zlib streams piece by piece, which tells whether they are whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MusclePropLib.core.errors import InputError

PIECE = 1 << 20
GZIP = b"\x1f\x8b"
ZLIB = b"\x78"


@contextmanager
def stream_faults(path: Path) -> Iterator[None]:
    """What `pieces` raises, as InputError about the image `path`."""
    try:
        yield
    except EOFError as fault:
        raise InputError(f"{path}: the file breaks off (its compressed data do not end)") from fault
    except zlib.error as fault:
        raise InputError(f"{path}: the file is damaged (its compressed data cannot be unpacked)") from fault


def pieces(path: Path, start: int = 0, mark: bytes = GZIP) -> Iterator[bytes]:
    """The file's bytes from `start` on, unpacked if they begin with `mark`, whatever the file's name, as for ITK.

    Raises EOFError if a compressed stream does not end and zlib.error if it is damaged; what follows it is left out.
    """
    with path.open("rb") as file:
        file.seek(start)
        chunk = file.read(PIECE)
        if not chunk.startswith(mark):
            while chunk:
                yield chunk
                chunk = file.read(PIECE)
            return
        while chunk.startswith(mark):
            unzip = zlib.decompressobj(wbits=47)  # gzip or zlib
            while not unzip.eof:
                if not chunk:
                    raise EOFError
                # The limit matters: a label map may be a thousand times as large as its compressed file.
                yield unzip.decompress(chunk, PIECE)
                chunk = unzip.unconsumed_tail or (b"" if unzip.eof else file.read(PIECE))
            chunk = unzip.unused_data + file.read(2)
