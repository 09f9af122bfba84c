"""A client that starts a job, prints its worker's process id and waits to be killed."""

import sys
import time
from pathlib import Path

from stand_ins import SHAPE, STAND_IN, until_event

from MusclePropLib.jobs.channel import PipeChannel
from MusclePropLib.jobs.job import Job
from MusclePropLib.jobs.runner import Runner

channel = PipeChannel(STAND_IN)
runner = Runner(channel)
runner.submit(Job("orphan", Path(sys.argv[1]), SHAPE, ("GM",)))
until_event(runner, "progress")
print(channel.pid, flush=True)
time.sleep(600)
