"""CPU time of one forward and backward pass on one thread: `python Testing/benchmarks/network_speed.py`."""

import statistics
import time
from collections.abc import Callable

import torch

from MusclePropLib.core.network import VARIANTS, Network, NetworkConfig

CLIP = (12, 8, 96, 96)


def milliseconds(work: Callable[[], object], repeats: int = 10) -> float:
    """Median of the processor's, not the clock's, time: a busy machine waits longer but computes the same."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return 1000 * statistics.median(times)


def measure(config: NetworkConfig) -> None:
    """Print one line."""
    network, clip = Network(config), torch.rand(CLIP)

    def infer() -> None:
        with torch.inference_mode():
            network(clip)

    def step() -> None:
        network.zero_grad()
        network(clip).logits.square().mean().backward()

    name = f"{config.variant}, {config.skips}, {config.lstm_cells if config.recurrent else 0} cells"
    print(f"{name:<38} forward {milliseconds(infer):5.0f} ms, and backward {milliseconds(step):5.0f} ms", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for variant in VARIANTS:
        measure(NetworkConfig(CLIP[1], 1, variant=variant))
    for cells in (4, 2):
        measure(NetworkConfig(CLIP[1], 1, skips="add", lstm_cells=cells))
