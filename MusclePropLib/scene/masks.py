"""Hundreds of slices' masks in little memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np


class Masks(Mapping[int, np.ndarray]):
    """(rows, columns) bool masks by slice, each made when it is asked for.

    Of each only the box is kept in which it was drawn, eight pixels to a byte: whole, those of a full grid are
    gigabytes, and giving them back takes the system a tenth of a second.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._boxes: dict[int, list[tuple[tuple[slice, slice], np.ndarray]]] = {}

    def add(self, slice_index: int, part: np.ndarray, row: int, column: int) -> None:
        """What is True in `part`, whose first pixel lies at (`row`, `column`), beside what the slice has already."""
        box = slice(row, row + part.shape[0]), slice(column, column + part.shape[1])
        self._boxes.setdefault(slice_index, []).append((box, np.packbits(part, axis=1)))

    def __getitem__(self, slice_index: int) -> np.ndarray:
        mask = np.zeros(self._shape, bool)
        for box, packed in self._boxes[slice_index]:
            mask[box] |= np.unpackbits(packed, axis=1, count=box[1].stop - box[1].start).view(bool)
        return mask

    def __iter__(self) -> Iterator[int]:
        return iter(self._boxes)

    def __len__(self) -> int:
        return len(self._boxes)
