"""One simulated calf, from a seed to a stack of pictures with its true labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.phantom.calf.anatomy import Leg
from MusclePropLib.core.phantom.calf.machine import draw_machine
from MusclePropLib.core.phantom.calf.speckle import Scatterers
from MusclePropLib.core.phantom.calf.subject import NAMES, Subject, draw_subject
from MusclePropLib.core.phantom.calf.sweep import draw_sweep
from MusclePropLib.core.phantom.calf.tissue import Tissue
from MusclePropLib.core.volumes import Volume

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Calf:
    """A simulated scan: `volume` uint8 slices first, `labels` uint8 of the same shape, value i + 1 = names[i]."""

    volume: Volume
    labels: np.ndarray
    names: tuple[str, ...]
    subject: Subject


def simulate_calf(seed: int, shape: tuple[int, int, int] = (140, 300, 400), spacing: Triple | None = None) -> Calf:
    """Simulate the scan of one subject; equal arguments give equal scans.

    `shape` is (slices, rows, columns): from the knee down, from the skin inwards, from the patient's right to left.
    Without `spacing` (mm, same order) the scan spans what a sonographer would record, from the hollow of the knee to
    the Achilles tendon, whatever the shape; with it, it starts at the same level and is as large as it comes to.
    """
    who, limb, hand, flesh, grains, scanner = np.random.default_rng(seed).spawn(6)
    subject = draw_subject(who)
    spacing = spacing or _natural_spacing(subject, shape)
    sweep = draw_sweep(hand, shape[0], subject.sweep[0], spacing[0])
    leg = Leg(subject, limb)
    tissue, reach = Tissue(leg.at(sweep.z), flesh), leg.half_width(sweep.z)
    scatterers, machine = Scatterers(grains, shape, spacing[0]), draw_machine(scanner)
    pictures, labels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for index, z in enumerate(sweep.z):
        u, v, missed = sweep.frame(index, shape[1:], spacing[1:], reach[index])
        seen = tissue.echoes(index, u, v, float(sweep.pressure[index]))
        plane = scatterers.plane(z - subject.sweep[0], machine.beam.elevational)
        pictures[index] = machine.picture(seen, plane, missed, spacing[1:], scanner)
        labels[index] = seen.labels
    if subject.side == "right":  # the anatomy is a left leg's
        pictures, labels = np.ascontiguousarray(pictures[..., ::-1]), np.ascontiguousarray(labels[..., ::-1])
    return Calf(Volume(pictures, _geometry(shape, spacing), source=f"simulated calf {seed}"), labels, NAMES, subject)


def _natural_spacing(subject: Subject, shape: tuple[int, int, int]) -> Triple:
    pixel = max(subject.picture[0] / shape[2], subject.picture[1] / shape[1])
    return ((subject.sweep[1] - subject.sweep[0]) / shape[0], pixel, pixel)


def _geometry(shape: tuple[int, int, int], spacing: Triple) -> Geometry:
    """LPS: slices towards the feet, rows from the back of the leg forwards, columns towards the patient's left.

    Right-handed: Slicer turns the axes of a left-handed volume when it loads one.
    """
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = -spacing[0], -spacing[1], spacing[2], 1.0
    affine[0, 3], affine[1, 3] = -(shape[2] - 1) / 2 * spacing[2], (shape[1] - 1) / 2 * spacing[1]
    return Geometry(shape, affine)
