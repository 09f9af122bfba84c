"""What the commands show of a job under way."""

import io

from MusclePropLib.commands.common import Progress
from MusclePropLib.jobs.protocol import Event


class Terminal(io.StringIO):
    def isatty(self):
        return True


EVENTS = [
    Event("stage", "a", {"name": "prior", "text": "Carrying the contours"}),
    Event("progress", "a", {"fraction": 0.25, "loss": 0.5, "seconds_left": 30.0, "estimate": {"GM": 0.91, "GL": None}}),
    Event("progress", "a", {"fraction": None, "loss": None}),
    Event("log", data={"level": "warning", "text": "out of memory: shorter clips"}),
]


def test_bar_on_a_terminal():
    stream = Terminal()
    with Progress("leg: ", stream) as progress:
        for event in EVENTS:
            progress(event)
            progress._bar.refresh()
    shown = stream.getvalue()
    for words in ("leg: Carrying the contours", " 25%", "loss 0.500", "estimated Dice GM 0.91", "30 s left", "shorter"):
        assert words in shown


def test_plain_lines_elsewhere():
    stream = io.StringIO()
    with Progress("", stream) as progress:
        for event in EVENTS:
            progress(event)
    assert stream.getvalue() == "Carrying the contours\nout of memory: shorter clips\n"
