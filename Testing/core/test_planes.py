"""Arrays are written and copied in small steps, whatever their order in memory."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MusclePropLib.core import planes, steps
from MusclePropLib.core.annotations import Annotations, MuscleAnnotation, annotations_written, load_annotations

DTYPES = st.sampled_from([np.uint8, np.int16, np.float32, np.float64])
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 150))
ORDERS = st.permutations(range(3))


@st.composite
def views(draw):
    """Views with their axes in any order, some reversed, some cut out of a larger array."""
    array = draw(DTYPES.flatmap(lambda dtype: SHAPES.flatmap(lambda shape: arrays(dtype, shape))))
    whole = array[tuple(slice(draw(st.integers(0, 2)), None, draw(st.sampled_from([1, -1]))) for _ in range(3))]
    return (whole if whole.size else array).transpose(draw(ORDERS))


@given(views(), st.sampled_from([1, 700, 1 << 25]))
def test_written_as_numpy_would(view, held):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planes, "HELD_BYTES", held)
        stream = io.BytesIO()
        for _ in steps.array_written(stream, view):
            pass
    assert np.array_equal(np.load(io.BytesIO(stream.getvalue())), view, equal_nan=True)


@given(views(), st.data())
def test_planes_are_those_asked_for(view, data):
    wanted = sorted(data.draw(st.sets(st.integers(0, len(view) - 1))))
    seen = {}
    for group in planes.groups(view, wanted):
        held = steps.finished(planes.held(view, group))
        seen |= {int(t): held[t - group[0]] for t in group}
    assert list(seen) == wanted
    assert all(np.array_equal(plane, view[index], equal_nan=True) for index, plane in seen.items())


@given(views(), st.sampled_from([1, 700, 1 << 19]))
def test_highest_of_each_plane(view, block):
    labels = (np.nan_to_num(view) % 251).astype(np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planes, "BLOCK_BYTES", block)
        found = steps.finished(planes.highest(labels))
    np.testing.assert_array_equal(found, labels.max(axis=(1, 2), initial=0))


class Watched(np.ndarray):
    """Notes how much each assignment takes."""

    def __setitem__(self, key, value):
        self.taken.append(value.nbytes)
        super().__setitem__(key, value)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_no_step_of_copying_takes_more_than_a_block(axis):
    source = np.moveaxis(np.zeros((70, 300, 200), np.uint8), axis, 0)
    target = np.empty(source.shape, np.uint8).view(Watched)
    target.taken = []
    for count, _ in enumerate(planes.copied(target, source), start=1):
        assert len(target.taken) == count
    assert sum(target.taken) == source.nbytes
    assert max(target.taken) <= max(planes.BLOCK_BYTES, source[:, :1].nbytes)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_no_step_of_writing_takes_more_than_a_chunk(axis, monkeypatch):
    monkeypatch.setattr(steps, "CHUNK_BYTES", 1 << 16)
    monkeypatch.setattr(planes, "BLOCK_BYTES", 1 << 16)
    view = np.moveaxis(np.zeros((70, 300, 200), np.uint8), axis, 0)
    stream, before = io.BytesIO(), 0
    for _ in steps.array_written(stream, view):
        assert stream.tell() - before <= max(1 << 16, view[0].nbytes) + 200  # and the header
        before = stream.tell()
    assert before > view.nbytes


def test_slices_across_the_grain_are_held_but_not_all_of_them():
    shape, strides = (2270, 632, 1372), (632 * 1372, 1372, 1)
    full_grid = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), shape, strides)  # has no voxels to be read
    lanes = [planes.together(np.moveaxis(full_grid, axis, 0)) for axis in range(3)]
    assert lanes[:2] == [1, 1]
    assert 16 <= lanes[2] <= planes.LINE_BYTES
    assert lanes[2] * 2270 * 632 <= planes.HELD_BYTES


class Counted(dict):
    """Counts how often a mask is looked up."""

    looked = 0

    def __getitem__(self, key):
        self.looked += 1
        return super().__getitem__(key)


def test_annotations_are_written_one_slice_at_a_step(tmp_path):
    rng = np.random.default_rng(0)
    drawn, never = (Counted({t: rng.random((30, 41)) > 0.5 for t in those}) for those in ((7, 2, 5), (1, 3)))
    annotations = Annotations((9, 30, 41), [MuscleAnnotation("GM", drawn, frozenset({8}))], never)
    before = 0
    for _ in annotations_written(annotations, tmp_path / "it.npz"):
        assert drawn.looked + never.looked - before <= 1
        before = drawn.looked + never.looked
    read = load_annotations(tmp_path / "it.npz")
    assert all(np.array_equal(read.muscles[0].drawn[t], drawn[t]) for t in (2, 5, 7))
    assert sorted(read.muscles[0].drawn) == [2, 5, 7]
    assert all(np.array_equal(read.not_muscle[t], never[t]) for t in (1, 3))
