"""Cases on the working grid, on disk: read once, then used through memory maps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from MusclePropLib.core.annotations import SLICES_TAG, axis_of_gaps, extents, is_not_muscle, parse_slices_tag
from MusclePropLib.core.cohort.cases import Case
from MusclePropLib.core.cohort.frames import FrameGrid
from MusclePropLib.core.cohort.pairs import read_pair
from MusclePropLib.core.defaults import default_for_name, default_for_segment
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.images import image_files
from MusclePropLib.core.segments import Segment, Segmentation
from MusclePropLib.core.volumes import Volume, volume_files

FORMAT = 4
MOST_SEGMENTS = 15
NOT_MUSCLE_BIT = 15
_LOST_SHARE = 0.02


@dataclass(frozen=True)
class Reading:
    """How cases are read: the working grid, the slice axis (None finds it), whether the label maps are `complete`.

    In a plain label map an empty slice is unknown; in a complete one empty means absent. `names` are pairs of value and
    segment name for plain label maps.
    """

    grid: FrameGrid = field(default_factory=FrameGrid)
    axis: int | None = None
    complete: bool = False
    names: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """One case on the working grid.

    `images` (slices, rows, columns) float16 in 0 to 1 and `bits` uint16 of the same shape are memory maps: bit i of a
    pixel is set where segment `names[i]` was drawn, the last bit where `Not muscle` was. `known` (segments, slices) is
    true where the segment is drawn or absent. `positions` (slices,) are mm along the sweep, which is array `axis` of
    the image. Of a `complete` label map what it does not show is absent. `content` is a checksum of all of it: the same
    wherever the case lies.
    """

    case: Case
    names: tuple[str, ...]
    images: np.ndarray
    bits: np.ndarray
    known: np.ndarray
    positions: np.ndarray
    complete: bool = False
    axis: int = 0
    content: str = ""

    def knows(self, name: str) -> np.ndarray:
        """Slices (slices,) bool on which the segment is drawn or absent."""
        return self.known[self.names.index(name)] if name in self.names else np.full(len(self.images), self.complete)

    def mask(self, name: str) -> np.ndarray:
        """The segment's (slices, rows, columns) bool mask, in memory."""
        if name not in self.names:
            return np.zeros(self.bits.shape, bool)
        return (self.bits >> np.uint16(self.names.index(name)) & 1).astype(bool)

    def step(self, spacing: float) -> int:
        """How many slices on the next one is that lies about `spacing` mm, and at least one slice, away."""
        apart = float(np.median(np.abs(np.diff(self.positions))))
        return max(1, round(spacing / apart)) if apart > 0 else 1


def prepare(
    case: Case, reading: Reading, cache: Path, on_event: Callable[[dict], None] = lambda event: None
) -> PreparedCase:
    """Read a case, bring it onto the working grid and keep it in the folder `cache`; again, only map what is there.

    Raises InputError if a file is unusable, image and label map do not share a grid, there are too many segments, or no
    slice of any muscle is known.
    """
    folder = cache / f"{case.name}-{_digest(case, reading)}"
    if not (folder / "case.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _convert(case, reading, folder, on_event)
    head = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    images, bits = (np.load(folder / name, mmap_mode="r") for name in ("images.npy", "bits.npy"))
    known, positions = np.array(head["known"], bool), np.array(head["positions"])
    names, axis, content = tuple(head["names"]), head["axis"], head["content"]
    return PreparedCase(case, names, images, bits, known, positions, reading.complete, axis, content)


def usual_name(name: str) -> str:
    """Default muscles by their short name, however a file spells them."""
    muscle = default_for_name(name)
    return muscle.name if muscle else name


def _usual_names(segments: list[Segment]) -> list[str]:
    """Default muscles by their short name, found by terminology, too, where one segment only is that muscle."""
    found = [default_for_segment(segment.name, segment.tags) for segment in segments]
    pairs = zip(segments, found, strict=True)
    return [m.name if m and found.count(m) == 1 else usual_name(s.name) for s, m in pairs]


def _convert(case: Case, reading: Reading, folder: Path, on_event: Callable[[dict], None]) -> None:
    volume, segmentation = read_pair(case, dict(reading.names))
    if len(segmentation.segments) > MOST_SEGMENTS:
        raise InputError(
            f"{case.labels}: {len(segmentation.segments)} segments; at most {MOST_SEGMENTS} can be trained on"
        )
    tags = [_tagged_slices(segment, case) for segment in segmentation.segments]
    axis, filled = _axis(segmentation, tags, reading.axis)
    volume = volume.along(axis)
    drawn, known = _states(filled, tags, reading.complete)
    muscles = [i for i, segment in enumerate(segmentation.segments) if not is_not_muscle(segment.name, segment.tags)]
    names = _usual_names([segmentation.segments[i] for i in muscles])
    if len(set(names)) < len(names):
        raise InputError(f"{case.labels}: two segments of the same name ({', '.join(sorted(names))})")
    if not known[muscles].any():
        raise InputError(f"{case.labels}: no muscle is drawn on any slice")
    _write_images(volume, reading.grid, folder / "images.npy")
    lost = _write_bits(segmentation, axis, drawn, volume.geometry.spacing[1:], reading.grid, folder / "bits.npy")
    if lost > _LOST_SHARE:
        text = f"{case.name}: {lost:.0%} of what was drawn lies outside the working frame; give a larger --size"
        on_event({"event": "log", "level": "warning", "text": text})
    head = {
        "names": names,
        "known": known[muscles].tolist(),
        "positions": volume.slice_positions().tolist(),
        "axis": axis,
    }
    head["content"] = _content(head, folder)
    # Last, so that its presence says that the case is whole.
    with replacing(folder / "case.json") as part:
        part.write_text(json.dumps(head), encoding="utf-8")


def _write_images(volume: Volume, grid: FrameGrid, path: Path) -> None:
    """Grey values between the volume's percentiles .5 and 99.5 become 0 to 1."""
    step = max(1, len(volume.array) // 32)
    low, high = np.percentile(volume.array[::step, ::2, ::2], (0.5, 99.5))
    shape = (len(volume.array), grid.rows, grid.columns)
    with replacing(path) as part:
        stack = np.lib.format.open_memmap(part, "w+", np.float16, shape)
        for t, frame in enumerate(volume.array):
            scaled = (frame.astype(np.float32) - low) / max(high - low, 1e-6)
            stack[t] = grid.image(scaled.clip(0, 1), volume.geometry.spacing[1:])
        stack.flush()
        del stack  # Windows renames no file that is mapped


def _write_bits(
    segmentation: Segmentation,
    axis: int,
    drawn: np.ndarray,
    pixel: tuple[float, float],
    grid: FrameGrid,
    path: Path,
) -> float:
    """Write the drawn masks; returns the largest share of a segment's area that the grid cuts off."""
    layers = [np.moveaxis(layer, axis, 0) for layer in segmentation.layers]
    bit = _bit_numbers(segmentation.segments)
    areas = np.zeros((len(bit), 2))
    with replacing(path) as part:
        stack = np.lib.format.open_memmap(part, "w+", np.uint16, (drawn.shape[1], grid.rows, grid.columns))
        for t in range(drawn.shape[1]):
            for i in np.flatnonzero(drawn[:, t]):
                segment = segmentation.segments[i]
                whole = layers[segment.layer][t] == segment.value
                mask = grid.mask(whole, pixel)
                stack[t] |= mask.astype(np.uint16) << np.uint16(bit[i])
                areas[i] += whole.sum() * pixel[0] * pixel[1], mask.sum() * grid.spacing**2
        stack.flush()
        del stack  # Windows renames no file that is mapped
    return float((1 - areas[:, 1] / areas[:, 0].clip(1e-6)).max(initial=0.0))


def _bit_numbers(segments: list[Segment]) -> list[int]:
    muscles = iter(range(MOST_SEGMENTS))
    return [NOT_MUSCLE_BIT if is_not_muscle(segment.name, segment.tags) else next(muscles) for segment in segments]


def _tagged_slices(segment: Segment, case: Case) -> tuple[int, set[int], set[int]] | None:
    value = segment.tags.get(SLICES_TAG)
    return parse_slices_tag(value, f"{case.labels}, segment '{segment.name}'") if value else None


def _axis(segmentation: Segmentation, tags: list, wanted: int | None) -> tuple[int, np.ndarray]:
    """The slice axis of the stored arrays, and which slices along it each segment fills (segments, slices)."""
    profiles = [extents(segmentation.layers[s.layer], s.value) for s in segmentation.segments]
    named = {tag[0] for tag in tags if tag} | (set() if wanted is None else {wanted})
    if len(named) > 1:
        raise InputError(f"{segmentation.source}: drawn along another axis than that asked for (axes {sorted(named)})")
    axis = named.pop() if named else axis_of_gaps(profiles)
    return axis, np.stack([profile[axis] for profile in profiles])


def _states(filled: np.ndarray, tags: list, complete: bool) -> tuple[np.ndarray, np.ndarray]:
    """Drawn and known slices, both (segments, slices)."""
    drawn, known = filled.copy(), filled | complete
    for i, tag in enumerate(tags):
        if tag:
            drawn[i] &= np.isin(np.arange(filled.shape[1]), list(tag[1]))
            known[i] = drawn[i] | np.isin(np.arange(filled.shape[1]), list(tag[2]))
    return drawn, known


def _content(head: dict, folder: Path) -> str:
    told = hashlib.sha256(json.dumps(head).encode())
    for name in ("images.npy", "bits.npy"):
        with (folder / name).open("rb") as file:
            told.update(hashlib.file_digest(file, "sha256").digest())
    return told.hexdigest()[:16]


def _digest(case: Case, reading: Reading) -> str:
    """Changes when the files, or what is made of them, change."""
    state = [FORMAT, asdict(reading)]
    for path in (*volume_files(case.image), *image_files(case.labels)):
        found = path.stat()
        state.append([str(path.resolve()), found.st_size, found.st_mtime_ns])
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:12]
