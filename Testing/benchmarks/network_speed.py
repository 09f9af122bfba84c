"""What the network makes of the processor: `python Testing/benchmarks/network_speed.py` writes network_speed.json.

On one thread, in milliseconds of processor time, for a clip as guided propagation uses it: inference in float32 and,
where the processor computes in it, in bfloat16, both with channels last; and a forward with its backward pass. `share`
is the network's rate of multiplications and additions over that of one large matrix product in the same precision, on
the same machine. First the network of guided propagation, then the paper's variants of it.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from processes import machine
from torch.utils.flop_counter import FlopCounterMode

from MusclePropLib.core.device import autocast, inference_dtype
from MusclePropLib.core.guided.inputs import CHANNELS, guided_config
from MusclePropLib.core.network import VARIANTS, Network, NetworkConfig

CPU = torch.device("cpu")
CLIP = (12, len(CHANNELS), 96, 96)
SIDE = 2048
"""Of the square matrices whose product is the measure; larger ones are no quicker."""

FILE = Path(__file__).with_name("network_speed.json")


def main() -> None:
    """Measure everything, print it and write it."""
    torch.set_num_threads(1)
    before = machine()
    precisions = [torch.float32, *filter(None, [inference_dtype(CPU)])]
    rates = {dtype: matrix_rate(dtype) for dtype in precisions}
    report = {
        "command": "python Testing/benchmarks/network_speed.py",
        "machine": before,
        "clip": CLIP,
        "matrix_product_gflops": {_name(dtype): round(rate, 1) for dtype, rate in rates.items()},
        "networks": {name: measured(config, rates) for name, config in configurations().items()},
    }
    FILE.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def configurations() -> dict[str, NetworkConfig]:
    """The networks to measure, by name."""
    variants = {variant: NetworkConfig(CLIP[1], 1, variant=variant) for variant in VARIANTS}
    return {"guided": guided_config(), **variants}


def matrix_rate(dtype: torch.dtype) -> float:
    """Thousand million operations a second in a product of two square matrices."""
    one, two = (torch.rand(SIDE, SIDE).to(dtype) for _ in range(2))
    return 2 * SIDE**3 / milliseconds(lambda: one @ two) / 1e6


def measured(config: NetworkConfig, rates: dict[torch.dtype, float]) -> dict[str, object]:
    """One network's figures."""
    network, clip = Network(config), torch.rand(CLIP)

    def step() -> None:
        network.zero_grad()
        network(clip).logits.square().mean().backward()

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(clip)
    gflop = counter.get_total_flops() / 1e9
    inference = {_name(dtype): inferred(network, clip, dtype, gflop, rate) for dtype, rate in rates.items()}
    return {"gflop": round(gflop, 2), "inference": inference, "forward_and_backward_ms": round(milliseconds(step))}


def inferred(network: Network, clip: torch.Tensor, dtype: torch.dtype, gflop: float, rate: float) -> dict[str, float]:
    """Time of an inference, and its share of what the processor can do."""

    @torch.inference_mode()
    def infer() -> None:
        with autocast(CPU, None if dtype is torch.float32 else dtype):
            network(clip)

    spent = milliseconds(infer)
    return {"ms": round(spent), "share": round(1e3 * gflop / spent / rate, 3)}


def milliseconds(work: Callable[[], object], repeats: int = 10) -> float:
    """Median of the processor's, not the clock's, time: a busy machine waits longer but computes the same."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return 1000 * statistics.median(times)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


if __name__ == "__main__":
    main()
