"""The simulated calf in Slicer's Sample Data module: bundled, so that it needs no network."""

from __future__ import annotations

import inspect
from pathlib import Path

from slicer.i18n import tr as _

CATEGORY = "MuscleProp"
FILES = {
    "SimulatedCalf.nrrd": "bc239972b1d95965ea6a7083efc79719e8548aa2787033821de47574f1f403c4",
    "SimulatedCalf-annotations.seg.nrrd": "2fd82cd10425095c6abdbdb8f8facc8dcb27647018896ab618b03cafcf661d6e",
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
