"""`muscleprop COMMAND ...`: finds the command's module, parses its arguments, turns faults into a sentence.

Exit status: 0 done, 1 something went wrong, 2 the input or the arguments are unusable, 130 cancelled with Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import pkgutil
import sys
from collections.abc import Sequence

from MusclePropLib import __version__, commands
from MusclePropLib.commands.common import CommandFailed
from MusclePropLib.core.errors import InputError

DESCRIPTION = "Propagate a few outlined slices of muscles through a 3D ultrasound volume, and measure the muscles."
ORDER = (
    *("demo", "propagate", "batch", "measure", "report", "export"),
    *("evaluate", "sparsify", "phantom", "benchmark", "train"),
)
EPILOG = """a first look:
  muscleprop demo -o demo

your own volume:
  muscleprop propagate leg.nrrd leg-annotations.seg.nrrd -o leg-muscles.seg.nrrd

each command explains itself:
  muscleprop propagate --help
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # Windows: a pipe takes the letters of one region only
    try:
        parser = build_parser(argv)
        if not argv:
            parser.print_help()
            return 2
        args = parser.parse_args(argv)
        return args.run(args)
    except InputError as fault:
        return _complain(str(fault), 2)
    except CommandFailed as fault:
        return _complain(str(fault), 1)
    except KeyboardInterrupt:
        return _complain("cancelled", 130)
    except BrokenPipeError:  # the reader of stdout, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as fault:  # a disk that is full, a folder that may not be written to
        return _complain(f"{fault.filename}: {fault.strerror}" if fault.filename else str(fault), 1)


def command_names() -> list[str]:
    """The commands that are there, the most used ones first."""
    found = {m.name for m in pkgutil.iter_modules(commands.__path__) if not m.name.startswith("_")} - {"common"}
    known = [name for name in ORDER if name in found]
    return known + sorted(found - set(known))


def build_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser for `argv`: of one command if it names one, so that no other command's module is imported."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("muscleprop", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"muscleprop {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    names = command_names()
    wanted = argv[0].replace("-", "_") if argv else ""
    for name in [wanted] if wanted in names else names:
        module = importlib.import_module(f"{commands.__name__}.{name}")
        text = module.HELP[0].upper() + module.HELP[1:] + "."
        epilog = "example:\n  " + module.EXAMPLE.replace("\n", "\n  ")
        sub = subparsers.add_parser(
            name.replace("_", "-"), help=module.HELP, description=text, epilog=epilog, formatter_class=raw
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def _complain(sentence: str, status: int) -> int:
    print(f"muscleprop: {sentence}", file=sys.stderr)
    return status
