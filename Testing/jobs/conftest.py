"""Workers with the stand-in engine, and small jobs for them."""

import pytest
from stand_ins import STAND_IN, small_annotations, small_volume

from MusclePropLib.jobs.channel import PipeChannel
from MusclePropLib.jobs.job import write_job
from MusclePropLib.jobs.runner import Runner


@pytest.fixture
def make_job(tmp_path):
    def make(behaviour="quick"):
        return write_job(small_volume(), small_annotations(), {"behaviour": behaviour}, tmp_path)

    return make


@pytest.fixture(scope="session")
def warm_runner():
    """One worker for all tests that leave it alive."""
    with Runner(PipeChannel(STAND_IN)) as runner:
        yield runner


@pytest.fixture
def fresh_runner():
    """A worker of its own for a test that harms it."""
    with Runner(PipeChannel(STAND_IN)) as runner:
        yield runner
