"""The runner against a scripted channel: exactly one final event per job, whatever comes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import SHAPE

from MusclePropLib.core import steps
from MusclePropLib.jobs import runner as runner_module
from MusclePropLib.jobs.job import Job, write_result
from MusclePropLib.jobs.protocol import Event, encode, failed
from MusclePropLib.jobs.runner import CANCEL_GRACE, Runner, run_to_end


class ScriptedChannel:
    def __init__(self):
        self.output = self.errors = self.written = b""
        self.starts = 0
        self.lives = self.killed = False

    def start(self):
        self.starts += 1
        self.lives = True

    def write(self, data):
        if not self.lives:
            raise BrokenPipeError
        self.written += data

    def read(self):
        output, self.output = self.output, b""
        return output

    def read_errors(self):
        errors, self.errors = self.errors, b""
        return errors

    def alive(self):
        return self.lives

    def end(self):
        self.lives = False

    def kill(self):
        self.lives, self.killed = False, True


@pytest.fixture
def channel():
    return ScriptedChannel()


READY = Event("ready", data={"version": "1", "pid": 1, "python": "python"}).line()


def job(name="a", folder=Path("/nowhere")):
    return Job(name, folder, SHAPE, ("GM",))


def test_second_job_has_to_wait(channel):
    runner = Runner(channel)
    runner.submit(job())
    with pytest.raises(RuntimeError, match="under way"):
        runner.submit(job("b"))


def test_events_of_another_job_are_dropped(channel):
    runner = Runner(channel)
    runner.submit(job("new"))
    channel.output = failed("old", "late").line() + Event("stage", "old", {"name": "x", "text": ""}).line()
    assert [e.name for e in runner.poll()] == ["log"]
    assert runner.busy


def test_garbage_on_stdout_becomes_log(channel):
    runner = Runner(channel)
    runner.submit(job())
    channel.output = b"\xff\x00 noise\n{}\n" + failed("a", "so").line()
    assert [e.name for e in runner.poll()] == ["log", "log", "failed"]


def test_worker_without_result_file_is_a_failure(channel, tmp_path):
    runner = Runner(channel)
    runner.submit(job(folder=tmp_path))
    channel.output = Event("result", "a", {"labels": "result.npy", "summary": {}}).line()
    assert [e.name for e in runner.poll()] == ["failed"]


def test_last_words_of_a_dead_worker_are_read(channel):
    runner = Runner(channel)
    runner.submit(job())
    channel.lives, channel.output, channel.errors = False, failed("a", "the last").line(), b"stack"
    assert [e.data.get("message") for e in runner.poll() if e.final] == ["the last"]


def test_death_while_idle_is_no_failure(channel):
    runner = Runner(channel)
    runner.warm_up()
    channel.lives = False
    assert [e.name for e in runner.poll()] == ["log"]
    runner.submit(job())
    assert channel.starts == 2


def test_failure_carries_the_tail_of_stderr(channel):
    runner = Runner(channel)
    runner.submit(job())
    channel.errors = b"x" * 100_000 + b"Illegal instruction"
    channel.lives = False
    (event,) = runner.poll()
    assert event.data["details"].endswith("Illegal instruction")
    assert len(event.data["details"]) < 10_000
    assert channel.killed  # its children


def test_unanswered_cancel_kills(channel):
    now = [0.0]
    runner = Runner(channel, clock=lambda: now[0])
    runner.submit(job())
    channel.output = READY
    assert [e.name for e in runner.poll()] == ["ready"]
    runner.cancel()
    assert runner.poll() == []
    now[0] = CANCEL_GRACE + 1
    assert [e.name for e in runner.poll()] == ["cancelled"]
    assert channel.killed
    runner.submit(job("b"))
    assert channel.starts == 2


def test_cancel_does_not_wait_for_a_worker_that_is_still_starting(channel):
    runner = Runner(channel)
    runner.submit(job())
    runner.cancel()
    assert [e.name for e in runner.poll()] == ["cancelled"]
    assert not channel.killed and b'"cancel"' in channel.written
    runner.submit(job("b"))
    channel.output = READY + Event("cancelled", "a").line()
    assert [e.name for e in runner.poll()] == ["ready"]
    assert runner.busy and channel.starts == 1


def test_result_after_a_cancel_is_not_delivered(channel, tmp_path):
    runner = Runner(channel)
    runner.submit(job(folder=tmp_path))
    runner.cancel()
    channel.output = Event("result", "a", {"labels": "result.npy", "summary": {}}).line()
    assert [e.name for e in runner.poll()] == ["cancelled"]


def test_stop_and_cancel_without_a_job_say_nothing(channel):
    runner = Runner(channel)
    runner.stop()
    runner.cancel()
    runner.close()
    assert channel.written == b""
    assert runner.poll() == []


def test_interrupt_without_a_job_is_not_swallowed(channel):
    def interrupt(event):
        raise KeyboardInterrupt

    channel.output = failed("a", "so").line()
    with pytest.raises(KeyboardInterrupt):
        run_to_end(Runner(channel), job(), interrupt)


lines = st.one_of(
    st.binary(max_size=30).map(lambda noise: noise + b"\n"),
    st.sampled_from(["a", "b"]).map(lambda name: failed(name, "x").line()),
    st.sampled_from(["a", "b"]).map(lambda name: Event("cancelled", name).line()),
    st.sampled_from(["a", "b"]).map(
        lambda name: Event("result", name, {"labels": "../../etc", "summary": {}}).line(),
    ),
    st.dictionaries(st.sampled_from(["event", "job", "text"]), st.text() | st.integers()).map(encode),
)


@given(st.lists(lines), st.lists(st.sampled_from(["poll", "stop", "cancel", "die"])))
def test_exactly_one_final_event(output, actions):
    channel = ScriptedChannel()
    runner = Runner(channel)
    runner.submit(job())
    channel.output = b"".join(output)
    events = []
    for action in actions:
        if action == "die":
            channel.lives = False
        else:
            events += getattr(runner, action)() or []
    events += runner.poll()
    channel.lives = False
    for _ in range(3):
        events += runner.poll()
    assert sum(e.final for e in events) == 1
    assert not runner.busy


@pytest.fixture
def whole(channel, tmp_path, monkeypatch):
    """A runner whose worker has just sent a good result, of which one slice is looked through at a poll."""
    monkeypatch.setattr(steps, "CHUNK_BYTES", 1)
    monkeypatch.setattr(runner_module, "CHECK_SECONDS", 0.0)
    write_result(tmp_path, np.zeros(SHAPE, np.uint8), {"a": 1})
    runner = Runner(channel)
    runner.submit(job(folder=tmp_path))
    channel.output = READY + Event("result", "a", {"labels": "result.npy", "summary": {"a": 1}}).line()
    return runner


def names(runner, polls):
    return [e.name for _ in range(polls) for e in runner.poll()]


def test_a_result_is_looked_through_bit_by_bit(whole):
    assert names(whole, SHAPE[0]) == ["ready"]
    assert whole.busy
    assert names(whole, 1) == ["result"]
    assert not whole.busy


def test_a_worker_that_dies_after_its_result_has_done_its_duty(whole, channel):
    assert names(whole, 1) == ["ready"]
    channel.lives = False
    assert names(whole, SHAPE[0]) == ["result"]


def test_a_cancel_does_not_wait_for_the_look(whole, channel):
    assert names(whole, 1) == ["ready"]
    whole.cancel()
    assert names(whole, 2) == ["cancelled"]
    assert not channel.killed
