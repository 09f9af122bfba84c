"""Segmentation files, and what the expert drew in them.

SimpleITK alone does it. slicerio 1.4, the library for `.seg.nrrd`, was tried and not taken: it works through pynrrd,
which drops every character outside ASCII on reading and fails on it when writing (a segment named "Müller"), it stops
at tags that Slicer has cut at a `|`, it holds the voxels twice, and it does not come with Slicer's Python. SimpleITK
does, keeps all header fields as they are, and lends the voxels without a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from MusclePropLib.core import dicom, images
from MusclePropLib.core.annotations import (
    SLICES_TAG,
    Annotations,
    MuscleAnnotation,
    Profiles,
    axis_of_gaps,
    extents,
    is_not_muscle,
    parse_slices_tag,
    slices_tag,
)
from MusclePropLib.core.drawings import FILLED_TAG, filled_tag, with_filled_slices_named
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.seg_fields import (
    format_reference_grid,
    format_tags,
    parse_color,
    parse_reference_grid,
    parse_tags,
    segment_fields,
)
from MusclePropLib.core.segments import (
    MAX_LABELS,
    Segment,
    Segmentation,
    segmentation_from_labels,
    segmentation_from_masks,
    segmentation_from_slices,
    with_not_muscle,
)

__all__ = [
    "Segment",
    "Segmentation",
    "annotations_from_segmentation",
    "read_segmentation",
    "segmentation_from_annotations",
    "segmentation_from_labels",
    "segmentation_from_masks",
    "segmentation_from_slices",
    "write_segmentation",
]

SEG_NRRD = ".seg.nrrd"
CONVERSION_PARAMETERS = "Segmentation_ConversionParameters"
Pick = Callable[[np.ndarray], Iterable[int]]


def read_segmentation(path: str | Path, names: Mapping[int, str] | None = None) -> Segmentation:
    """Read a `.seg.nrrd` or a plain label map of any image format.

    A `.seg.nrrd` may hold only the part of the image's grid that has segments; here it is whole again.
    In a label map every value but 0 is a segment, named by `names`, else by the Leg-3D-US values if there are no
    others, else `Segment_<value>`. Raises InputError if the file is missing, no label map, a DICOM SEG, or has no
    segment.
    """
    path = Path(path)
    reader = images.open_image(path)
    dicom.refuse_segmentation(reader, path)
    header = images.metadata(reader)
    fields = segment_fields(header)
    images.drop_single_axis(reader, path)
    if reader.GetNumberOfComponents() > 1 and not fields:
        raise InputError(f"{path}: {reader.GetNumberOfComponents()} values per voxel; this is not a label map")
    image = images.load_pixels(reader, path)
    array, geometry = images.array_of(image), images.geometry_of(image)
    if not fields:
        return segmentation_from_labels(array, geometry, names=names, source=str(path))
    layers = [array] if array.ndim == 3 else [array[..., layer] for layer in range(array.shape[3])]
    segments = [_segment(item, n, len(layers), path) for n, item in enumerate(fields)]
    whole = parse_reference_grid(header.get(CONVERSION_PARAMETERS, ""))
    segmentation = Segmentation(geometry, layers, segments, str(path))
    return with_filled_slices_named(segmentation if whole is None else segmentation.restored_to(whole))


def write_segmentation(path: str | Path, segmentation: Segmentation) -> None:
    """Write `.seg.nrrd` (Slicer's, with names, colours and tags) or, by any other ending, a plain label map.

    Raises InputError, and leaves no file, if a tag cannot be stored or if segments overlap in a plain label map.
    """
    path = Path(path)
    if not path.name.lower().endswith(SEG_NRRD):
        images.save_image(images.image_of(_flat(segmentation, path), segmentation.geometry), path)
        return
    fields = _header(segmentation)
    layers = segmentation.layers
    image = images.image_of(layers[0] if len(layers) == 1 else np.stack(layers, axis=-1), segmentation.geometry)
    for key, value in fields.items():
        image.SetMetaData(key, value)
    images.save_image(image, path, _call_layers_a_list)


def annotations_from_segmentation(
    segmentation: Segmentation, axis: str | int = "auto", source: str = "", pick: Pick | None = None
) -> Annotations:
    """What the expert has said, slices first; only the drawn slices are copied.

    A segment with the tag `MuscleProp.Slices` is drawn and absent where the tag says; without it, its non-empty
    slices are drawn and the rest unknown. `axis` "auto" is the tags' axis, else the one along which the segments are
    sparse. `pick` chooses among the drawn slices (sorted indices) those to keep. Segments that are drawn nowhere say
    nothing and are left out. Slices count on the segmentation's grid: bring it onto the image's with `resampled_to`
    first. Raises InputError if nothing is drawn or if the tags speak of another axis or of empty slices only.
    """
    source = source or segmentation.source or "the segmentation"
    tags = [_slices(segment, source) for segment in segmentation.segments]
    filled = [extents(segmentation.layers[s.layer], s.value) for s in segmentation.segments]
    # A tag that says nothing, as of a segment that was emptied, binds nobody to its axis.
    named = {tag[0] for tag, profiles in zip(tags, filled, strict=True) if tag and (tag[2] or profiles[0].any())}
    chosen = _axis(axis, named, filled, source)
    annotations = Annotations(segmentation.geometry.moved(chosen).shape, [], axis=chosen)
    for segment, tag, profiles in zip(segmentation.segments, tags, filled, strict=True):
        slices = np.flatnonzero(profiles[chosen])
        if tag:
            slices = _confirmed(slices, tag[1], f"{source}: segment '{segment.name}'")
        drawn = _masks(segmentation, segment, pick(slices) if pick and len(slices) else slices, chosen)
        if is_not_muscle(segment.name, segment.tags):
            for t, mask in drawn.items():
                annotations.not_muscle[t] = annotations.not_muscle.get(t, False) | mask
        elif drawn:
            absent = frozenset(tag[2] - set(drawn)) if tag else frozenset()
            annotations.muscles.append(MuscleAnnotation(segment.name, drawn, absent, segment.color, dict(segment.tags)))
    annotations.validate(source)
    return annotations


def segmentation_from_annotations(annotations: Annotations, geometry: Geometry, source: str = "") -> Segmentation:
    """The annotations as segments, tagged with their states, on the *stored* grid `geometry`.

    They say that nothing is filled: a slice that somebody adds is drawn.
    """
    if geometry.moved(annotations.axis).shape != annotations.shape:
        raise ValueError(f"annotations of shape {annotations.shape} do not fit a grid of shape {geometry.shape}")
    axis, muscles = annotations.axis, annotations.muscles
    tags = ({SLICES_TAG: slices_tag(m, axis), FILLED_TAG: filled_tag({})} for m in muscles)
    segments = [Segment(m.name, m.color, m.tags | own) for m, own in zip(muscles, tags, strict=True)]
    drawn = segmentation_from_slices([m.drawn for m in muscles], axis, geometry, segments, source)
    return with_not_muscle(drawn, annotations)


def _slices(segment: Segment, source: str) -> tuple[int, set[int], set[int]] | None:
    value = segment.tags.get(SLICES_TAG)
    return parse_slices_tag(value, f"{source}, segment '{segment.name}'") if value else None


def _confirmed(filled: np.ndarray, tagged: set[int], what: str) -> np.ndarray:
    """The filled slices that the tag calls drawn; a few may have been erased since, but not all."""
    drawn = filled[np.isin(filled, sorted(tagged))]
    if tagged and len(filled) and not len(drawn):
        raise InputError(f"{what} is empty on all slices that its tag calls drawn; is this the image it was drawn on?")
    return drawn


def _axis(wanted: str | int, tagged: set[int], filled: list[Profiles], source: str) -> int:
    if wanted != "auto":
        tagged = tagged | {int(wanted)}
    if len(tagged) > 1:
        raise InputError(f"{source}: its slices were drawn along another axis ({sorted(tagged)} are named)")
    return tagged.pop() if tagged else axis_of_gaps(filled)


def _masks(segmentation: Segmentation, segment: Segment, slices: Iterable[int], axis: int) -> dict[int, np.ndarray]:
    layer = np.moveaxis(segmentation.layers[segment.layer], axis, 0)
    return {int(t): np.ascontiguousarray(layer[t] == segment.value) for t in slices}


def _segment(item: Mapping[str, str], number: int, layers: int, path: Path) -> Segment:
    """One segment of a header; files of before Slicer 4.11 have neither layer nor value: one component each."""
    try:
        layer = int(item.get("Layer", number if layers > 1 else 0))
        value = int(item.get("LabelValue", 1))
        color = parse_color(item.get("Color", "0.5 0.5 0.5"))
    except ValueError as fault:
        raise InputError(f"{path}: the description of segment {number} is damaged ({fault})") from fault
    if not 0 <= layer < layers:
        raise InputError(f"{path}: segment {number} is in layer {layer}, but there are {layers}")
    name = item.get("Name", f"Segment_{number + 1}")
    return Segment(name, color, parse_tags(item.get("Tags", "")), layer, value, item.get("ID", ""))


def _call_layers_a_list(path: Path) -> None:
    """Layers are a NRRD axis of the kind `list`; ITK can only write `vector`, which Slicer takes but slicerio does not.

    The kinds stand in front of all text, and the line keeps its length, so the voxels stay where they are.
    """
    with path.open("r+b") as file:
        start = file.read(1024)
        at = start.find(b"\nkinds: vector ")
        if at >= 0:
            file.seek(at + len(b"\nkinds: "))
            file.write(b"list  ")


def _header(segmentation: Segmentation) -> dict[str, str]:
    """The `.seg.nrrd` fields; every segment's extent is the whole grid, which is what is stored."""
    i, j, k = (n - 1 for n in segmentation.geometry.shape[::-1])
    fields = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        CONVERSION_PARAMETERS: format_reference_grid(segmentation.geometry),
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    for n, segment in enumerate(segmentation.segments):
        values = {
            "ID": segment.id or f"Segment_{n + 1}",
            "Name": segment.name,
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{c:.6g}" for c in segment.color),
            "ColorAutoGenerated": "0",
            "Extent": f"0 {i} 0 {j} 0 {k}",
            "LabelValue": str(segment.value),
            "Layer": str(segment.layer),
            "Tags": format_tags(segment.tags, segment.name),
        }
        fields |= {f"Segment{n}_{key}": value for key, value in values.items()}
    return fields


def _flat(segmentation: Segmentation, path: Path) -> np.ndarray:
    """All segments in one label map, values as they are if distinct, else 1, 2, ... InputError if any overlap."""
    if len(segmentation.layers) == 1:
        return segmentation.layers[0]
    values = [s.value for s in segmentation.segments]
    if len(set(values)) < len(values):
        values = list(range(1, len(values) + 1))
    flat = np.zeros(segmentation.geometry.shape, np.uint8 if max(values) <= MAX_LABELS else np.uint16)
    for segment, value in zip(segmentation.segments, values, strict=True):
        for source, target in zip(segmentation.layers[segment.layer], flat, strict=True):
            mask = source == segment.value
            if target[mask].any():
                raise InputError(f"{path}: segment '{segment.name}' overlaps another; write {SEG_NRRD} instead")
            target[mask] = value
    return flat
