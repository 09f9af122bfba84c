"""How far a prediction is from the reference, on the slices that were not drawn.

What the expert drew comes back as it was drawn, so counting it would flatter every method alike. On an excluded
slice the prediction is therefore *replaced by the reference* and then left out of every count: nothing that a method
returns there can change a figure. Surfaces are those of the whole masks (see `surfaces`), so leaving a slice out
neither cuts the muscle open nor caps its neighbours; only the distances that start on scored slices count.

Both masks empty on the scored slices is a perfect score (Dice 1, distances 0). One empty is Dice 0 with distances NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from MusclePropLib.core.annotations import extents
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.surfaces import surface_distances


@dataclass(frozen=True)
class Scores:
    """Scores of one muscle over its `slices` scored slices; NaN where a figure is undefined.

    Errors are prediction minus reference. `volume_error_percent` is relative to the reference on the scored slices,
    `muscle_error_percent` to the whole muscle (`muscle_ml`), which is what the user reads off. The curve of
    cross-sectional areas is compared where either mask has any; its per cent are of the reference's largest area.
    """

    slices: int
    dice: float
    iou: float
    hd95_mm: float
    assd_mm: float
    surface_dice_1mm: float
    surface_dice_2mm: float
    prediction_ml: float
    reference_ml: float
    muscle_ml: float
    volume_error_ml: float
    volume_error_percent: float
    muscle_error_percent: float
    absolute_volume_error_ml: float
    absolute_volume_error_percent: float
    area_error_mm2: float
    area_error_percent: float

    def to_json(self) -> dict[str, float | int | None]:
        """For `json.dumps`: NaN, which JSON does not know, becomes None."""
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class _Pair:
    """Two masks cropped to their union, the prediction made equal to the reference where it is not scored."""

    prediction: np.ndarray
    reference: np.ndarray
    scored: np.ndarray
    positions: np.ndarray
    thickness: np.ndarray
    pixel: tuple[float, float]
    pixel_mm2: float

    def areas(self, mask: np.ndarray) -> np.ndarray:
        """Cross-sectional area of each slice, mm^2."""
        return np.count_nonzero(mask, axis=(1, 2)) * self.pixel_mm2

    def millilitres(self, areas: np.ndarray) -> float:
        return float((areas * self.thickness)[self.scored].sum() / 1000.0)


def score(
    prediction: np.ndarray,
    reference: np.ndarray,
    geometry: Geometry,
    exclude: Iterable[int] = (),
    positions: np.ndarray | None = None,
) -> Scores:
    """Compare two (slices, rows, columns) masks of one muscle on the grid `geometry`.

    `exclude` are the indices along the first axis that were drawn (or declared absent) for this muscle. `positions`
    (slices,) are tracked slice positions in mm where the sweep is uneven; by default the grid's spacing holds.
    Raises ValueError if shapes differ, an excluded index lies outside the stack, or every slice is excluded.
    """
    scored = _scored_slices(reference.shape[0], exclude)
    if not prediction.shape == reference.shape == geometry.shape:
        raise ValueError(f"shapes differ: {prediction.shape}, {reference.shape} and the grid's {geometry.shape}")
    pair = _cropped_pair(np.asarray(prediction, bool), np.asarray(reference, bool), scored, geometry, positions)
    return Scores(slices=int(scored.sum()), **_overlap(pair), **_surfaces(pair), **_volumes(pair), **_curve(pair))


def slice_thickness(positions: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Distance (slices,) mm between the midpoints to both neighbours: area times this, summed, is volume.

    Negative where the hand went back, so that a part that was swept twice is not counted twice.
    """
    if len(positions) < 2:
        return np.full(len(positions), geometry.spacing[0])
    return np.gradient(positions) * np.sign(positions[-1] - positions[0])


def _scored_slices(count: int, exclude: Iterable[int]) -> np.ndarray:
    scored = np.ones(count, bool)
    for index in exclude:
        if not 0 <= index < count:
            raise ValueError(f"excluded slice {index} lies outside the stack of {count}")
        scored[index] = False
    if not scored.any():
        raise ValueError("every slice is excluded: nothing is left to score")
    return scored


def _cropped_pair(
    prediction: np.ndarray,
    reference: np.ndarray,
    scored: np.ndarray,
    geometry: Geometry,
    positions: np.ndarray | None,
) -> _Pair:
    pixel_mm2 = _pixel_mm2(geometry)
    if positions is None:
        step = 1000.0 * geometry.voxel_ml / pixel_mm2 if geometry.sheared else geometry.spacing[0]
        positions = np.arange(len(scored)) * step
    box = _bounding_box(prediction, reference)
    keep = scored[box[0]]
    return _Pair(
        prediction=np.where(keep[:, None, None], prediction[box], reference[box]),
        reference=reference[box],
        scored=keep,
        positions=positions[box[0]],
        thickness=slice_thickness(positions, geometry)[box[0]],
        pixel=geometry.spacing[1:],
        pixel_mm2=pixel_mm2,
    )


def _pixel_mm2(geometry: Geometry) -> float:
    """Of a sheared grid a pixel is less than its sides multiplied, a slice thinner than the step to the next."""
    if geometry.sheared:
        return float(np.linalg.norm(np.cross(geometry.affine[:3, 1], geometry.affine[:3, 2])))
    return math.prod(geometry.spacing[1:])


def _bounding_box(first: np.ndarray, second: np.ndarray) -> tuple[slice, ...]:
    """The box around two masks together, found slice by slice; a single voxel if both are empty."""
    box = []
    for a, b in zip(extents(first), extents(second), strict=True):
        filled = np.flatnonzero(a | b)
        box.append(slice(filled[0], filled[-1] + 1) if len(filled) else slice(0, 1))
    return tuple(box)


def _overlap(pair: _Pair) -> dict[str, float]:
    prediction, reference = pair.prediction[pair.scored], pair.reference[pair.scored]
    common = int(np.count_nonzero(prediction & reference))
    total = int(np.count_nonzero(prediction)) + int(np.count_nonzero(reference))
    if total == 0:
        return {"dice": 1.0, "iou": 1.0}
    return {"dice": 2.0 * common / total, "iou": common / (total - common)}


def _surfaces(pair: _Pair) -> dict[str, float]:
    found = surface_distances(pair.prediction, pair.reference, pair.scored, pair.positions, pair.pixel)
    if found is not None:
        return {
            "hd95_mm": found.hausdorff(),
            "assd_mm": found.average(),
            "surface_dice_1mm": found.surface_dice(1.0),
            "surface_dice_2mm": found.surface_dice(2.0),
        }
    both_empty = not (pair.prediction[pair.scored].any() or pair.reference[pair.scored].any())
    distance, share = (0.0, 1.0) if both_empty else (math.nan, 0.0)
    return {"hd95_mm": distance, "assd_mm": distance, "surface_dice_1mm": share, "surface_dice_2mm": share}


def _volumes(pair: _Pair) -> dict[str, float]:
    reference_areas = pair.areas(pair.reference)
    predicted, expected = pair.millilitres(pair.areas(pair.prediction)), pair.millilitres(reference_areas)
    whole = float((reference_areas * pair.thickness).sum() / 1000.0)
    error, percent = predicted - expected, _percent(predicted - expected, expected)
    return {
        "prediction_ml": predicted,
        "reference_ml": expected,
        "muscle_ml": whole,
        "volume_error_ml": error,
        "volume_error_percent": percent,
        "muscle_error_percent": _percent(error, whole),
        "absolute_volume_error_ml": abs(error),
        "absolute_volume_error_percent": abs(percent),
    }


def _curve(pair: _Pair) -> dict[str, float]:
    predicted, expected = pair.areas(pair.prediction), pair.areas(pair.reference)
    compared = pair.scored & ((predicted > 0) | (expected > 0))
    error = float(np.abs(predicted - expected)[compared].mean()) if compared.any() else 0.0
    return {"area_error_mm2": error, "area_error_percent": _percent(error, float(expected.max()))}


def _percent(error: float, of: float) -> float:
    """`error` in per cent of `of`; of nothing, no error is 0 and any other undefined."""
    if of > 0:
        return 100.0 * (error / of)
    return 0.0 if error == 0 else math.nan
