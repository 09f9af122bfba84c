"""One simulated calf, from a seed to a picture stack with its true labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.phantom.calf.anatomy import Leg
from MusclePropLib.core.phantom.calf.speckle import Beam, Scatterers, average_looks, envelope, log_compress
from MusclePropLib.core.phantom.calf.subject import NAMES, Subject, draw_subject
from MusclePropLib.core.phantom.calf.sweep import Sweep, draw_sweep
from MusclePropLib.core.phantom.calf.tissue import Echoes, Tissue
from MusclePropLib.core.volumes import Volume

_TOP = 6.0  # mm of gel above the skin


@dataclass(frozen=True)
class Machine:
    """Settings of the scanner: beam, gain (dB), dynamic range (dB), loss left after time gain (dB/mm), noise (dB)."""

    beam: Beam
    looks: tuple[float, float]
    gain: float
    dynamic_range: float
    loss: float
    noise: float


@dataclass(frozen=True)
class Calf:
    """A simulated scan: `volume` uint8 slices first, `labels` uint8 of the same shape, value i + 1 = names[i]."""

    volume: Volume
    labels: np.ndarray
    names: tuple[str, ...]
    subject: Subject


def simulate_calf(
    seed: int,
    shape: tuple[int, int, int] = (140, 300, 400),
    spacing: tuple[float, float, float] | None = None,
) -> Calf:
    """Simulate the scan of one subject; the same seed and shape give the same scan.

    `shape` is (slices, rows, columns). Without `spacing` (mm, same order) the scan spans what a sonographer would
    record, from the hollow of the knee to the Achilles tendon, whatever the shape; with it, it begins at the same level
    and reaches as far as shape x spacing.
    """
    who, limbs, hand, flesh, echoes, machine_room = np.random.default_rng(seed).spawn(6)
    subject = draw_subject(who)
    spacing = spacing or _natural_spacing(subject, shape)
    sweep = draw_sweep(hand, shape[0], subject.sweep[0], spacing[0], _TOP)
    leg = Leg(subject, limbs)
    tissue = Tissue(leg.at(sweep.z), flesh)
    reach = leg.half_width(sweep.z)
    scatterers = Scatterers(echoes, shape, spacing[0])
    machine = _draw_machine(machine_room)
    pictures = np.zeros(shape, np.uint8)
    labels = np.zeros(shape, np.uint8)
    for index in range(shape[0]):
        seen = _look(tissue, sweep, index, shape[1:], spacing[1:])
        labels[index] = seen.labels
        missed = _missed(sweep, index, float(reach[index]), shape[1:], spacing[1:])
        plane = scatterers.plane(float(sweep.z[index] - subject.sweep[0]), machine.beam.elevational)
        pictures[index] = _picture(seen, plane, missed, machine, spacing[1:], machine_room)
    if subject.side == "left":  # drawn as a right leg
        pictures, labels = pictures[:, :, ::-1].copy(), labels[:, :, ::-1].copy()
    volume = Volume(pictures, Geometry.from_spacing(shape, spacing), source=f"simulated calf {seed}")
    return Calf(volume, labels, NAMES, subject)


def _natural_spacing(subject: Subject, shape: tuple[int, int, int]) -> tuple[float, float, float]:
    pixel = max(subject.width / shape[2], subject.depth / shape[1])
    return ((subject.sweep[1] - subject.sweep[0]) / shape[0], pixel, pixel)


def _draw_machine(rng: np.random.Generator) -> Machine:
    beam = Beam(*(width * rng.uniform(0.85, 1.2) for width in (0.14, 0.38, 2.0)))
    looks = (0.2 * rng.uniform(0.85, 1.2), 0.42 * rng.uniform(0.85, 1.2))
    return Machine(
        beam, looks, rng.normal(-20.0, 2.0), rng.uniform(52, 62), rng.uniform(0.42, 0.55), rng.uniform(-54, -48)
    )


def _look(tissue: Tissue, sweep: Sweep, index: int, shape: tuple[int, int], spacing: tuple[float, float]) -> Echoes:
    """The echoes of frame `index`, its pixels placed in the leg by the probe's pose."""
    down, across = _millimetres(shape, spacing)
    cosine, sine = np.float32(np.cos(sweep.tilt[index])), np.float32(np.sin(sweep.tilt[index]))
    middle = down[-1, 0] / 3
    u = cosine * across + sine * (down - middle) + np.float32(sweep.lateral[index])
    v = cosine * (down - middle) - sine * across + middle + np.float32(sweep.depth[index])
    return tissue.echoes(index, tissue.locate(index, u, v, float(sweep.pressure[index])))


def _missed(sweep: Sweep, index: int, reach: float, shape: tuple[int, int], spacing: tuple[float, float]) -> np.ndarray:
    """Loss (rows, columns) in dB beside the probe's contact."""
    down, across = _millimetres(shape, spacing)
    ends = [reach * sweep.contact[index, side] + sweep.slant[index, side] * down for side in (0, 1)]
    return 40 * np.clip(np.maximum(ends[0] - across, across - ends[1]) / 4.0, 0, 1).astype(np.float32)


def _millimetres(shape: tuple[int, int], spacing: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Depth (rows, 1) and distance from the middle column (1, columns) of a picture's pixels."""
    down = np.arange(shape[0], dtype=np.float32)[:, None] * np.float32(spacing[0])
    across = (np.arange(shape[1], dtype=np.float32) - (shape[1] - 1) / 2)[None, :] * np.float32(spacing[1])
    return down, across


def _picture(
    seen: Echoes,
    scatterers: np.ndarray,
    missed: np.ndarray,
    machine: Machine,
    spacing: tuple[float, float],
    rng: np.random.Generator,
) -> np.ndarray:
    """B-mode grey levels (rows, columns) of one frame."""
    depth, _ = _millimetres(seen.labels.shape, spacing)
    loss = seen.loss + machine.loss * depth**2 / (depth + 30) + missed
    through = _amplitude(-loss)
    field = scatterers * (_amplitude(seen.scatter) * through) + (seen.sheet * through)
    field = field + _amplitude(machine.noise + 0.16 * depth) * rng.standard_normal(seen.labels.shape, dtype=np.float32)
    detected = average_looks(envelope(field, machine.beam, spacing), machine.looks, spacing)
    return log_compress(detected, machine.gain, machine.dynamic_range)


def _amplitude(decibel: np.ndarray) -> np.ndarray:
    return np.exp(np.float32(np.log(10) / 20) * decibel)
