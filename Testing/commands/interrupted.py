"""`muscleprop` with the stand-in engine, as a process of its own that can be interrupted."""

import signal
import sys
from pathlib import Path

from MusclePropLib.cli import main
from MusclePropLib.jobs import channel

channel.WORKER_SCRIPT = Path(__file__).parents[1] / "jobs" / "stand_in_worker.py"
# A shell's background jobs begin with Ctrl-C ignored, and so would what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
