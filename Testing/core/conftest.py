import os
from pathlib import Path

import pytest

REAL = Path(os.environ.get("MUSCLEPROP_REAL", Path(__file__).resolve().parents[3] / "shared" / "real"))


@pytest.fixture(scope="session")
def real():
    """Folder of the real volumes; tests that need it skip where it is absent."""
    if not REAL.is_dir():
        pytest.skip("no real volumes; set MUSCLEPROP_REAL to their folder")
    return REAL
