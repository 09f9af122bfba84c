"""Where an array's voxels lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Geometry:
    """Grid of an array of three axes.

    `shape` is the array's shape, slowest axis first (numpy order: ITK's k, j, i). `affine` (4 x 4) takes the
    homogeneous array index (a0, a1, a2, 1) of a voxel's centre to LPS millimetres, so its columns follow the
    array's axes, whatever their order, handedness or obliqueness.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError("a geometry needs a finite 4 x 4 affine")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @classmethod
    def from_spacing(cls, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Geometry:
        """An axis-aligned grid at the origin; `spacing` in mm per array axis. Array axis 0 points along +z (LPS)."""
        affine = np.zeros((4, 4))
        affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = *spacing, 1.0
        return cls(shape, affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm along each array axis."""
        return tuple(float(v) for v in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def sheared(self) -> bool:
        """Whether the array's axes are not perpendicular to each other."""
        directions = self.affine[:3, :3] / self.spacing
        return not np.allclose(directions.T @ directions, np.eye(3), atol=1e-4)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def moved(self, axis: int) -> Geometry:
        """The geometry of `np.moveaxis(array, axis, 0)`."""
        order = [axis, *(a for a in range(3) if a != axis)]
        affine = self.affine.copy()
        affine[:, :3] = self.affine[:, order]
        return Geometry(tuple(self.shape[a] for a in order), affine)

    def strided(self, steps: tuple[int, int, int]) -> Geometry:
        """The geometry of `array[::s0, ::s1, ::s2]`."""
        affine = self.affine.copy()
        affine[:3, :3] *= np.asarray(steps, dtype=float)
        return Geometry(tuple(-(-n // s) for n, s in zip(self.shape, steps, strict=True)), affine)

    def matches(self, other: Geometry, tolerance: float = 0.01) -> bool:
        """Same grid: equal shape, and no corner off by more than `tolerance` voxels."""
        if self.shape != other.shape:
            return False
        corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
        corners[:, :3] *= np.array(self.shape) - 1
        shift = np.linalg.norm((corners @ (self.affine - other.affine).T)[:, :3], axis=1)
        return bool(shift.max() <= tolerance * min(self.spacing))

    def differences(self, other: Geometry, tolerance: float = 0.01) -> str:
        """What sets this grid apart from `other`, as in "spacing 1 x 1 x 3 mm, not 1 x 1 x 1 mm".

        Named are size, spacing, origin and direction where they move a corner by over `tolerance` voxels, in the order
        of ITK and Slicer (i, j, k) and in LPS; all that differ if none alone does.
        """
        extent = np.maximum(self.shape, other.shape)[::-1]
        (spacing, direction), (their_spacing, their_direction) = self._parts(), other._parts()
        origin, their_origin = self.affine[:3, 3], other.affine[:3, 3]
        parts = [
            (np.abs(spacing - their_spacing) * extent, "spacing", spacing, their_spacing, " x ", " mm"),
            (np.abs(origin - their_origin), "origin", origin, their_origin, ", ", " mm"),
            (np.abs(direction - their_direction) * spacing * extent, "direction", direction, their_direction, " ", ""),
        ]
        limit = tolerance * min(self.spacing)
        shown = [part for part in parts if part[0].max() > limit] or [part for part in parts if part[0].any()]
        said = [_not_the_same(*part[1:]) for part in shown]
        if self.shape != other.shape:
            said.insert(0, _not_the_same("size", self.shape[::-1], other.shape[::-1], " x ", " voxels"))
        return "; ".join(said)

    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Spacing (3,) in mm and direction (3, 3), a unit column per axis, in ITK's order of axes."""
        spacing = np.array(self.spacing[::-1])
        return spacing, self.affine[:3, 2::-1] / spacing


def _not_the_same(what: str, here: ArrayLike, there: ArrayLike, between: str, unit: str) -> str:
    """Both values with four digits, or as many more as it takes to tell them apart."""
    values = [np.round(np.ravel(v).astype(float), 9) + 0.0 for v in (here, there)]
    for digits in range(4, 16):
        texts = [between.join(f"{number:.{digits}g}" for number in numbers) for numbers in values]
        if texts[0] != texts[1]:
            break
    return f"{what} {texts[0]}{unit}, not {texts[1]}{unit}"
