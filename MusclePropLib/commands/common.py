"""What the commands share: progress on a terminal or in a log, checks before work begins, output for machines."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import check_name, replacing
from MusclePropLib.jobs.protocol import Event, jsonable

if TYPE_CHECKING:
    from MusclePropLib.core.annotations import Annotations

SEGMENTATION_ENDINGS = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")
IMAGE_ENDINGS = (
    *(".nrrd", ".nii.gz", ".nii", ".mha", ".mhd", ".nhdr", ".hdr", ".igs.mha", ".igs.nrrd"),
    *(".dcm", ""),  # the last: a DICOM series' folder
)
PLAIN_LINE_SECONDS = 10.0


class CommandFailed(Exception):
    """The command could not do its work, through no fault of its input; the message is printed, exit status 1."""


def print_json(value: Mapping[str, Any]) -> None:
    """One strict JSON object on stdout."""
    print(json.dumps(jsonable(value), allow_nan=False, indent=2))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """The same in a file, whole or not at all."""
    write_text(path, json.dumps(jsonable(value), allow_nan=False, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all; it may tell of file names that are not valid UTF-8."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def check_output(path: Path, inputs: Iterable[Path] = ()) -> None:
    """InputError unless a segmentation can be written to `path` and overwrites none of `inputs`.

    Found out here, and not when everything is computed.
    """
    from MusclePropLib.core.images import check_ending

    check_name(path)
    check_ending(path, SEGMENTATION_ENDINGS)
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no such folder")
    if path.is_dir():
        raise InputError(f"{path}: there is a folder of that name")
    check_folder(path.parent)
    if any(path.resolve() == given.resolve() for given in inputs):
        raise InputError(f"{path}: the output would overwrite an input")


def holds_names(output: Path) -> bool:
    """Whether the output's format has room for names and layers, and not for label values alone."""
    from MusclePropLib.core.segmentation import SEG_NRRD

    return output.name.lower().endswith(SEG_NRRD)


def check_holds(output: Path, annotations: Annotations, source: Path) -> None:
    """InputError if muscles drawn in `source` overlap and the output's format cannot hold that."""
    from MusclePropLib.core.overlaps import overlapping
    from MusclePropLib.core.segmentation import SEG_NRRD

    if not holds_names(output) and overlapping(annotations):
        raise InputError(f"{source}: drawn muscles overlap, which only a {SEG_NRRD} can hold as output")


def check_folder(path: Path) -> None:
    """InputError if `path` is not a folder and cannot become one, or nothing can be written to it."""
    existing = next(p for p in (path, *path.resolve().parents) if p.exists())
    if not existing.is_dir():
        raise InputError(f"{path}: there is a file of that name where a folder is needed")
    if not os.access(existing, os.W_OK):
        raise InputError(f"{path}: nothing can be written to this folder")


def check_seed(seed: int) -> None:
    """InputError unless numpy and torch take the number as a seed."""
    if not 0 <= seed < 1 << 63:
        raise InputError(f"--seed {seed}: from 0 to 2^63 - 1 is needed")


def check_time_limit(seconds: float) -> None:
    """InputError for infinity, which no job can be told; `Settings` refuses what is not positive."""
    if seconds == math.inf:
        raise InputError("--time-limit: a number of seconds is needed, however large")


def check_weights_name(path: Path) -> None:
    """InputError if weights cannot be written under this name, before a long training finds out."""
    if path.suffix != ".safetensors" or not path.parent.is_dir():
        raise InputError(f"{path}: weights need a name that ends with .safetensors, in a folder that exists")
    check_folder(path.parent)


class Progress:
    """Shows a job's events on stderr: a bar on a terminal, otherwise a line at each stage and now and then.

    `prefix` stands before every line.
    """

    def __init__(self, prefix: str = "", stream: TextIO | None = None) -> None:
        self._prefix = prefix
        self._stream = stream or sys.stderr
        self._bar = self._make_bar() if self._stream.isatty() else None
        self._stage = ""
        self._last_line = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.name == "stage":
            self._show_stage(event.data["text"] or event.data["name"])
        elif event.name == "progress":
            self._show_progress(event.data)
        elif event.name == "log":
            self._line(event.data["text"])

    def _make_bar(self) -> Any:
        from tqdm import tqdm

        form = "{desc} {percentage:3.0f}%|{bar:30}| {elapsed}{postfix}"
        return tqdm(total=1.0, file=self._stream, bar_format=form, desc=f"{self._prefix}Starting", leave=False)

    def _show_stage(self, text: str) -> None:
        self._stage = text
        if self._bar is None:
            self._line(text)
        else:
            self._bar.set_description_str(self._prefix + text)

    def _show_progress(self, data: Mapping[str, Any]) -> None:
        fraction = min(max(data["fraction"] or 0.0, 0.0), 1.0)
        if self._bar is not None:
            self._bar.n = fraction
            self._bar.set_postfix_str(_figures(data))
        elif time.monotonic() - self._last_line >= PLAIN_LINE_SECONDS:
            self._line(f"{self._stage} {fraction:.0%} {_figures(data)}".rstrip())

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        if self._bar is None:
            print(self._prefix + text, file=self._stream, flush=True)
        else:
            self._bar.write(self._prefix + text, file=self._stream)


def _figures(data: Mapping[str, Any]) -> str:
    """Loss, self-estimate and the time left, as far as they are known."""
    parts = []
    if data.get("loss") is not None:
        parts.append(f"loss {data['loss']:.3f}")
    estimate = [f"{name} {dice:.2f}" for name, dice in (data.get("estimate") or {}).items() if dice is not None]
    if estimate:
        parts.append(f"estimated Dice {' '.join(estimate)}")
    if data.get("seconds_left") is not None:
        parts.append(f"{data['seconds_left']:.0f} s left")
    return ", ".join(parts)
