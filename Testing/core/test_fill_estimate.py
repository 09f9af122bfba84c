"""What is said of Fill between slices is true of it, and never in the way of a propagation."""

import numpy as np
import pytest

from MusclePropLib.core.guided import fill_estimate
from MusclePropLib.core.guided.fill_estimate import STEPS, FillEstimate, gaps
from MusclePropLib.core.metrics import score
from MusclePropLib.core.phantom import simulate_calf
from MusclePropLib.core.progress import Progress
from MusclePropLib.core.propagation import Cancelled, Settings, propagate
from MusclePropLib.core.rivals import RIVALS, fill, masks_of
from MusclePropLib.core.rivals.isolated import Isolated, run_isolated
from MusclePropLib.core.sparsify import covering
from Testing.core.tubes import annotate, tube, volume_of

DRAFTS_ONLY = Settings(method="interpolation")
needs_the_filter = pytest.mark.skipif(not fill.available(), reason="needs the slicer-core wheel")


@needs_the_filter
@pytest.mark.parametrize("share", [1.0, 0.8], ids=["ends drawn", "ends not drawn"])
def test_it_is_close_to_the_truth(share):
    calf = simulate_calf(11, (40, 64, 84))
    truth = {name: calf.labels == value for value, name in enumerate(calf.names, 1)}
    drawn = {n: covering(np.flatnonzero(m.any(axis=(1, 2))), 5, share, (1 - share) / 2) for n, m in truth.items()}
    annotations = annotate(truth, drawn)
    filled = masks_of(RIVALS["fill"], calf.volume, annotations)
    for outcome, mask in zip(propagate(calf.volume, annotations, DRAFTS_ONLY).muscles, filled, strict=True):
        dice = score(mask, truth[outcome.name], calf.volume.geometry, drawn[outcome.name]).dice
        assert outcome.fill_estimate == pytest.approx(dice, abs=0.08), outcome.name


@needs_the_filter
def test_a_long_gap_gives_the_same_with_fewer_slices():
    _, mask = tube(slices=61, drift=(0.2, 0.1))
    muscle = annotate({"SOL": mask}, [0, 21, 60]).muscles[0]
    (gap,) = gaps(muscle)
    assert len(gap.stack) <= STEPS + 1 and (gap.truth.sum(), gap.stack.any(axis=(1, 2)).sum()) == (mask[21].sum(), 2)
    whole = np.zeros(mask.shape, np.uint8)
    whole[[0, 60]] = mask[[0, 60]]
    filled = run_isolated(fill.__name__, {"thinned": gap.stack, "whole": whole}, 60)
    found, expected = (filled["thinned"][gap.place] > 0).sum(), (filled["whole"][21] > 0).sum()
    assert found == pytest.approx(expected, rel=0.03)


def warnings(events):
    return [e["text"] for e in events if e["event"] == "log" and e["level"] == "warning"]


def with_three_drawn(**more):
    image, mask = tube()
    events = []
    result = propagate(volume_of(image), annotate({"SOL": mask}, [0, 6, 12]), DRAFTS_ONLY, events.append, **more)
    return result.summary()["muscles"][0], warnings(events)


def test_without_the_filter_the_interpolation_is_what_there_is(monkeypatch):
    monkeypatch.setattr(fill, "SOURCES", ("no_such_package_anywhere",))
    outcome, warned = with_three_drawn()
    assert outcome["fill_estimate"] is None and 0 < outcome["interpolation_estimate"] <= 1
    assert not warned


def isolated_at_fault(module, arrays):
    return Isolated("Testing.core.isolated_samples", {"raises": np.zeros(1)})


def no_process(module, arrays):
    raise OSError("no room for another process")


@pytest.mark.parametrize("fault", [isolated_at_fault, no_process])
def test_its_failure_is_a_warning(fault, monkeypatch):
    monkeypatch.setattr(fill, "available", lambda: True)
    monkeypatch.setattr(fill_estimate, "Isolated", fault)
    outcome, warned = with_three_drawn()
    assert outcome["fill_estimate"] is None and outcome["estimate"] > 0.8
    assert len(warned) == 1 and "Fill between slices" in warned[0]


def test_two_drawn_slices_tell_nothing_of_it():
    _, mask = tube()
    assert gaps(annotate({"SOL": mask}, [0, 12]).muscles[0]) == []
    with FillEstimate(annotate({"SOL": mask}, [0, 12]).muscles, Progress(9.0, None, None)) as fill:
        assert np.isnan(fill.of([None])).all()


def test_cancelling_ends_its_process(monkeypatch):
    started = []

    def hanging(module, arrays):
        started.append(Isolated("Testing.core.isolated_samples", {"waits": np.zeros(1)}))
        return started[0]

    monkeypatch.setattr(fill, "available", lambda: True)
    monkeypatch.setattr(fill_estimate, "Isolated", hanging)
    with pytest.raises(Cancelled):
        with_three_drawn(control=lambda: "cancel" if started else "")
    assert not started[0].running
