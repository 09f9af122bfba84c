"""What client and worker say to each other: JSON objects, one a line, in UTF-8."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LONGEST_LINE = 4 << 20  # bytes; a summary with the confidence of a thousand slices stays far below
SHOWN_OF_GARBAGE = 500  # characters

FILE = "file"  # a plain name in the job's folder
NUMBER = (int, float, type(None))  # None: a number that was not finite
REQUIRED: dict[str, dict[str, type | tuple[type, ...] | str]] = {
    "ready": {"version": str, "pid": int, "python": str},
    "stage": {"name": str, "text": str},
    "progress": {"fraction": NUMBER},
    "preview": {"file": FILE, "strides": list, "step": int},
    "result": {"labels": FILE, "summary": dict},
    "failed": {"message": str, "details": str},
    "cancelled": {},
    "log": {"level": str, "text": str},
}
FINAL = frozenset({"result", "failed", "cancelled"})


@dataclass(frozen=True)
class Event:
    """One line of the worker: `name` is a key of REQUIRED, `data` holds at least that event's fields."""

    name: str
    job: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Whether the job is over with this event."""
        return self.name in FINAL

    def line(self) -> bytes:
        """As it travels."""
        head = {"event": self.name} | ({"job": self.job} if self.job else {})
        return encode(head | self.data)


def log(text: str, level: str = "info") -> Event:
    """A `log` event."""
    return Event("log", data={"level": level, "text": text})


def failed(job: str, message: str, details: str = "", kind: str = "fault") -> Event:
    """A `failed` event: `message` is a sentence for a clinician, `details` are for whoever mends it.

    `kind` is "input" where what the user gave is unusable, else "fault".
    """
    return Event("failed", job, {"message": message, "details": details, "kind": kind})


class LineSplitter:
    """Bytes in chunks of any size in, whole lines out; a line longer than LONGEST_LINE is dropped."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[str]:
        """Lines that `chunk` completes, without their ends and without empty ones."""
        self._rest += chunk
        *lines, rest = self._rest.split(b"\n")
        self._rest = rest if len(rest) <= LONGEST_LINE else bytearray()
        return [text for line in lines if (text := line.decode("utf-8", errors="replace").strip())]


def encode(message: Mapping[str, Any]) -> bytes:
    """One JSON line; numbers that are not finite become null, numpy's scalars and arrays become JSON's."""
    return json.dumps(jsonable(message), allow_nan=False).encode("ascii") + b"\n"


def jsonable(value: Any) -> Any:
    """A copy that strict JSON can hold; what has no counterpart becomes its text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.generic | np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    return str(value)


def parse_event(line: str) -> Event:
    """The event of a line; anything else, such as a library's chatter, becomes a `log` event."""
    message = _object(line)
    name = message.pop("event", None)
    wanted = REQUIRED.get(name) if isinstance(name, str) else None
    if wanted is None or not all(_is(kind, message.get(key, ...)) for key, kind in wanted.items()):
        return log(f"not understood: {line[:SHOWN_OF_GARBAGE]}", "warning")
    return Event(name, str(message.pop("job", "")), message)


def parse_request(line: str) -> dict[str, str] | None:
    """The request of a line (all its values are text), or None if it is not one."""
    message = _object(line)
    if message.get("request") not in ("propagate", "stop", "cancel", "shutdown"):
        return None
    needed = {"propagate": ("job", "folder"), "shutdown": ()}.get(message["request"], ("job",))
    return message if all(isinstance(message.get(key), str) for key in needed) else None


def _is(kind: type | tuple[type, ...] | str, value: Any) -> bool:
    if kind == FILE:
        return isinstance(value, str) and not set(value) & set("/\\:")
    return isinstance(value, kind)


def _object(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
