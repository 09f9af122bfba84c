"""Several processes that train one network together, as `torchrun` starts them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

# Default arguments of its functions are whatever group there is when it is first imported. DistributedDataParallel
# imports it; imported here, before any group is, it keeps none. A group that is kept has threads of its own up to the
# interpreter's end, and they may abort the process there (pytorch issue 190489).
import torch.distributed.nn.functional
from torch import distributed

from MusclePropLib.core.device import choose_device


@dataclass(frozen=True)
class Processes:
    """This process's place among `size`; the one of rank 0 leads: it alone writes files."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, items: int) -> range:
        """The indices, of `items` in all, that are this process's work."""
        return range(self.rank, items, self.size)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """The processes' mean of `values`, the same in all of them."""
        if self.size > 1:
            distributed.all_reduce(values)
            values = values / self.size
        return values

    def gather(self, item: Any) -> list[Any]:
        """Every process's item, by rank, in all of them."""
        if self.size == 1:
            return [item]
        items: list[Any] = [None] * self.size
        distributed.all_gather_object(items, item)
        return items

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined() -> Iterator[Processes]:
    """Meet the other processes that torchrun's environment speaks of; alone without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
        # What was trained holds the group, and may itself be held by cycles of frames and matplotlib's caught errors.
        gc.collect()


def device_of(name: str, processes: Processes) -> torch.device:
    """The device `name`; of several processes each has its own graphics card, or all of them the processor."""
    if processes.size > 1 and name in ("auto", "cuda"):
        name = f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"
    return choose_device(name)


def leads() -> bool:
    """Whether this process, of those that torchrun started, is the one to write and print."""
    return os.environ.get("RANK", "0") == "0"
