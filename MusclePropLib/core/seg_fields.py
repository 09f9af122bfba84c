"""The text fields by which Slicer describes segments, and the image they belong to, in a `.seg.nrrd` header.

`Segment<n>_Name`, `_ID`, `_Color`, `_Layer`, `_LabelValue`, `_Extent` and `_Tags`, the last a list `key:value|` in
which nothing is escaped: a `|` inside a value would cut it short on reading, in Slicer too. Such a tag is refused
here rather than damaged. (https://slicer.readthedocs.io, "Segmentations" developer page)

The image's grid is one of the `Segmentation_ConversionParameters`, `name|value|description&`: a 4 x 4 matrix from the
index (i, j, k) to RAS millimetres, row by row, and the first and last index along i, j and k, all separated by `;`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry

REFERENCE_GRID = "Reference image geometry"
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_FIELD = re.compile(r"Segment(\d+)_(\w+)$")


def segment_fields(fields: Mapping[str, str]) -> list[dict[str, str]]:
    """The fields of each segment, by their name without `Segment<n>_`, in the order of n."""
    segments: dict[int, dict[str, str]] = {}
    for key, value in fields.items():
        if match := _FIELD.match(key):
            segments.setdefault(int(match[1]), {})[match[2]] = value
    return [segments[n] for n in sorted(segments)]


def parse_tags(text: str) -> dict[str, str]:
    """The tags of `key:value|key:value|`."""
    pairs = (item.split(":", 1) for item in text.split("|") if ":" in item)
    return {key.strip(): value for key, value in pairs}


def format_tags(tags: Mapping[str, str], segment: str) -> str:
    """The reverse of `parse_tags`; InputError for a tag that would not come back as it was."""
    for key, value in tags.items():
        if "|" in key + value or ":" in key or "\n" in key + value or not key:
            raise InputError(f"segment '{segment}': the tag '{key}' cannot be stored, because Slicer cuts tags at '|'")
    return "".join(f"{key}:{value}|" for key, value in tags.items())


def parse_color(text: str) -> tuple[float, float, float]:
    """Red, green and blue from 0 to 1."""
    red, green, blue = (float(v) for v in text.split())
    return red, green, blue


def parse_reference_grid(parameters: str) -> Geometry | None:
    """The grid of the image that the segments were drawn on, from the conversion parameters; None if not named."""
    fields = (parameter.split("|") for parameter in parameters.split("&"))
    value = next((field[1] for field in fields if field[0] == REFERENCE_GRID and len(field) > 1), "")
    numbers = [float(v) for v in value.split(";") if v.strip()]
    if len(numbers) != 22:
        return None
    low, high = np.array(numbers[16:], dtype=int).reshape(3, 2).T
    affine = RAS_FROM_LPS @ np.reshape(numbers[:16], (4, 4))
    affine[:, 3] = affine @ [*low, 1]
    return Geometry(tuple(high - low + 1)[::-1], affine[:, [2, 1, 0, 3]])


def format_reference_grid(geometry: Geometry) -> str:
    """The conversion parameters that name `geometry` as the image's grid."""
    matrix = RAS_FROM_LPS @ geometry.affine[:, [2, 1, 0, 3]]
    extent = [v for n in geometry.shape[::-1] for v in (0, n - 1)]
    numbers = ";".join([*(f"{v:.17g}" for v in matrix.ravel()), *map(str, extent)])
    return f"{REFERENCE_GRID}|{numbers};|Grid of the image that the segments were drawn on&"
