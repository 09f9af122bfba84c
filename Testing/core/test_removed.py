"""A folder is deleted bit by bit, and whatever it holds."""

from MusclePropLib.core import files
from MusclePropLib.core.steps import finished


def test_long_files_get_shorter_step_by_step(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "REMOVE_BYTES", 10)
    folder = tmp_path / "job"
    (folder / "within").mkdir(parents=True)
    (folder / "within" / "short").write_bytes(b"1")
    (folder / "long").write_bytes(bytes(95))
    steps, sizes = files.removed(folder), []
    for _ in steps:
        sizes.append((folder / "long").stat().st_size)
    assert sizes == list(range(85, 0, -10))
    assert not folder.exists() and tmp_path.exists()


def test_nothing_there_is_no_error(tmp_path):
    finished(files.removed(tmp_path / "job"))


def test_a_link_takes_nothing_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "REMOVE_BYTES", 10)
    (tmp_path / "mine").write_bytes(bytes(95))
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "link").symlink_to(tmp_path / "mine")
    finished(files.removed(tmp_path / "job"))
    assert (tmp_path / "mine").stat().st_size == 95
    assert not (tmp_path / "job").exists()


def test_somebody_else_deletes_it_at_the_same_time(tmp_path, monkeypatch):
    folder = tmp_path / "job"
    folder.mkdir()
    monkeypatch.setattr(files.Path, "is_dir", lambda self, **_: True)  # it was there a moment ago
    folder.rmdir()
    finished(files.removed(folder))
