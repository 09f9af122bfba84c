"""Work that can be done bit by bit, so that a window stays alive meanwhile."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import BinaryIO, TypeVar

import numpy as np

from MusclePropLib.core.planes import copied, room, together

CHUNK_BYTES = 1 << 20

Steps = Generator[None, None, None]
T = TypeVar("T")


def advance(steps: Steps, seconds: float) -> bool:
    """Take steps until about so much time has passed; True when there are no more."""
    end = time.monotonic() + seconds
    return all(time.monotonic() < end for _ in steps)


def finished(steps: Generator[None, None, T]) -> T:
    """Take all steps at once; what they come to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def array_written(stream: BinaryIO, array: np.ndarray) -> Steps:
    """As np.save in C order, but part by part, a step each: np.save would copy a view whose axes were moved.

    Of a view whose first axis runs fastest in memory, the planes are held that are best read together.
    """
    head = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(stream, head)
    lanes = together(array)
    if lanes == 1:
        yield from _slabs_written(stream, array)
        return
    held = yield from room((lanes, *array.shape[1:]), array.dtype)
    for start in range(0, len(array), lanes):
        group = array[start : start + lanes]
        yield from copied(held[: len(group)], group)
        yield from _slabs_written(stream, held[: len(group)])


def slabs(array: np.ndarray) -> Iterator[slice]:
    """Parts of about CHUNK_BYTES along the first axis, one element at least."""
    step = max(1, CHUNK_BYTES // max(1, array[:1].nbytes))
    return (slice(start, start + step) for start in range(0, len(array), step))


def _slabs_written(stream: BinaryIO, array: np.ndarray) -> Steps:
    for slab in slabs(array):
        stream.write(np.ascontiguousarray(array[slab]).data)
        yield
