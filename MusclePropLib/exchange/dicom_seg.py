"""A segmentation as a DICOM SEG object that refers to the series it was drawn on (DICOM PS3.3, A.51)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from MusclePropLib import __version__
from MusclePropLib.core import dicom
from MusclePropLib.core.annotations import is_not_muscle
from MusclePropLib.core.dicom_frames import placed_frames
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.files import replacing
from MusclePropLib.core.segments import Segment, Segmentation

MUSCLE = "SCT^71616004^Muscle"
BODY_STRUCTURE = "SCT^91723000^Anatomical Structure"


def write_dicom_seg(path: Path, segmentation: Segmentation, series: Path, even: bool = True) -> None:
    """Write one binary SEG with a segment for each of the segmentation's, overlapping or not.

    `series` is the folder, or a file, of the DICOM series; the segmentation must be on its grid. Of a series whose
    slices are not `even`ly spaced each frame lies where its own slice does. Raises InputError if highdicom is not
    installed, the series is not DICOM, lacks a frame of reference or patient, or has another grid.
    """
    try:
        import highdicom
    except ImportError as fault:
        raise InputError(f"{path}: DICOM SEG needs the package highdicom (pip install MusclePropLib[dicom])") from fault
    sources = _headers(series)
    segments = [s for s in segmentation.segments if not is_not_muscle(s.name, s.tags)]
    frames = np.stack([segmentation.layers[s.layer] == s.value for s in segments], axis=-1).view(np.uint8)
    if even:
        frames = highdicom.Volume(
            frames,
            affine=segmentation.geometry.affine,
            coordinate_system="PATIENT",
            channels={"SegmentNumber": list(range(1, len(segments) + 1))},
        )
    else:  # an array alone lies on the sources, frame by frame
        frames = _as_stored(frames, series)
    try:
        seg = highdicom.seg.Segmentation(
            source_images=sources,
            pixel_array=frames,
            segmentation_type="BINARY",
            segment_descriptions=[_description(s, n) for n, s in enumerate(segments, 1)],
            series_instance_uid=highdicom.UID(),
            series_number=int(sources[0].get("SeriesNumber") or 0) + 100,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="MuscleProp",
            manufacturer_model_name="MuscleProp",
            software_versions=__version__,
            device_serial_number="none",
            content_label="MUSCLES",
            series_description="MuscleProp muscles",
        )
    except (AttributeError, ValueError, TypeError, KeyError) as fault:
        raise InputError(f"{series}: a DICOM SEG cannot be made for this series ({fault})") from fault
    seg.SpecificCharacterSet = "ISO_IR 192"  # UTF-8: names may be in any script, whatever the series is in
    with replacing(path) as part:
        seg.save_as(part)


def _as_stored(frames: np.ndarray, series: Path) -> np.ndarray:
    """Frames (slices, ...) in the order of the slices as `_headers` has them, which is a file's own if it has many."""
    reader = dicom.series_reader(series)
    placed = placed_frames(reader, series) if isinstance(reader, sitk.ImageFileReader) else None
    if placed is None:
        return frames
    stored = np.empty_like(frames)
    stored[placed.order] = frames
    return stored


def _headers(series: Path) -> list:
    """The headers of the series' files in the order of the slices; InputError if there is none, or no patient grid."""
    import pydicom

    if not (series.exists() and dicom.is_dicom(series)):
        raise InputError(f"{series}: not a DICOM series, which a DICOM SEG has to refer to")
    reader = dicom.series_reader(series)
    names = reader.GetFileNames() if hasattr(reader, "GetFileNames") else [reader.GetFileName()]
    headers = [pydicom.dcmread(name, stop_before_pixels=True) for name in names]
    if "FrameOfReferenceUID" not in headers[0]:
        raise InputError(f"{series}: names no frame of reference, which a DICOM SEG needs to lie in the patient")
    return headers


def _description(segment: Segment, number: int) -> object:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes

    category, kind = _terminology(segment.tags.get("TerminologyEntry", ""))
    return SegmentDescription(
        segment_number=number,
        segment_label=segment.name.replace("\\", "/")[:64],  # a backslash would part it into two
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="SEMIAUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            "MuscleProp", codes.cid7162.ArtificialIntelligence, __version__
        ),
        display_color=CIELabColor.from_rgb(*(round(255 * c) for c in segment.color)),
    )


def _terminology(entry: str) -> tuple[object, object]:
    """Category and type of Slicer's `TerminologyEntry`: list~category~type~..., each scheme^value^meaning."""
    fields = entry.split("~")
    given = fields[1:3] if len(fields) > 2 else ["", ""]
    return tuple(_code(text) or _code(usual) for text, usual in zip(given, (BODY_STRUCTURE, MUSCLE), strict=True))


def _code(text: str) -> object | None:
    from highdicom.sr import CodedConcept

    parts = text.split("^")
    return CodedConcept(parts[1], parts[0], parts[2]) if len(parts) == 3 and all(parts) else None
