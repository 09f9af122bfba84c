"""What the panel says, in sentences; translated by Slicer."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from slicer.i18n import tr as _

from MusclePropLib.core.annotations import State
from MusclePropLib.core.measurements.tables import millilitres
from MusclePropLib.gui.session import Phase, Progress


def progress_text(phase: Phase, progress: Progress) -> str:
    """One line under the bar."""
    if phase is Phase.CANCELLING:
        return _("Cancelling...")
    if phase is Phase.STOPPING:
        return _("Finishing with the best result so far...")
    parts = [progress.text or _("Starting...")]
    if progress.seconds_left is not None:
        parts.append(_("about {seconds} s left").format(seconds=round(progress.seconds_left)))
    estimates = estimates_text(progress.estimate)
    if estimates:
        parts.append(_("expected Dice: {estimates}").format(estimates=estimates))
    return ", ".join(parts)


def estimates_text(estimate: Mapping[str, float | None]) -> str:
    """GM 0.93, SOL 0.90."""
    return ", ".join(f"{name} {value:.2f}" for name, value in estimate.items() if value is not None)


def outcome_text(muscle: Mapping[str, Any]) -> str:
    """One muscle of a result in HTML: its volume, and how good it is expected to be against what Slicer offers."""
    keys = ("estimate", "fill_estimate", "interpolation_estimate", "volume_ml")
    estimate, fill, interpolation, volume = (muscle.get(key) for key in keys)
    name = html.escape(muscle["name"])
    head = name if volume is None else _("{name}: {volume} ml").format(name=name, volume=millilitres(volume))
    if estimate is None:
        text = _("one drawn slice only, so there is nothing to test it against")
    elif fill is not None:
        text = _("about {estimate:.2f} Dice on your own slices; Fill between slices would give {fill:.2f}")
        text = text.format(estimate=estimate, fill=fill)
    elif interpolation is not None:
        text = _("about {estimate:.2f} Dice on your own slices; interpolation alone would give {interpolation:.2f}")
        text = text.format(estimate=estimate, interpolation=interpolation)
    else:
        text = _("about {estimate:.2f} Dice on your own slices").format(estimate=estimate)
    return f'<p style="margin-top: 0; margin-bottom: 4px"><b>{head}</b><br>{text}</p>'


def of_another_text(name: str) -> str:
    """What stands in HTML over a result that is not of what is chosen."""
    return note_text(_("This result is of '{name}', which is not the one that is chosen above.").format(name=name))


def note_text(sentence: str) -> str:
    """A sentence about the whole result in HTML."""
    return f'<p style="margin-top: 0; margin-bottom: 4px"><i>{html.escape(sentence)}</i></p>'


def strip_text(current: int | None, slices: int, drawn: Mapping[str, int]) -> str:
    """The line under the strip: where the expert is and what there is so far."""
    parts = []
    if current is not None:
        parts.append(_("Slice {number} of {last}").format(number=current, last=slices - 1))
    elif slices:
        parts.append(_("No slice view lies in the volume's slices: click in the strip to show one"))
    if any(drawn.values()):
        counts = ", ".join(f"{name} {count}" for name, count in drawn.items())
        parts.append(_("drawn slices: {counts}").format(counts=counts))
    elif drawn:
        parts.append(_("outline each muscle on a few slices, both ends among them"))
    return "; ".join(parts)


def state_text(name: str, slice_index: int, state: State, filled: bool, confidence: float | None) -> str:
    """One cell of the strip."""
    what = {
        State.DRAWN: _("drawn by you"),
        State.ABSENT: _("absent: you say that the muscle is not there"),
        State.UNKNOWN: _("propagated") if filled else _("unknown"),
    }[state]
    text = _("{name}, slice {number}: {what}").format(name=name, number=slice_index, what=what)
    if confidence is not None and filled and state is State.UNKNOWN:
        text += ", " + _("expected Dice {confidence:.2f}").format(confidence=confidence)
    return text
