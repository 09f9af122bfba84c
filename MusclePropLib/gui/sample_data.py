"""The simulated calf in Slicer's Sample Data module: bundled, so that it needs no network."""

from __future__ import annotations

import inspect
from pathlib import Path

from slicer.i18n import tr as _

CATEGORY = "MuscleProp"
FILES = {
    "SimulatedCalf.nrrd": "ef87e38198cc45977ff3356229033322b29303fc198d1b768973db1b828b8855",
    "SimulatedCalf-annotations.seg.nrrd": "02d65ceb9f6050feebd4e2443f1686f12b2dad5df6a45433aa1f7d9bc56ce4cf",
}
"""Name and SHA-256; the volume first."""


def register_sample_data(resources: Path) -> None:
    """Called once Slicer has started; `resources` is the module's folder of that name."""
    from SampleData import SampleDataLogic

    folder = resources / "SampleData"
    register = SampleDataLogic.registerCustomSampleDataSource
    kinds = "loadFileTypes" if "loadFileTypes" in inspect.signature(register).parameters else "loadFileType"
    register(
        category=CATEGORY,
        sampleName=_("Simulated calf with a few drawn slices"),
        thumbnailFileName=str(resources / "Icons" / "SimulatedCalf.png"),
        uris=[(folder / name).as_uri() for name in FILES],
        fileNames=list(FILES),
        nodeNames=["SimulatedCalf", "SimulatedCalf muscles"],
        checksums=[f"SHA256:{digest}" for digest in FILES.values()],
        **{kinds: ["VolumeFile", "SegmentationFile"]},
    )
