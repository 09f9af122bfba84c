"""One propagation as a folder of files: what the client sends and what the worker sends back.

`job.json` (id, shape, affine, axis, positions, settings, afresh), `image.npy` (slices first) and `annotations.npz` go
in; `preview-NNN.npy`, `result.npy` (uint8 labels) and `result.json` come out.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import shutil
import tempfile
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from MusclePropLib.core.annotations import Annotations, annotations_written, load_annotations
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.steps import Steps, advance, array_written, slabs
from MusclePropLib.core.volumes import Volume
from MusclePropLib.jobs.protocol import jsonable

FOLDER_PREFIX = "muscleprop-job-"
RESULT = "result.npy"
LEFT_OVER_SECONDS = 24 * 3600.0


class JobError(Exception):
    """What came back from the worker is not a result; the message says why."""


@dataclass(frozen=True)
class Job:
    """A written job: `shape` is (slices, rows, columns), `muscles` their names in the order of the labels 1, 2, ...

    In a `with` statement the folder is deleted at the end. By then nobody may map its files any more, for Windows would
    keep them; what has failed lets go of them by itself.
    """

    id: str
    folder: Path
    shape: tuple[int, int, int]
    muscles: tuple[str, ...]

    def __enter__(self) -> Job:
        return self

    def __exit__(self, kind: object, fault: BaseException | None, trace: TracebackType | None) -> None:
        traceback.clear_frames(trace)  # the locals of what has failed live as long as the fault
        self.remove()

    def remove(self) -> None:
        """Delete the folder with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Result:
    """`labels`: uint8 (slices, rows, columns), value i + 1 = muscle i, mapped from the file and not read into memory.
    Writing to them changes no file (copy on write).

    `summary`: what `Propagation.summary()` gave.
    """

    labels: np.ndarray
    summary: dict[str, Any]


class JobWriter:
    """Writes a job into a new private folder under `parent` (by default the system's temporary folder), bit by bit.

    `volume` has its slices first; no second copy of it is made, and it is not needed once all is written. A job
    `afresh` takes nothing over from the worker's last one; any other goes on from its networks if they know the volume.
    Raises InputError if the annotation does not fit the volume or the disk is too full. An error leaves no folder.
    """

    def __init__(
        self,
        volume: Volume,
        annotations: Annotations,
        settings: Mapping[str, Any],
        parent: Path | None = None,
        afresh: bool = False,
    ) -> None:
        self.job = _new_job(volume, annotations, Path(parent or tempfile.gettempdir()))
        self._steps = _written(self.job, volume, annotations, _head(self.job, volume, settings, afresh))

    def step(self, seconds: float) -> bool:
        """Go on writing for about so long; True when the job is whole."""
        try:
            return advance(self._steps, seconds)
        except BaseException:
            self.abort()
            raise

    def close(self) -> None:
        """Write no more; what has been written stays."""
        self._steps.close()

    def abort(self) -> None:
        """Give it up."""
        self.close()
        self.job.remove()


def write_job(
    volume: Volume,
    annotations: Annotations,
    settings: Mapping[str, Any],
    parent: Path | None = None,
    afresh: bool = False,
) -> Job:
    """Write a job in one go; see JobWriter."""
    writer = JobWriter(volume, annotations, settings, parent, afresh)
    writer.step(math.inf)
    return writer.job


def _new_job(volume: Volume, annotations: Annotations, parent: Path) -> Job:
    if annotations.shape != volume.array.shape:
        raise InputError(f"{volume.source or 'the volume'}: the annotation lies on a grid of another size")
    clean_left_overs(parent)
    _check_space(parent, volume.array.nbytes + volume.array.size)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=parent))
    return Job(uuid.uuid4().hex[:12], folder, annotations.shape, tuple(m.name for m in annotations.muscles))


def _written(job: Job, volume: Volume, annotations: Annotations, head: Mapping[str, Any]) -> Steps:
    with (job.folder / "image.npy").open("wb") as stream:
        yield from array_written(stream, volume.array)
    yield from annotations_written(annotations, job.folder / "annotations.npz")
    (job.folder / "job.json").write_text(json.dumps(head), encoding="utf-8")


def read_job(folder: Path) -> tuple[Volume, Annotations, dict[str, Any]]:
    """Volume (mapped from the file), annotations and settings of a job; the worker's side of `write_job`."""
    head = _read_head(folder)
    array = np.load(folder / "image.npy", mmap_mode="r", allow_pickle=False)
    geometry = Geometry(tuple(head["shape"]), np.array(head["affine"]))
    positions = None if head["positions"] is None else np.array(head["positions"], dtype=float)
    volume = Volume(array, geometry, positions, head["axis"], head["source"])
    return volume, load_annotations(folder / "annotations.npz"), head["settings"]


def begins_afresh(folder: Path) -> bool:
    """Whether the job takes nothing over from the one before; those written before there was a choice go on."""
    return bool(_read_head(folder).get("afresh", False))


def release_pages(volume: Volume) -> None:
    """Let the system have the pages of a mapped volume back; they are read again from the file when needed.

    Without it, a process that has looked at all of a volume once seems to need that much memory until it ends.
    """
    mapping = getattr(volume.array, "_mmap", None)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def write_result(folder: Path, labels: np.ndarray, summary: Mapping[str, Any]) -> None:
    """Write `result.npy` and `result.json`, each under a temporary name first."""
    write_array(folder / RESULT, labels)
    with replacing(folder / "result.json") as part:
        part.write_text(json.dumps(jsonable(summary), allow_nan=False), encoding="utf-8")


def write_array(path: Path, array: np.ndarray) -> None:
    """A `.npy` file that appears only when it is whole."""
    with replacing(path) as part, part.open("wb") as stream:
        for _ in array_written(stream, array):
            pass


def read_result(job: Job) -> Result:
    """The worker's result, checked as `check_result` does. Raises JobError with the reason."""
    for _ in check_result(job):
        pass
    return _open_result(job)


def check_result(job: Job) -> Steps:
    """Whether there is a result: uint8 labels of the volume's shape that name only the job's muscles, and a summary.

    Labels are looked through slab by slab, a step each, without keeping them in memory. Raises JobError.
    """
    result = _open_result(job)
    if not isinstance(result.summary, dict):
        raise JobError("the summary of the result is damaged")
    labels = result.labels
    if labels.dtype != np.uint8 or labels.shape != job.shape:
        raise JobError(f"the result is {labels.dtype} {labels.shape} instead of uint8 {job.shape}")
    for slab in slabs(labels):
        highest = int(np.load(job.folder / RESULT, mmap_mode="r")[slab].max(initial=0))
        if highest > len(job.muscles):
            raise JobError(f"the result holds label {highest}, but there are {len(job.muscles)} muscles")
        yield


def _open_result(job: Job) -> Result:
    try:
        labels = np.load(job.folder / RESULT, mmap_mode="c", allow_pickle=False)
        return Result(labels, json.loads((job.folder / "result.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, EOFError) as fault:
        raise JobError(f"the result could not be read ({fault})") from fault


def clean_left_overs(parent: Path, older_than: float = LEFT_OVER_SECONDS) -> None:
    """Delete job folders under `parent` that nothing was written to for `older_than` seconds: their session died."""
    for folder in parent.glob(f"{FOLDER_PREFIX}*"):
        try:
            if folder.is_symlink() or not folder.is_dir():
                continue
            newest = max(item.stat().st_mtime for item in (folder, *folder.iterdir()))
            if time.time() - newest > older_than:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # another user's, or going away just now
            continue


def _read_head(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "job.json").read_text(encoding="utf-8"))


def _head(job: Job, volume: Volume, settings: Mapping[str, Any], afresh: bool) -> dict[str, Any]:
    return {
        "id": job.id,
        "shape": list(job.shape),
        "affine": volume.geometry.affine.tolist(),
        "axis": volume.axis,
        "positions": None if volume.positions is None else [float(p) for p in volume.positions],
        "source": volume.source,
        "settings": jsonable(settings),
        "afresh": afresh,
    }


def _check_space(parent: Path, needed: int) -> None:
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise InputError(
            f"{parent}: {needed / 1e9:.1f} GB are needed for temporary files, only {free / 1e9:.1f} GB are free; "
            f"set {'TEMP' if os.name == 'nt' else 'TMPDIR'} to a folder on a larger disk"
        )
