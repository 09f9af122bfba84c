"""A prediction and a reference as files: which segments belong together, and their scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from MusclePropLib.core.annotations import is_not_muscle
from MusclePropLib.core.defaults import default_for_segment
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.records import named_axes, tagged_slices
from MusclePropLib.core.metrics import Scores, score
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segmentation import annotations_from_segmentation
from MusclePropLib.core.segments import Segment, Segmentation


@dataclass(frozen=True)
class Comparison:
    """Scores per reference segment.

    Segments that the prediction lacks are scored as empty and named in `missing`; `extra` are those that only the
    prediction has, and are not scored; `all_slices` are those whose drawn slices nothing tells from others, so that all
    of them count.
    """

    scores: dict[str, Scores]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    all_slices: tuple[str, ...]


def compare(
    prediction: Segmentation,
    reference: Segmentation,
    drawn: Segmentation | None = None,
    axis: int | None = None,
    positions: np.ndarray | None = None,
) -> Comparison:
    """Score every segment of `reference`, its slices being counted along array axis `axis`.

    A segment's slices that are drawn or absent in `drawn`, or without it by the prediction's own tags, do not count,
    and without `axis` theirs is taken, else 0. Segments that say where no muscle is are left out. All are compared on
    their `common_grid`: what is predicted beyond a cropped reference is wrong, too. `positions` (frames,) mm are those
    of a tracked sweep, whose frames are that grid's array axis 0; along another axis slices are even. Raises InputError
    if the grids cannot be brought together, segments do not fit or nothing is left to score.
    """
    whole = common_grid(reference, prediction, drawn)
    prediction, reference = (_muscles_of(given.resampled_to(whole)) for given in (prediction, reference))
    pairs = match_segments(prediction, reference)
    if drawn is None:
        known, axis = _own_slices(prediction, reference, pairs, axis)
    else:
        known, axis = _known_slices(drawn, reference, axis)
    positions = positions if axis == 0 else None
    scores = {}
    for index, segment in enumerate(reference.segments):
        truth = np.moveaxis(reference.mask(index), axis, 0)
        found = np.moveaxis(prediction.mask(pairs[index]), axis, 0) if index in pairs else np.zeros_like(truth)
        try:
            scores[segment.name] = score(found, truth, reference.geometry.moved(axis), known.get(index, ()), positions)
        except ValueError as fault:
            files = f"{prediction.source} and {reference.source}"
            raise InputError(f"{files}, segment '{segment.name}': {fault}") from fault
    return Comparison(
        scores,
        missing=tuple(s.name for i, s in enumerate(reference.segments) if i not in pairs),
        extra=tuple(s.name for i, s in enumerate(prediction.segments) if i not in pairs.values()),
        all_slices=tuple(s.name for i, s in enumerate(reference.segments) if i not in known),
    )


def common_grid(reference: Segmentation, *others: Segmentation | None) -> Geometry:
    """The reference's grid, larger by what the others have beyond it; InputError if their voxels do not coincide."""
    whole = reference.geometry
    for other in others:
        whole = whole if other is None else other.union(whole)
    return whole


def match_segments(first: Segmentation, second: Segmentation) -> dict[int, int]:
    """Index of `first`'s segment for the index of each of `second`'s that has one.

    By name: those of exactly the same one first, then in any case and with a default muscle's short name, full name
    and terminology being the same. If no name fits, by label value, unless segments in layers of their own share one;
    if each has one segment, these. Raises InputError if nothing fits, a name stands twice or several would fit.
    """
    names = [[s.name for s in each.segments] for each in (first, second)]
    for each, given in zip((first, second), names, strict=True):
        if len(set(given)) < len(given):
            raise InputError(f"{each.source}: two segments have the same name")
    values = [[s.value for s in each.segments] for each in (first, second)]
    only = {0: 0} if len(first.segments) == len(second.segments) == 1 else {}
    found = _by_muscle(first, second, _matched(*names)) or _matched(*values) or only
    if not found:
        listed = [", ".join(f"'{s.name}'" for s in each.segments) for each in (first, second)]
        raise InputError(f"{first.source}: no segment ({listed[0]}) fits one of {second.source} ({listed[1]})")
    return found


def _by_muscle(first: Segmentation, second: Segmentation, exact: dict[int, int]) -> dict[int, int]:
    """The `exact` pairs, and of the other segments those that are the same muscle by another name."""
    offered = {n: _label(s) for n, s in enumerate(first.segments) if n not in exact.values()}
    wanted = {n: _label(s) for n, s in enumerate(second.segments) if n not in exact}
    shared = set(offered.values()) & set(wanted.values())
    for each, labels in ((first, offered), (second, wanted)):
        for label in shared:
            twins = [f"'{each.segments[n].name}'" for n, other in labels.items() if other == label]
            if len(twins) > 1:
                raise InputError(f"{each.source}: {' and '.join(twins)} are names of the same muscle")
    places = {label: n for n, label in offered.items()}
    return exact | {n: places[label] for n, label in wanted.items() if label in shared}


def _matched(offered: list, wanted: list) -> dict[int, int]:
    """Nothing if a key stands twice on either side, for then any pair would be a guess."""
    if len(set(offered)) < len(offered) or len(set(wanted)) < len(wanted):
        return {}
    return {index: offered.index(key) for index, key in enumerate(wanted) if key in offered}


def _muscles_of(segmentation: Segmentation) -> Segmentation:
    muscles = [s for s in segmentation.segments if not is_not_muscle(s.name, s.tags)]
    return replace(segmentation, segments=muscles)


def _label(segment: Segment) -> str:
    muscle = default_for_segment(segment.name, segment.tags)
    return muscle.name if muscle else segment.name.strip().casefold()


def _known_slices(drawn: Segmentation, reference: Segmentation, axis: int | None) -> tuple[dict[int, set[int]], int]:
    """The known slices of each reference segment (by index) that has any, and the axis that they count along."""
    drawn = _muscles_of(drawn.resampled_to(reference.geometry))
    annotations = annotations_from_segmentation(drawn, "auto" if axis is None else axis)
    by_name = {muscle.name: {*muscle.drawn, *muscle.absent} for muscle in annotations.muscles}
    pairs = match_segments(drawn, reference)
    names = {index: drawn.segments[place].name for index, place in pairs.items()}
    return {index: by_name[name] for index, name in names.items() if name in by_name}, annotations.axis


def _own_slices(
    prediction: Segmentation, reference: Segmentation, pairs: dict[int, int], axis: int | None
) -> tuple[dict[int, set[int]], int]:
    """The same by the prediction's tags along that axis, but for segments of which nothing is filled: no result."""
    found = {index: tagged_slices(prediction.segments[place], prediction.source) for index, place in pairs.items()}
    tags = {index: tag for index, tag in found.items() if tag}
    scored = (prediction.segments[pairs[index]] for index in tags)
    axes = named_axes(scored, prediction.source) if axis is None else {axis}
    if len(axes) > 1:
        raise InputError(f"{prediction.source}: drawn along several axes {sorted(axes)}; choose one with --axis")
    axis = axes.pop() if axes else 0
    known = {
        index: drawn | absent
        for index, (along, drawn, absent) in tags.items()
        if along == axis and _is_result(prediction, pairs[index], axis, drawn)
    }
    return {index: own for index, own in known.items() if own}, axis


def _is_result(prediction: Segmentation, place: int, axis: int, drawn: set[int]) -> bool:
    """Whether a segment was propagated: it says so, or has slices that are not drawn."""
    segment = prediction.segments[place]
    if PROVENANCE_TAG in segment.tags:
        return True
    slices = enumerate(np.moveaxis(prediction.layers[segment.layer], axis, 0))
    return any((part == segment.value).any() for t, part in slices if t not in drawn)
