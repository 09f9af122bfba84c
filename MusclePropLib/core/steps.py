"""Work that can be done bit by bit, so that a window stays alive meanwhile."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import BinaryIO

import numpy as np

CHUNK_BYTES = 1 << 20  # a slice of a full grid, which across the rows takes 20 ms to pick out

Steps = Generator[None, None, None]


def advance(steps: Steps, seconds: float) -> bool:
    """Take steps until about so much time has passed; True when there are no more."""
    end = time.monotonic() + seconds
    return all(time.monotonic() < end for _ in steps)


def array_written(stream: BinaryIO, array: np.ndarray) -> Steps:
    """As np.save in C order, but slab by slab, a step each: np.save would copy a view whose axes were moved."""
    head = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(stream, head)
    for slab in slabs(array):
        stream.write(np.ascontiguousarray(array[slab]).data)
        yield


def slabs(array: np.ndarray) -> Iterator[slice]:
    """Parts of about CHUNK_BYTES along the first axis, one element at least."""
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))
