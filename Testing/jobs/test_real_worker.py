"""The worker as it ships, with the real engine: a small propagation, warm from one round to the next."""

import numpy as np
import pytest
from stand_ins import finish, small_annotations, small_volume, until, until_event

from MusclePropLib.core.outcome import Settings
from MusclePropLib.jobs.channel import PipeChannel
from MusclePropLib.jobs.job import read_result, write_job
from MusclePropLib.jobs.runner import Runner


@pytest.fixture(scope="module")
def runner():
    with Runner(PipeChannel()) as runner:
        yield runner


@pytest.fixture
def job(tmp_path):
    with write_job(
        small_volume(), small_annotations(), vars(Settings(time_limit=3.0, weights="none")), tmp_path
    ) as job:
        yield job


def test_drawn_slices_come_back_and_previews_load(runner, job):
    runner.submit(job)
    events = finish(runner)
    assert events[0].name == "ready"
    assert events[-1].name == "result", events[-1].data
    drawn = small_annotations().muscles[0].drawn
    labels = read_result(job).labels
    for t, mask in drawn.items():
        assert np.array_equal(labels[t] == 1, mask)
    previews = [e for e in events if e.name == "preview"]
    assert previews
    for preview in previews:
        strides = preview.data["strides"]
        expected = tuple(-(-n // s) for n, s in zip(labels.shape, strides, strict=True))
        assert np.load(job.folder / preview.data["file"]).shape == expected
    assert {e.name for e in events} <= {"ready", "stage", "progress", "preview", "result"}


def test_summary_tells_what_the_command_line_prints(runner, job):
    runner.submit(job)
    summary = finish(runner)[-1].data["summary"]
    assert summary["muscles"][0].keys() >= {"name", "method", "estimate", "volume_ml", "drawn_slices"}
    assert summary["peak_memory_mb"] > 0
    assert {"next_slice", "seconds", "provenance", "confidence"} <= summary.keys()


def stages(runner, job):
    """Names of the stages of a propagation that is stopped as soon as it begins to learn."""
    runner.submit(job)
    told = []

    def learning():
        told.extend(event.data["name"] for event in runner.poll() if event.name == "stage")
        return "tune" in told

    until(learning, "the stage tune")
    runner.stop()
    assert finish(runner)[-1].name == "result"
    return told


def test_what_one_job_has_learned_is_for_the_next_unless_that_begins_afresh(runner, tmp_path):
    """Two raters' drawings of one volume, say; the pretrained network corrects only where none has learned yet."""
    settings, drawn = vars(Settings(time_limit=60.0, weights="none", device="cpu")), small_annotations()
    with (
        write_job(small_volume(), drawn, settings, tmp_path) as first,
        write_job(small_volume(), drawn, settings, tmp_path) as next_round,
        write_job(small_volume(), drawn, settings, tmp_path, afresh=True) as other,
    ):
        assert "correct" in stages(runner, first)
        assert "correct" not in stages(runner, next_round)
        assert "correct" in stages(runner, other)


def test_cancel(runner, job):
    runner.submit(job)
    until_event(runner, "stage")
    runner.cancel()
    assert finish(runner)[-1].name == "cancelled"
    runner.submit(job)
    assert finish(runner)[-1].name == "result"


def test_a_device_that_is_not_there_is_the_users_fault(runner, tmp_path):
    settings = vars(Settings(device="cuda:97", time_limit=3.0, weights="none"))
    with write_job(small_volume(), small_annotations(), settings, tmp_path) as job:
        runner.submit(job)
        final = finish(runner)[-1]
    assert (final.name, final.data["kind"]) == ("failed", "input")
    assert "cuda:97" in final.data["message"]
