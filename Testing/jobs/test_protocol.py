"""Lines and events: any chunking, any garbage, any number."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib.jobs.protocol import LONGEST_LINE, Event, LineSplitter, encode, failed, parse_event, parse_request

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.text(max_size=20), max_size=8), st.data())
def test_lines_survive_any_chunking(texts, data):
    stream = b"".join(encode({"text": text}) for text in texts)
    splitter, lines = LineSplitter(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        lines += splitter.feed(stream[:cut])
        stream = stream[cut:]
    assert [json.loads(line)["text"] for line in lines] == texts


def test_endless_line_does_not_fill_memory():
    splitter = LineSplitter()
    for _ in range(20):
        assert splitter.feed(b"x" * (LONGEST_LINE // 4)) == []
    assert len(splitter._rest) <= LONGEST_LINE
    assert splitter.feed(b"\nhello\n")[-1] == "hello"


@given(st.dictionaries(st.text(), json_values))
def test_every_message_is_one_strict_json_line(message):
    line = encode(message)
    assert line.count(b"\n") == 1

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(line, parse_constant=refuse)


def test_numpy_travels_as_numbers():
    message = {
        "loss": np.float32(0.5),
        "worst": np.float64("inf"),
        "t": np.int64(3),
        "slices": np.array([1.0, math.nan]),
    }
    assert json.loads(encode(message)) == {"loss": 0.5, "worst": None, "t": 3, "slices": [1.0, None]}


@given(st.text())
def test_garbage_becomes_a_log_event(line):
    assert parse_event(line).name == "log"
    assert parse_request(line) is None


def test_known_event_without_its_fields_is_garbage():
    assert parse_event('{"event": "result", "job": "a", "labels": "result.npy"}').name == "log"
    assert parse_event('{"event": "preview", "file": 3, "strides": [1, 1, 1], "step": 0}').name == "log"
    assert parse_event('{"event": "result", "labels": "../other/result.npy", "summary": {}}').name == "log"
    assert parse_event('{"event": ["result"]}').name == "log"


def test_event_round_trip():
    event = failed("7", "The disk is full.", "line 1\nline 2 \u00e9")
    assert parse_event(event.line().decode()) == event
    assert event.final
    assert not Event("stage", "7", {"name": "prior", "text": ""}).final


def test_requests():
    request = {"request": "propagate", "job": "a", "folder": "/tmp/x"}
    assert parse_request(json.dumps(request)) == request
    assert parse_request('{"request": "shutdown"}') is not None
    assert parse_request('{"request": "propagate", "job": "a"}') is None
    assert parse_request('{"request": "cancel"}') is None
