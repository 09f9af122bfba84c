import os
from pathlib import Path

import hypothesis
import pytest

REAL = Path(os.environ.get("MUSCLEPROP_REAL", Path(__file__).resolve().parents[3] / "shared" / "real"))

hypothesis.settings.register_profile("unhurried", deadline=None)  # a loaded machine is no failure
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def real():
    """Folder of the real volumes; tests that need it skip where it is absent."""
    if not REAL.is_dir():
        pytest.skip("no real volumes; set MUSCLEPROP_REAL to their folder")
    return REAL
