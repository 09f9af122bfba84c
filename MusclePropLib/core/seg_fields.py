"""The text fields by which Slicer describes segments in a `.seg.nrrd` header.

`Segment<n>_Name`, `_ID`, `_Color`, `_Layer`, `_LabelValue`, `_Extent` and `_Tags`, the last a list `key:value|` in
which nothing is escaped: a `|` inside a value would cut it short on reading, in Slicer too. Such a tag is refused
here rather than damaged. (https://slicer.readthedocs.io, "Segmentations" developer page)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from MusclePropLib.core.errors import InputError

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
