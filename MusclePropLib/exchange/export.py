"""A result in the form that the ending of a file name asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from MusclePropLib.core.annotations import is_not_muscle
from MusclePropLib.core.drawings import with_filled_tags
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import distinct, replacing
from MusclePropLib.core.measurements.placed import on_grid, place
from MusclePropLib.core.measurements.recording import Recording
from MusclePropLib.core.measurements.tables import as_csv, slice_rows
from MusclePropLib.core.segmentation import SEG_NRRD, Segmentation, write_segmentation
from MusclePropLib.core.segments import without_not_muscle
from MusclePropLib.core.volumes import Volume

LABELS = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")
SURFACES = (".stl", ".obj")
ENDINGS = (*LABELS, *SURFACES, ".dcm", ".csv")


def ending(path: Path) -> str:
    """The one of ENDINGS that the file has; InputError if none, or if there is no such folder."""
    found = next((e for e in ENDINGS if path.name.lower().endswith(e)), None)
    if found is None:
        raise InputError(f"{path}: cannot write this kind of file; use one of {', '.join(ENDINGS)}")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no such folder")
    return found


def export(
    path: Path,
    segmentation: Segmentation,
    measured: Callable[[], Recording],
    volume: Volume | None = None,
) -> list[Path]:
    """Write the segmentation to `path`; returns the files written. Each is whole or not there.

    Label maps other than `.seg.nrrd` come with a legend, FILE.csv (such as leg.nii.gz.csv), beside them: Dafne reads
    both and puts the masks in place by the geometry. Only a `.seg.nrrd` says where no muscle is. Surfaces are one file
    a muscle, but for empty ones. `.dcm` refers to the DICOM series that `volume` was read from. `.csv` is the curves of
    `measured()`.
    """
    kind = ending(path)
    if kind not in (".csv", SEG_NRRD) and all(is_not_muscle(s.name, s.tags) for s in segmentation.segments):
        raise InputError(f"{segmentation.source}: no segment of it is a muscle; there is nothing to write to {path}")
    if kind == ".csv":
        return [_write_text(path, as_csv(slice_rows(measured())))]
    if kind in SURFACES:
        return _write_surfaces(path, kind, segmentation, volume)
    if kind == ".dcm":
        from MusclePropLib.exchange.dicom_seg import write_dicom_seg

        if volume is None:
            raise InputError(f"{path}: DICOM SEG has to refer to the DICOM series; give it with --image")
        write_dicom_seg(path, on_grid(segmentation, volume), Path(volume.source), even=volume.positions is None)
        return [path]
    if kind == SEG_NRRD:
        # Reading takes these tags off; without them a slice that is corrected in the file would not count as drawn.
        write_segmentation(path, with_filled_tags(segmentation))
        return [path]
    muscles = without_not_muscle(segmentation)
    write_segmentation(path, muscles)
    return [path, _write_text(Path(f"{path}.csv"), legend(muscles))]


def legend(segmentation: Segmentation) -> str:
    """Names of the label values in the form that Dafne reads: `Value,Label`, then a line for each."""
    values = [s.value for s in segmentation.segments]
    if len(set(values)) < len(values):
        values = list(range(1, len(values) + 1))  # as `write_segmentation` numbers them
    return as_csv({"Value": v, "Label": s.name} for v, s in zip(values, segmentation.segments, strict=True))


def _write_surfaces(path: Path, kind: str, segmentation: Segmentation, volume: Volume | None) -> list[Path]:
    from MusclePropLib.exchange.surfaces import surface, write_surface

    placed = place(segmentation, volume)
    muscles = [s for s in placed.segmentation.segments if not is_not_muscle(s.name, s.tags)]
    segments = [s for s in muscles if any((part == s.value).any() for part in placed.labels(s))]
    if not segments:
        raise InputError(f"{segmentation.source}: segment '{muscles[0].name}' is empty; it has no surface")
    names = [f"{path.name[: -len(kind)]}-{name}{kind}" for name in distinct([_file_name(s.name) for s in segments])]
    meshes = {}
    for segment, name in zip(segments, [path.name] if len(segments) == 1 else names, strict=True):
        meshes[path.with_name(name)] = surface(placed.labels(segment), segment.value, placed.stack)
    for file, mesh in meshes.items():
        write_surface(file, mesh)
    return list(meshes)


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def _write_text(path: Path, text: str) -> Path:
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path
