"""Where to compute: which device, in which precision, and what to do when its memory does not suffice."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from MusclePropLib.core.errors import InputError

Result = TypeVar("Result")
FEWEST_FRAMES = 4


def choose_device(name: str = "auto") -> torch.device:
    """`auto` is CUDA, else MPS, else CPU; any other name must be a device that this machine has (InputError)."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as fault:
        raise InputError(f"the computing device '{name}' is not available on this machine") from fault
    return device


def check_device(name: str) -> None:
    """InputError as `choose_device`, but none of a CUDA device's memory is taken: another process computes there."""
    cuda = re.fullmatch(r"cuda(?::(\d+))?", name)
    if cuda is None:
        choose_device(name)
    elif int(cuda[1] or 0) >= torch.cuda.device_count():
        raise InputError(f"the computing device '{name}' is not available on this machine")


def on_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """The array as a tensor on the device, without waiting for the copy where that is safe.

    CUDA has read an array of ordinary memory when it answers; MPS may read it after it is gone (pytorch issue 139550).
    """
    return torch.from_numpy(np.ascontiguousarray(array)).to(device, non_blocking=device.type == "cuda")


def training_dtype(device: torch.device) -> torch.dtype | None:
    """Reduced precision to train in, where the hardware has it: bfloat16 or float16 on CUDA; None is float32."""
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def inference_dtype(device: torch.device) -> torch.dtype | None:
    """As `training_dtype`, and bfloat16 on a CPU that computes in it; where it is emulated, float32 is quicker."""
    if device.type != "cpu":
        return training_dtype(device)
    return torch.bfloat16 if _cpu_has_bfloat16() else None


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager:
    """Context in which convolutions and products run in `dtype`; no change where it is None."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


@dataclass(frozen=True)
class Plan:
    """How much is held in memory at once: slices per clip, and whether activations are kept or computed again."""

    device: torch.device
    frames: int
    checkpointing: bool = False

    def smaller(self) -> tuple[Plan, str] | None:
        """The next plan that needs less memory, with a sentence that says so; None when there is none."""
        if self.frames >= 2 * FEWEST_FRAMES:
            frames = self.frames // 2
            return replace(self, frames=frames), f"going on with clips of {frames} slices"
        if not self.checkpointing:
            return replace(self, checkpointing=True), "going on with gradient checkpointing, which is slower"
        if self.device.type != "cpu":
            return replace(self, device=torch.device("cpu")), "going on with the processor, which is much slower"
        return None


def with_memory_fallback(
    work: Callable[[Plan], Result], plan: Plan, on_event: Callable[[dict], None] = lambda event: None
) -> Result:
    """`work(plan)`, repeated with ever smaller plans while memory runs out; each retreat is a warning event.

    The last out-of-memory error passes on when nothing smaller is left; every other error passes at once.
    """
    while True:
        try:
            return work(plan)
        except (RuntimeError, MemoryError) as fault:
            step = plan.smaller() if is_out_of_memory(fault) else None
            if step is None:
                raise
        # Outside the handler: its traceback would keep the failed attempt's tensors alive.
        device, (plan, what) = plan.device, step
        if device.type != "cpu":
            getattr(torch, device.type).empty_cache()
        on_event({"event": "log", "level": "warning", "text": f"out of memory on {device}: {what}"})


def is_out_of_memory(fault: BaseException) -> bool:
    """Python has a class for it, and so has CUDA; MPS and the CPU's allocator raise RuntimeErrors that say so."""
    text = str(fault).lower()
    known = isinstance(fault, (MemoryError, torch.cuda.OutOfMemoryError))
    return known or "out of memory" in text or "not enough memory" in text


def _cpu_has_bfloat16() -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
