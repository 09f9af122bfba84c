"""The muscles of the calf that the tool knows by name: names, colours, terminology and label values.

No list that ships with Slicer names these muscles. Their SNOMED CT codes are those that the anatomy ontology Uberon
maps to its terms 0011907, 0011908 and 0001389 (uberon-bridge-to-sctid.owl in github.com/obophenotype/uberon); the
region, SNOMED CT 102292000, is in Slicer's own list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_LIST = "Segmentation category and type - 3D Slicer General Anatomy list"
_CATEGORY = "SCT^91723000^Anatomical Structure"
_REGION = "Anatomic codes - DICOM master list~SCT^102292000^Muscle of lower limb~^^"


@dataclass(frozen=True)
class DefaultMuscle:
    """One muscle: segment `name`, full `title`, RGB `color` (0 to 1), SNOMED CT `code` and the `label` value in the
    public Leg-3D-US data set (doi 10.1007/s11548-024-03170-7)."""

    name: str
    title: str
    color: tuple[float, float, float]
    code: str
    meaning: str
    label: int

    @property
    def terminology(self) -> str:
        """The value of Slicer's `TerminologyEntry` tag."""
        return f"{_LIST}~{_CATEGORY}~SCT^{self.code}^{self.meaning}~^^~{_REGION}"


GM = DefaultMuscle("GM", "Gastrocnemius medialis", (0.84, 0.37, 0.30), "213689008", "Gastrocnemius medialis", 150)
GL = DefaultMuscle("GL", "Gastrocnemius lateralis", (0.27, 0.55, 0.83), "213588009", "Gastrocnemius lateralis", 200)
SOL = DefaultMuscle("SOL", "Soleus", (0.93, 0.72, 0.27), "181702007", "Soleus muscle", 100)
DEFAULT_MUSCLES = (GM, GL, SOL)


def default_for_name(name: str) -> DefaultMuscle | None:
    """The default muscle that a segment of this name is, by short or full name in any case."""
    wanted = name.strip().casefold()
    return next((m for m in DEFAULT_MUSCLES if wanted in (m.name.casefold(), m.title.casefold())), None)


def default_for_label(label: int) -> DefaultMuscle | None:
    """The muscle of a Leg-3D-US label value."""
    return next((m for m in DEFAULT_MUSCLES if m.label == label), None)


def default_for_terminology(entry: str) -> DefaultMuscle | None:
    """The muscle of a `TerminologyEntry` tag, by its code alone: lists and regions differ between writers."""
    return next((m for m in DEFAULT_MUSCLES if f"~SCT^{m.code}^" in entry), None)


def default_for_segment(name: str, tags: Mapping[str, str]) -> DefaultMuscle | None:
    """The default muscle that a segment of this name and these tags is, by its name if that tells, else by its code."""
    return default_for_name(name) or default_for_terminology(tags.get("TerminologyEntry", ""))
