"""The job folder: what is written is what is read, nothing lies about afterwards, nothing damaged passes."""

import os
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stand_ins import SHAPE, small_annotations, small_volume

from MusclePropLib.core import planes, steps
from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.volumes import Volume
from MusclePropLib.jobs import job as job_module
from MusclePropLib.jobs.job import (
    FOLDER_PREFIX,
    JobError,
    begins_afresh,
    clean_left_overs,
    read_job,
    read_result,
    release_pages,
    write_job,
    write_result,
)

shapes = st.tuples(*[st.integers(1, 5)] * 3)


@given(st.data(), shapes, st.sampled_from(["u1", "<i2", ">i2", "f4", "f8"]), st.permutations([0, 1, 2]))
def test_round_trip_of_any_view(data, shape, dtype, order):
    array = data.draw(arrays(dtype, shape, elements={"allow_nan": False} if dtype.startswith("f") else None))
    array = array.transpose(order)
    affine = np.eye(4)
    affine[:3] = data.draw(arrays(float, (3, 4), elements=st.floats(-100, 100)))
    mask = np.ones(array.shape[1:], bool)
    volume = Volume(array, Geometry(array.shape, affine), np.arange(len(array)) * 1.3, 1, "leg.nrrd")
    annotations = Annotations(array.shape, [MuscleAnnotation("GM", {0: mask}, frozenset({1}), (1.0, 0.0, 0.0))], axis=1)
    with write_job(volume, annotations, {"seed": 3}) as job:
        seen, said, settings = read_job(job.folder)
        assert np.array_equal(seen.array, array)
        assert seen.array.dtype == array.dtype
        assert np.array_equal(seen.geometry.affine, affine)
        assert np.array_equal(seen.positions, volume.positions)
        assert (seen.axis, seen.source, settings) == (1, "leg.nrrd", {"seed": 3})
        assert said.muscles[0].absent == {1}
        assert np.array_equal(said.muscles[0].drawn[0], mask)
        del seen
    assert not job.folder.exists()


@pytest.mark.parametrize("afresh", [True, False])
def test_whether_it_begins_afresh(tmp_path, afresh):
    with write_job(small_volume(), small_annotations(), {}, tmp_path, afresh) as job:
        assert begins_afresh(job.folder) is afresh


def test_no_second_copy_of_the_volume(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "CHUNK_BYTES", 1 << 18)
    monkeypatch.setattr(planes, "HELD_BYTES", 1 << 19)
    stored = np.zeros((300, 200, 200), np.uint8)
    volume = Volume(np.moveaxis(stored, 2, 0), Geometry.from_spacing((200, 300, 200), (1, 1, 1)))
    annotations = Annotations(volume.array.shape, [MuscleAnnotation("GM", {0: np.ones((300, 200), bool)})])
    tracemalloc.start()
    with write_job(volume, annotations, {}, tmp_path) as job:
        write_result(job.folder, volume.array, {})
        read_result(job)
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < stored.nbytes / 4


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux")
def test_pages_of_a_mapped_volume_are_given_back(tmp_path):
    shape = (64, 512, 512)
    volume = Volume(np.ones(shape, np.uint8), Geometry.from_spacing(shape, (1, 1, 1)))
    annotations = Annotations(shape, [MuscleAnnotation("GM", {0: np.ones(shape[1:], bool)})])
    with write_job(volume, annotations, {}, tmp_path) as job:
        mapped, _, _ = read_job(job.folder)
        before = _resident_mb()
        assert mapped.array.sum() == mapped.array.size
        assert _resident_mb() > before + 12
        release_pages(mapped)
        assert _resident_mb() < before + 4
        assert mapped.array.sum() == mapped.array.size
        del mapped


def _resident_mb():
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_annotation_of_another_grid(tmp_path):
    volume = Volume(np.zeros((3, 4, 5)), Geometry.from_spacing((3, 4, 5), (1, 1, 1)), source="leg.nrrd")
    with pytest.raises(InputError, match=r"leg\.nrrd: .*another size"):
        write_job(volume, small_annotations(), {}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_full_disk_is_noticed_before_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(job_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with pytest.raises(InputError, match="GB are free"):
        write_job(small_volume(), small_annotations(), {}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_failed_writing_leaves_no_folder(tmp_path):
    class Unwritable:
        pass

    volume = small_volume()
    volume.axis = Unwritable()
    with pytest.raises(TypeError):
        write_job(volume, small_annotations(), {}, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_patient_data_are_private(make_job):
    with make_job() as job:
        assert job.folder.stat().st_mode & 0o077 == 0


def test_left_overs_go_after_a_day(tmp_path, make_job):
    old, young, other = (tmp_path / name for name in (f"{FOLDER_PREFIX}old", f"{FOLDER_PREFIX}young", "thesis"))
    for folder in (old, young, other):
        folder.mkdir()
        (folder / "image.npy").write_bytes(b"x")
    yesterday = time.time() - 25 * 3600
    for path in (old / "image.npy", old, young, other / "image.npy", other):
        os.utime(path, (yesterday, yesterday))
    with make_job():
        assert not old.exists()
        assert young.exists()
        assert other.exists()


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_left_over_link_is_not_followed(tmp_path):
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter").write_text("1", encoding="utf-8")
    (tmp_path / f"{FOLDER_PREFIX}link").symlink_to(target)
    clean_left_overs(tmp_path, older_than=-1)
    assert (target / "chapter").exists()


LABELS = np.zeros(SHAPE, np.uint8)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LABELS[1:], "instead of uint8"),
        (LABELS.astype(np.float32), "instead of uint8"),
        (LABELS + 2, "label 2"),
        (np.array([{}], object), "could not be read"),
    ],
)
def test_result_that_is_none(make_job, labels, words):
    with make_job() as job:
        (job.folder / "result.json").write_text("{}", encoding="utf-8")
        np.save(job.folder / "result.npy", labels)
        with pytest.raises(JobError, match=words):
            read_result(job)


@pytest.mark.parametrize("name", ["result.npy", "result.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "noise"])
def test_damaged_result(make_job, name, damage):
    with make_job() as job:
        write_result(job.folder, LABELS, {"a": 1})
        read_result(job)
        path = job.folder / name
        whole = path.read_bytes()
        path.unlink()
        if damage != "gone":
            path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"\x80noise")
        with pytest.raises(JobError):
            read_result(job)


def test_result_appears_only_when_whole(make_job):
    class Broken(dict):
        def items(self):
            raise RuntimeError

    with make_job() as job:
        with pytest.raises(RuntimeError):
            write_result(job.folder, LABELS, Broken(a=1))
        assert not (job.folder / "result.json").exists()
        assert not list(job.folder.glob(".part-*"))
