"""Devices, and the retreat when memory runs out."""

import pytest
import torch

from MusclePropLib.core.device import (
    Plan,
    autocast,
    check_device,
    choose_device,
    inference_dtype,
    training_dtype,
    with_memory_fallback,
)
from MusclePropLib.core.errors import InputError

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def no_cuda_needed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)


def failing(times: int, fault: Exception):
    """Work that fails `times` times and notes the plans it was given."""
    plans = []

    def work(plan):
        plans.append(plan)
        if len(plans) <= times:
            raise fault
        return "done"

    return work, plans


def test_memory_retreats_in_order_and_says_so():
    work, plans = failing(4, RuntimeError("CUDA out of memory"))
    events = []
    assert with_memory_fallback(work, Plan(CUDA, frames=16), events.append) == "done"
    assert [(p.device.type, p.frames, p.checkpointing) for p in plans] == [
        ("cuda", 16, False),
        ("cuda", 8, False),
        ("cuda", 4, False),
        ("cuda", 4, True),
        ("cpu", 4, True),
    ]
    assert [(e["event"], e["level"]) for e in events] == [("log", "warning")] * 4
    assert "8 slices" in events[0]["text"] and "checkpointing" in events[2]["text"] and "processor" in events[3]["text"]


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        RuntimeError("MPS backend out of memory (MPS allocated: 17.9 GB)"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes"),
    ],
)
def test_every_kind_of_exhaustion_is_recognised(fault):
    work, plans = failing(1, fault)
    assert with_memory_fallback(work, Plan(torch.device("cpu"), frames=8)) == "done"
    assert plans[1].frames == 4


def test_exhaustion_without_a_way_out_passes_on():
    work, plans = failing(99, MemoryError())
    with pytest.raises(MemoryError):
        with_memory_fallback(work, Plan(torch.device("cpu"), frames=8))
    assert len(plans) == 3


def test_other_errors_pass_at_once():
    work, plans = failing(99, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        with_memory_fallback(work, Plan(CUDA, frames=16))
    assert len(plans) == 1


def test_auto_is_a_device_that_works():
    assert torch.ones(1, device=choose_device("auto")).item() == 1


@pytest.mark.parametrize("name", ["cuda:99", "abacus", ""])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(InputError, match=f"'{name}'"):
        choose_device(name)


def test_the_cpu_never_trains_in_reduced_precision():
    cpu = torch.device("cpu")
    assert training_dtype(cpu) is None
    assert inference_dtype(cpu) in (None, torch.bfloat16)
    with autocast(cpu, None):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


def test_a_device_is_checked_without_being_used(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "empty", None)
    check_device("cuda")
    check_device("cuda:1")
    with pytest.raises(InputError, match="'cuda:2' is not available"):
        check_device("cuda:2")


@pytest.mark.parametrize("name", ["abacus", "cuda:x"])
def test_a_device_that_there_is_not(name):
    with pytest.raises(InputError, match=f"'{name}' is not available"):
        check_device(name)
