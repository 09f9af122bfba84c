"""One muscle's measurements, from its profile and what is known of its slices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from MusclePropLib.core.measurements.few_slices import cones_ml, spline_ml
from MusclePropLib.core.measurements.profile import Profile
from MusclePropLib.core.measurements.stack import Stack
from MusclePropLib.core.measurements.uncertainty import ExpectedRange, expected_range


@dataclass(frozen=True)
class Known:
    """What is known of a muscle besides its voxels: drawn and absent slices, expected Dice (slices,), its outcome."""

    drawn: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    confidence: np.ndarray | None = None
    provenance: dict | None = None

    @property
    def estimate(self) -> float | None:
        """The propagation's own estimate of its Dice between the drawn slices."""
        return ((self.provenance or {}).get("muscle") or {}).get("estimate")


@dataclass(frozen=True, eq=False)
class MuscleMeasures:
    """Measurements of one muscle; curves are (slices,), and figures that cannot be had are None.

    `volume_ml` counts every voxel; `spline_ml`, `cones_ml` and `between_drawn_ml` (propagated) cover only the range
    from the first to the last drawn slice, and are to be compared with each other. `length_mm` is from the outer face
    of the first slice that holds the muscle to that of the last. `centroids_mm` (slices, 3) are LPS, NaN outside.
    """

    name: str
    color: tuple[float, float, float]
    known: Known
    positions_mm: np.ndarray
    areas_mm2: np.ndarray
    centroids_mm: np.ndarray
    expected: ExpectedRange | None
    volume_ml: float
    spline_ml: float | None
    cones_ml: float | None
    between_drawn_ml: float | None
    max_area_slice: int
    length_mm: float
    intensity_mean: float | None
    intensity_sd: float | None

    @property
    def empty_between(self) -> int:
        """Slices between the first and the last that hold nothing and are not known to: the volume leaves them out."""
        filled = np.flatnonzero(self.areas_mm2)
        if not len(filled):
            return 0
        inside = set(range(int(filled[0]), int(filled[-1]) + 1))
        return len(inside - set(filled.tolist()) - set(self.known.absent))

    @property
    def max_area_mm2(self) -> float:
        """The largest cross-sectional area."""
        return float(self.areas_mm2[self.max_area_slice])

    @property
    def max_area_position_mm(self) -> float:
        """Where that is along the slices."""
        return float(self.positions_mm[self.max_area_slice])


def measure_muscle(
    name: str, color: tuple[float, float, float], found: Profile, stack: Stack, known: Known | None = None
) -> MuscleMeasures:
    """All measurements of a muscle whose profile holds at least one voxel; ValueError if it holds none."""
    filled = found.filled
    if not len(filled):
        raise ValueError(f"segment '{name}' is empty")
    known = _settled(known or Known())
    areas = found.voxels * stack.pixel_mm2
    drawn = [t for t in known.drawn if areas[t] > 0]
    between = slice(min(drawn), max(drawn) + 1) if len(drawn) > 1 else None
    confidence = known.confidence
    return MuscleMeasures(
        name=name,
        color=color,
        known=known,
        positions_mm=stack.positions,
        areas_mm2=areas,
        centroids_mm=_centroids(found, stack),
        expected=None if confidence is None else expected_range(areas, confidence, drawn, stack),
        volume_ml=stack.millilitres(areas),
        spline_ml=spline_ml(np.array(sorted(drawn)), areas[sorted(drawn)], stack),
        cones_ml=cones_ml(np.array(sorted(drawn)), areas[sorted(drawn)], stack),
        between_drawn_ml=None if between is None else stack.millilitres(areas[between], between),
        max_area_slice=int(np.argmax(areas)),
        length_mm=_length(filled, stack),
        intensity_mean=found.mean,
        intensity_sd=found.deviation,
    )


def _settled(known: Known) -> Known:
    """A slice that was drawn, or said to be without the muscle, since the propagation is no longer in doubt."""
    if known.confidence is None:
        return known
    confidence = known.confidence.copy()
    confidence[[*known.drawn, *known.absent]] = 1.0
    return replace(known, confidence=confidence)


def _centroids(found: Profile, stack: Stack) -> np.ndarray:
    return stack.points(np.column_stack([np.arange(len(found.voxels)), found.centroids]))


def _length(filled: np.ndarray, stack: Stack) -> float:
    """From outer face to outer face: half a slice more at either end than from centre to centre."""
    centres = float(np.ptp(stack.positions[filled]))
    return centres + float(np.abs(stack.thickness[[filled[0], filled[-1]]]).mean())
