import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from MusclePropLib.core.priors.stack import build_stack
from Testing.core.tubes import tube

REAL = Path(os.environ.get("MUSCLEPROP_REAL", Path(__file__).resolve().parents[3] / "shared" / "real"))

hypothesis.settings.register_profile("unhurried", deadline=None)  # a loaded machine is no failure
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def real():
    """Folder of the real volumes; tests that need it skip where it is absent."""
    if not REAL.is_dir():
        pytest.skip("no real volumes; set MUSCLEPROP_REAL to their folder")
    return REAL


@pytest.fixture(scope="module")
def stack():
    """A tube on nine slices, drawn on three of them."""
    image, mask = tube(slices=9)
    return build_stack(
        image, np.arange(9.0), (0.5, 0.5), {0: mask[0], 4: mask[4], 8: mask[8]}, frozenset(), np.arange(9)
    )
