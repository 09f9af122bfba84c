"""The methods that MuscleProp is measured against, behind one signature, and its own for the same run.

Each module has `run(volume, annotations) -> list[np.ndarray]`, one bool mask (slices, rows, columns) per muscle, or an
`Answer` if the method has something to say of its result. Known slices are put back here, as every interactive tool
would, so no method loses by what it does to them.
They keep code of their own even where MuscleProp's priors do something alike: a yardstick must not move with what it
measures.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from MusclePropLib.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
    from MusclePropLib.core.volumes import Volume


class RivalUnavailable(RuntimeError):
    """The method cannot run here, for want of a package, say; the message is one sentence that says what is missing."""


class RivalFailed(RuntimeError):
    """The method crashed or ran out of time; the message is one sentence."""


@dataclass(frozen=True)
class Rival:
    """One method: `name` on the command line, `title` in tables, `module` below this package, `options` of `run`.

    It needs a muscle with `least` drawn slices.
    """

    name: str
    title: str
    module: str
    options: tuple[tuple[str, object], ...] = ()
    volumes_only: bool = False
    least: int = 1

    @property
    def own(self) -> bool:
        """Whether it is MuscleProp itself, in one way or another."""
        return self.module == "own"


@dataclass(frozen=True)
class Answer:
    """Masks as `masks_of` gives them, and what the method says of each muscle, by name: numbers and texts by fact."""

    masks: list[np.ndarray]
    said: dict[str, dict[str, float | str | None]] = field(default_factory=dict)


_ALL = (
    Rival("copy", "Nearest slice copied", "nearest"),
    Rival("interpolation", "Signed-distance interpolation", "interpolation"),
    Rival("fill", "Fill between slices", "fill", least=2),
    Rival("grow", "Grow from seeds", "grow"),
    Rival("walker", "Random walker", "walker"),
    Rival("flow", "Optical flow, masks carried", "flow"),
    Rival("flow-distances", "Optical flow, distances carried", "flow", (("carry", "distances"),)),
    Rival("labelprop", "LabelProp", "labelprop", least=2),
    Rival("paper-scratch", "The paper's network, trained on this volume alone", "paper"),
    Rival("area-spline", "Cubic spline through areas", "area_spline", volumes_only=True, least=2),
    Rival("muscleprop", "MuscleProp", "own"),
    Rival("muscleprop-priors", "MuscleProp, shape priors alone", "own", (("method", "interpolation"),)),
    Rival("muscleprop-scratch", "MuscleProp, no pretrained weights", "own", (("weights", "none"),)),
    Rival("muscleprop-no-negatives", "MuscleProp, each muscle by itself", "own", (("alone", True),)),
)
RIVALS: dict[str, Rival] = {rival.name: rival for rival in _ALL}


def rival_named(name: str) -> Rival:
    """The method of this name; InputError if there is none."""
    if name not in RIVALS:
        raise InputError(f"no method is called '{name}'; there are {', '.join(RIVALS)}")
    return RIVALS[name]


def check_options(rival: Rival, options: Iterable[str]) -> None:
    """InputError for an option that the method does not have, before any case is read."""
    try:
        module = importlib.import_module(f"{__name__}.{rival.module}")
    except ImportError:  # of which every run will tell
        return
    known = {*inspect.signature(module.volumes if rival.volumes_only else module.run).parameters}
    if rival.own:
        from MusclePropLib.core.outcome import Settings

        known |= {*inspect.signature(Settings).parameters}
    known -= {"volume", "annotations", "settings"}
    for name in options:
        if name not in known:
            there = f"; there are {', '.join(sorted(known))}" if known else ""
            raise InputError(f"{rival.name} has no option '{name}'{there}")


def answer_of(rival: Rival, volume: Volume, annotations: Annotations, **options: object) -> Answer:
    """One bool mask (slices, rows, columns) per muscle, known slices as the expert left them, and what was said.

    `options` go to the method's `run`, over its own. Raises RivalUnavailable or RivalFailed with the reason.
    """
    found = _called(rival, "run", volume, annotations, options)
    answer = found if isinstance(found, Answer) else Answer(found)
    masks = [_with_known_slices(mask, m) for mask, m in zip(answer.masks, annotations.muscles, strict=True)]
    return Answer(masks, answer.said)


def masks_of(rival: Rival, volume: Volume, annotations: Annotations, **options: object) -> list[np.ndarray]:
    """The masks alone of `answer_of`."""
    return answer_of(rival, volume, annotations, **options).masks


def volumes_of(rival: Rival, volume: Volume, annotations: Annotations, **options: object) -> list[float]:
    """Volume in ml per muscle, of a method that makes no masks; otherwise as `masks_of`."""
    return _called(rival, "volumes", volume, annotations, options)


def _called(rival: Rival, function: str, volume: Volume, annotations: Annotations, options: dict) -> list | Answer:
    if max(len(muscle.drawn) for muscle in annotations.muscles) < rival.least:
        raise RivalUnavailable(f"{rival.title} needs at least {rival.least} drawn slices of a muscle")
    try:
        module = importlib.import_module(f"{__name__}.{rival.module}")
        return getattr(module, function)(volume, annotations, **dict(rival.options) | options)
    except ImportError as fault:
        raise RivalUnavailable(f"{rival.title} needs a package that is not installed ({fault})") from fault


def _with_known_slices(mask: np.ndarray, muscle: MuscleAnnotation) -> np.ndarray:
    for t in muscle.absent:
        mask[t] = False
    for t, drawn in muscle.drawn.items():
        mask[t] = drawn
    return mask
