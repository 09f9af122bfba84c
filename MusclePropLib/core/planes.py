"""Planes that lie across the grain of memory, read and written a cache line's worth at a time.

Along the axis that runs fastest in memory, neighbouring planes share their cache lines: one plane costs as much as
sixty-four.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np

LINE_BYTES = 64
BLOCK_BYTES = 1 << 19  # as many cache lines as a processor's second cache holds
HELD_BYTES = 1 << 25  # of planes at once; twenty of a full grid, which takes little longer than sixty-four


def together(array: np.ndarray) -> int:
    """How many planes along the first axis are best read together: 1, unless that axis runs fastest in memory."""
    first, *others = map(abs, array.strides)
    if not others or first >= min(others):
        return 1
    return max(1, min(LINE_BYTES // array.itemsize, HELD_BYTES // max(1, array[:1].nbytes)))


def room(shape: tuple[int, ...], dtype: np.dtype) -> Generator[None, None, np.ndarray]:
    """An array of zeros that the system has given the memory for, a plane a step: all at once takes 70 ms."""
    array = np.empty(shape, dtype)
    for plane in array:
        plane[...] = 0
        yield
    return array


def copied(target: np.ndarray, source: np.ndarray) -> Generator[None, None, None]:
    """`target[...] = source` for two arrays of one shape, in blocks of BLOCK_BYTES or one row, a step each."""
    rows = max(1, BLOCK_BYTES // max(1, source[:, :1].nbytes))
    for start in range(0, source.shape[1], rows):
        # Through a copy in the source's own order: lines a power of two apart would drive each other out of the cache.
        target[:, start : start + rows] = source[:, start : start + rows].copy(order="K")
        yield


def groups(array: np.ndarray, those: Sequence[int]) -> list[np.ndarray]:
    """The numbers `those` (ascending) of planes along the first axis, in the groups in which they are best read."""
    if not len(those):
        return []
    wanted = np.asarray(those, int)
    return np.split(wanted, np.flatnonzero(np.diff(wanted // together(array))) + 1)


def held(array: np.ndarray, group: Sequence[int]) -> Generator[None, None, np.ndarray]:
    """The planes from the first to the last of a group, step by step; to be read only, for one alone is no copy."""
    planes = array[group[0] : group[-1] + 1]
    if len(planes) == 1:
        return planes
    copy = yield from room(planes.shape, planes.dtype)
    yield from copied(copy, planes)
    return copy


def highest(array: np.ndarray) -> Generator[None, None, np.ndarray]:
    """The highest value of each plane along the first axis, 0 at least, read as it lies in memory, a block a step."""
    found = np.zeros(len(array), array.dtype)
    slowest = int(np.argmax(np.abs(array.strides)))
    lying = np.moveaxis(array, slowest, 0)
    count = max(1, BLOCK_BYTES // max(1, lying[:1].nbytes))
    for start in range(0, len(lying), count):
        part = np.moveaxis(lying[start : start + count], 0, slowest)
        its = found[start : start + count] if slowest == 0 else found
        np.maximum(its, part.max(axis=(1, 2), initial=0), out=its)
        yield
    return found
