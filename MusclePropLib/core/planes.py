"""Planes that lie across the grain of memory, read and written a cache line's worth at a time.

Along the axis that runs fastest in memory, neighbouring planes share their cache lines: one plane costs as much as
sixty-four.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

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


def copied(target: np.ndarray, source: np.ndarray) -> Generator[None, None, None]:
    """`target[...] = source` for two arrays of one shape, in blocks of BLOCK_BYTES or one row, a step each."""
    rows = max(1, BLOCK_BYTES // max(1, source[:, :1].nbytes))
    for start in range(0, source.shape[1], rows):
        # Through a copy in the source's own order: lines a power of two apart would drive each other out of the cache.
        target[:, start : start + rows] = source[:, start : start + rows].copy(order="K")
        yield


def planes(array: np.ndarray, those: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Number and plane of `those` (ascending) along the first axis; to be read only, for some are copies."""
    lanes = together(array)
    wanted = np.asarray(those, int)
    for group in np.split(wanted, np.flatnonzero(np.diff(wanted // lanes)) + 1):
        if len(group) == 1:
            yield int(group[0]), array[group[0]]
        elif len(group):
            held = _held(array[group[0] : group[-1] + 1])
            yield from ((int(index), held[index - group[0]]) for index in group)


def _held(array: np.ndarray) -> np.ndarray:
    held = np.empty(array.shape, array.dtype)
    for _ in copied(held, array):
        pass
    return held
