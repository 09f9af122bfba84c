"""`muscleprop` with the stand-in engine, as a process of its own that can be interrupted."""

import sys
from pathlib import Path

from MusclePropLib.cli import main
from MusclePropLib.jobs import channel

channel.WORKER_SCRIPT = Path(__file__).parents[1] / "jobs" / "stand_in_worker.py"
sys.exit(main())
