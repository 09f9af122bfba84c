"""A figure is stale once the method's files have changed since, but for commits that are known to change no figure."""

import subprocess

import pytest

from MusclePropLib.core.benchmark import provenance


@pytest.fixture
def commit_of(tmp_path, monkeypatch):
    """A repository whose `method.py` is the method; commits a text of it or of another file, answers the hash."""

    def git(*arguments):
        who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
        done = subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(text, name="method.py"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        git("add", name)
        git("commit", "-m", text)
        provenance.is_stale.cache_clear()
        return git("rev-parse", "--short", "HEAD")

    git("init")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    monkeypatch.setattr(provenance, "METHOD", ("method.py",))
    yield commit
    provenance.is_stale.cache_clear()


def test_a_figure_is_stale_once_the_method_changes(commit_of):
    first = commit_of("one")
    commit_of("something else", "other.py")
    assert not provenance.is_stale(first)
    second = commit_of("two")
    assert provenance.is_stale(first)
    assert not provenance.is_stale(second)


def test_what_was_measured_nowhere_or_at_an_unknown_commit_is_stale(commit_of):
    commit_of("one")
    assert provenance.is_stale("")
    assert provenance.is_stale("0123abc")


def test_a_commit_that_is_known_to_change_no_figure_makes_none_stale(commit_of, monkeypatch):
    before = commit_of("one")
    faster = commit_of("one, faster")
    monkeypatch.setattr(provenance, "ALIKE", (faster,))
    assert not provenance.is_stale(before)
    assert not provenance.is_stale(faster)
    after = commit_of("two")
    assert provenance.is_stale(before)
    assert provenance.is_stale(faster)
    assert not provenance.is_stale(after)


def test_a_change_before_such_a_commit_still_makes_figures_stale(commit_of, monkeypatch):
    before = commit_of("one")
    better = commit_of("two")
    monkeypatch.setattr(provenance, "ALIKE", (commit_of("two, faster"),))
    assert provenance.is_stale(before)
    assert not provenance.is_stale(better)
