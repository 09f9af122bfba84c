"""The worker process behind the runner: results, failures, chatter, and what happens when something dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from stand_ins import STAND_IN, finish, running, small_annotations, small_volume, until, until_event

from MusclePropLib.jobs.channel import PipeChannel
from MusclePropLib.jobs.job import read_result
from MusclePropLib.jobs.runner import Runner, run_to_end

posix = pytest.mark.skipif(os.name == "nt", reason="signals and /proc")


def submit(runner, job):
    runner.submit(job)
    return finish(runner)


def test_result_comes_back_as_drawn(warm_runner, make_job):
    with make_job() as job:
        events = submit(warm_runner, job)
        names = [e.name for e in events if e.name not in ("ready", "log")]
        assert names == ["stage", "preview", "progress", "preview", "result"]
        preview = next(e for e in events if e.name == "preview")
        drawn = small_annotations().muscles[0].drawn[5]
        assert np.array_equal(np.load(job.folder / preview.data["file"])[5] == 1, drawn)
        result = read_result(job)
        assert np.array_equal(result.labels[5] == 1, drawn)
        assert result.summary["total"] == small_volume().array.sum()
    assert not job.folder.exists()


def test_what_the_computing_leaves_behind_goes_with_the_job(warm_runner, make_job):
    with make_job() as one, make_job() as two:
        for job in (one, two):
            left = Path(submit(warm_runner, job)[-1].data["summary"]["temporary"])
            assert left.is_dir() and left.parent == job.folder
    assert not left.exists()


def test_the_last_preview_of_a_large_result_says_which_voxels_it_has(monkeypatch):
    from MusclePropLib.jobs import worker

    monkeypatch.setattr(worker, "PREVIEW_VOXELS", 1000)
    labels = np.random.default_rng(0).integers(0, 3, (5, 40, 43)).astype(np.uint8)
    preview = worker._preview_of(labels)
    assert preview["strides"] == [1, 3, 3]
    assert np.array_equal(preview["labels"], labels[:, ::3, ::3])


def test_numbers_that_are_not_finite_become_null(warm_runner, make_job):
    with make_job() as job:
        progress = next(e for e in submit(warm_runner, job) if e.name == "progress")
    assert progress.data["loss"] is None
    assert progress.data["seconds_left"] == 1


def test_worker_stays_warm(warm_runner, make_job):
    with make_job() as one, make_job() as two:
        first, second = (submit(warm_runner, job)[-1].data["summary"] for job in (one, two))
    assert first["pid"] == second["pid"]
    assert second["rounds"] == first["rounds"] + 1


@pytest.mark.parametrize(("written", "goes_on"), [('"afresh": true', False), ('"afresh": false', True), ("", True)])
def test_a_job_goes_on_from_the_one_before_unless_it_says_that_it_begins_afresh(
    warm_runner, make_job, written, goes_on
):
    with make_job() as one, make_job() as two:
        path = two.folder / "job.json"
        head = path.read_text(encoding="utf-8")
        assert ', "afresh": false' in head
        path.write_text(head.replace(', "afresh": false', f", {written}" if written else ""), encoding="utf-8")
        submit(warm_runner, one)
        assert submit(warm_runner, two)[-1].data["summary"]["went_on"] is goes_on


def test_cancel_leaves_an_idle_worker(warm_runner, make_job):
    with make_job("slow") as job, make_job() as other:
        warm_runner.submit(job)
        until_event(warm_runner, "preview")
        warm_runner.cancel()
        assert finish(warm_runner)[-1].name == "cancelled"
        assert not warm_runner.busy
        assert not (job.folder / "result.npy").exists()
        assert submit(warm_runner, other)[-1].name == "result"


def test_cancel_before_the_worker_begins(fresh_runner, make_job):
    with make_job("slow") as job:
        fresh_runner.submit(job)
        fresh_runner.cancel()
        assert [e.name for e in finish(fresh_runner) if e.name != "ready"] == ["cancelled"]


def test_stop_keeps_the_best(warm_runner, make_job):
    with make_job("slow") as job:
        warm_runner.submit(job)
        until_event(warm_runner, "progress")
        warm_runner.stop()
        final = finish(warm_runner)[-1]
        assert (final.name, final.data["summary"]["how"]) == ("result", "stopped")
        assert read_result(job).labels.any()


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("bad_input", "sweep.nrrd: nothing is drawn"),
        ("fault", "The computation stopped because of an unexpected fault (ZeroDivisionError: division by zero)"),
        ("no_memory", "memory ran out"),
        ("leaves", "The computation stopped"),
        ("many_labels", "without a usable result"),
        ("other_shape", "without a usable result"),
        ("not_finite", "without a usable result"),
    ],
)
def test_failure_is_one_sentence_and_spares_the_worker(warm_runner, make_job, behaviour, words):
    with make_job(behaviour) as job, make_job() as other:
        events = submit(warm_runner, job)
        assert [e.name for e in events if e.final] == ["failed"]
        assert words in events[-1].data["message"]
        assert (events[-1].data["kind"] == "input") == (behaviour == "bad_input")
        assert ("Traceback" in events[-1].data["details"]) == (behaviour in ("fault", "no_memory", "leaves"))
        assert submit(warm_runner, other)[-1].name == "result"


@pytest.mark.parametrize(
    ("behaviour", "goes_on"), [("fault", False), ("no_memory", False), ("leaves", False), ("bad_input", True)]
)
def test_what_a_failed_job_may_have_half_changed_is_not_gone_on_with(warm_runner, make_job, behaviour, goes_on):
    with make_job() as before, make_job(behaviour) as job, make_job() as other:
        first = submit(warm_runner, before)[-1].data["summary"]
        assert submit(warm_runner, job)[-1].name == "failed"
        events = submit(warm_runner, other)
        second = events[-1].data["summary"]
        assert [e.name for e in events] == ["stage", "preview", "progress", "preview", "result"]
        assert np.array_equal(read_result(other).labels[5] == 1, small_annotations().muscles[0].drawn[5])
        assert second["pid"] == first["pid"]
        assert second["went_on"] is goes_on
        assert second["rounds"] == (first["rounds"] + 2 if goes_on else 1)


def test_unknown_setting_is_refused(warm_runner, make_job):
    with make_job() as job:
        path = job.folder / "job.json"
        path.write_text(path.read_text(encoding="utf-8").replace('"behaviour"', '"colour"'))
        assert "settings" in submit(warm_runner, job)[-1].data["message"]


def test_missing_folder_is_a_failure(warm_runner, make_job):
    with make_job() as gone, make_job() as other:
        gone.remove()
        assert submit(warm_runner, gone)[-1].name == "failed"
        assert submit(warm_runner, other)[-1].name == "result"


def test_library_chatter_stays_out_of_the_protocol(warm_runner, make_job):
    with make_job("chatter") as job:
        events = submit(warm_runner, job)
    assert [e.name for e in events] == ["stage", "preview", "progress", "preview", "result"]


def test_flooded_stderr_holds_nothing_up(warm_runner, make_job):
    with make_job("flood") as job:
        assert submit(warm_runner, job)[-1].name == "result"


def test_flooded_with_garbage_on_stdin(make_job):
    channel = PipeChannel(STAND_IN)
    with Runner(channel) as runner, make_job() as job:
        runner.warm_up()
        noise = np.random.default_rng(0).bytes(1 << 16)
        for _ in range(100):
            channel.write(noise)
        channel.write(b'\n{"request": "propagate", "job": 3}\n[1]\n{"request": "sing"}\n')
        events = submit(runner, job)
        assert events[-1].name == "result"


def test_flooded_with_garbage_on_stdout(make_job):
    """A program that is no worker at all: its lines are logged in small portions, and a cancel still ends it."""
    now = [0.0]
    channel = PipeChannel([sys.executable, "-c", "while True: print('x' * 200)"])
    with Runner(channel, clock=lambda: now[0]) as runner, make_job() as job:
        runner.submit(job)
        flood = until(runner.poll, "garbage")
        assert {e.name for e in flood} == {"log"}
        time.sleep(0.5)
        assert sum(len(e.data["text"]) for e in runner.poll()) < 4 << 20
        runner.cancel()
        now[0] = 60.0
        assert finish(runner)[-1].name == "cancelled"
        assert channel.wait(10.0)


def test_engine_that_cannot_be_loaded(make_job):
    with Runner(PipeChannel([*STAND_IN, "not-installed"])) as runner, make_job() as job:
        final = submit(runner, job)[-1]
        assert final.name == "failed"
        assert "PyTorch" in final.data["message"]
        assert "No module named 'torch'" in final.data["details"]


def test_program_that_does_not_exist(make_job):
    with Runner(PipeChannel(["/no/such/python"])) as runner, make_job() as job:
        final = submit(runner, job)[-1]
        assert (final.name, runner.busy) == ("failed", False)
        assert "could not be started" in final.data["message"]


@posix
@pytest.mark.parametrize("death", ["crash", "killed"])
def test_dead_worker_is_one_failure_and_is_replaced(fresh_runner, make_job, death):
    with make_job("crash" if death == "crash" else "slow") as job, make_job() as other:
        fresh_runner.submit(job)
        if death == "killed":
            until_event(fresh_runner, "progress")
            os.kill(fresh_runner.ready.data["pid"], signal.SIGKILL)
        events = finish(fresh_runner)
        first = fresh_runner.ready.data["pid"]
        assert [e.name for e in events if e.final] == ["failed"]
        assert "ended unexpectedly" in events[-1].data["message"]
        assert ("segment fault ahead" in events[-1].data["details"]) == (death == "crash")
        assert fresh_runner.poll() == []
        assert submit(fresh_runner, other)[-1].name == "result"
        assert fresh_runner.ready.data["pid"] != first


def test_a_cancel_that_the_computing_does_not_ask_for_interrupts_it(warm_runner, make_job):
    with make_job("busy") as job, make_job() as other:
        warm_runner.submit(job)
        until_event(warm_runner, "progress")
        pid = warm_runner.ready.data["pid"]
        warm_runner.cancel()
        assert finish(warm_runner)[-1].name == "cancelled"
        summary = submit(warm_runner, other)[-1].data["summary"]
        assert summary["pid"] == pid, "interrupted, not killed"
        assert summary["rounds"] == 1, "what may be half changed is not gone on with"


@posix
def test_an_interrupt_without_a_cancel_changes_nothing(warm_runner, make_job):
    with make_job("slow") as job:
        warm_runner.submit(job)
        until_event(warm_runner, "progress")
        os.kill(warm_runner.ready.data["pid"], signal.SIGINT)
        warm_runner.stop()
        assert finish(warm_runner)[-1].data["summary"] == {"how": "stopped"}


@posix
def test_deaf_worker_and_its_child_are_killed(make_job):
    now = [0.0]
    channel = PipeChannel(STAND_IN)
    with Runner(channel, clock=lambda: now[0]) as runner, make_job("deaf") as job:
        runner.submit(job)
        until_event(runner, "progress")
        child = _child_of(channel.pid)
        runner.cancel()
        now[0] = 60.0
        assert finish(runner)[-1].name == "cancelled"
        until(lambda: not running(channel.pid) and not running(child), "the end of worker and child")


@posix
def test_a_dead_workers_id_is_not_signalled_once_it_may_be_anothers(monkeypatch):
    """Ending a worker twice, as a restart does, must not reach whatever process has got its id meanwhile."""
    channel = PipeChannel([sys.executable, "-c", "pass"])
    channel.start()
    until(lambda: not channel.alive(), "the end of the program")
    channel.kill()
    assert channel.wait(10.0)
    signalled = []
    monkeypatch.setattr(os, "killpg", lambda *args: signalled.append(args))
    channel.kill()
    channel.end()
    assert channel.wait(10.0)
    assert signalled == []


@posix
def test_children_of_a_dead_worker_are_ended():
    """They are in its group, whose id stays taken until the group has been signalled."""
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '600'], stdout=2); sys.stdout.write(f'{p.pid}\\n')"
    channel = PipeChannel([sys.executable, "-c", code])
    channel.start()
    child = int(until(channel.read, "the child's id"))
    until(lambda: not channel.alive(), "the end of the program")
    assert running(child)
    channel.kill()
    until(lambda: not running(child), "the end of the child")


@posix
def test_close_ends_the_worker_in_the_middle_of_computing(make_job):
    channel = PipeChannel(STAND_IN)
    runner = Runner(channel)
    job = make_job("deaf")
    runner.submit(job)
    until_event(runner, "progress")
    child = _child_of(channel.pid)
    started = time.monotonic()
    runner.close()
    assert time.monotonic() - started < 0.5
    until(lambda: not running(channel.pid) and not running(child), "the end of worker and child", 5.0)
    assert not job.folder.exists()


@posix
@pytest.mark.parametrize("behaviour", ["deaf", "talkative"])
def test_no_orphan_survives_a_killed_client(make_job, behaviour):
    job = make_job(behaviour)
    client = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("orphan_client.py")), str(job.folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    worker = int(client.stdout.readline())
    child = _child_of(worker)
    client.kill()
    client.wait()
    client.stdout.close()
    until(lambda: not running(worker) and not running(child), "the end of worker and child", 5.0)
    assert not job.folder.exists()


@pytest.fixture
def ctrl_c():
    """Python listens to Ctrl+C, which it does not when the tests were started in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@posix
def test_ctrl_c_cancels_and_leaves_the_worker_alone(warm_runner, make_job, ctrl_c):
    def interrupt(event):
        if event.name == "preview":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(warm_runner.ready.data["pid"], signal.SIGINT)  # as a terminal does to the whole group

    with make_job("slow") as job, make_job() as other:
        assert run_to_end(warm_runner, job, interrupt).name == "cancelled"
        assert run_to_end(warm_runner, other, lambda event: None).name == "result"


def _child_of(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return int(until(lambda: children.read_text(encoding="utf-8").split(), "a child process")[0])
