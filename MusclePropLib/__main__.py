"""`python -m MusclePropLib` is `muscleprop`."""

import sys

from MusclePropLib.cli import main

if __name__ == "__main__":
    sys.exit(main())
