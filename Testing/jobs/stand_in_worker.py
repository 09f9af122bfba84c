"""The real worker with the stand-in engine; an argument makes it fail to load."""

import sys
from pathlib import Path

sys.path[:1] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from MusclePropLib.jobs import worker  # noqa: E402


def load():
    if sys.argv[1:] == ["not-installed"]:
        raise ImportError("No module named 'torch'")
    import stand_in_engine

    return stand_in_engine


sys.exit(worker.main(load))
