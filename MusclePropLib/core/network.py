"""The network: a separable residual U-Net with recurrence over slices and a second, reconstructing decoder.

After Gonzalez Duque et al. 2020 (IFSS-Net); the variants are the rows of its ablation table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from MusclePropLib.core.convlstm import SliceRecurrence
from MusclePropLib.core.convolution import Pointwise, convolution

VARIANTS = ("unet", "unet-s", "unet-s-r", "unet-s-r-clstm")
Runner = Callable[[nn.Module, Tensor], Tensor]


@dataclass(frozen=True)
class NetworkConfig:
    """What a network is made of; kept with the weights.

    `variant` adds one thing at a time: plain convolutions, `s`eparable ones, `r`econstruction decoder, `clstm`.
    `skips` joins encoder and decoder: `concatenate` as in the paper, or `add`, a fifth quicker on a CPU.
    `zero_last` starts the segmentation's last layer at zero, so that the untrained logits are exactly zero.
    """

    in_channels: int = 1
    classes: int = 4
    base_maps: int = 16
    levels: int = 5
    variant: str = "unet-s-r-clstm"
    lstm_cells: int = 4
    separable_gates: bool = True
    norm_groups: int = 8
    skips: str = "concatenate"
    zero_last: bool = False

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"unknown network variant '{self.variant}'; there are {', '.join(VARIANTS)}")
        if self.skips not in ("concatenate", "add"):
            raise ValueError(f"unknown kind of skip connection '{self.skips}'; there are concatenate, add")
        if self.base_maps % self.norm_groups:
            raise ValueError(f"base_maps {self.base_maps} is not a multiple of norm_groups {self.norm_groups}")

    @property
    def separable(self) -> bool:
        return self.variant != "unet"

    @property
    def reconstructs(self) -> bool:
        return self.variant in ("unet-s-r", "unet-s-r-clstm")

    @property
    def recurrent(self) -> bool:
        return self.variant == "unet-s-r-clstm"

    @property
    def maps(self) -> list[int]:
        """Feature maps of each level, finest first."""
        return [self.base_maps << level for level in range(self.levels)]

    @property
    def stride(self) -> int:
        """Rows and columns are padded to a multiple of this."""
        return 1 << (self.levels - 1)

    def as_dict(self) -> dict:
        return asdict(self)


class Output(NamedTuple):
    """Logits (slices, classes, rows, columns) and reconstruction (slices, 1, rows, columns); None if not asked for."""

    logits: Tensor | None
    reconstruction: Tensor | None


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with group normalisation and a shortcut."""

    def __init__(self, inputs: int, outputs: int, config: NetworkConfig) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, config.separable)
        self.second = convolution(outputs, outputs, config.separable)
        self.first_norm = nn.GroupNorm(config.norm_groups, outputs)
        self.second_norm = nn.GroupNorm(config.norm_groups, outputs)
        self.shortcut = Pointwise(inputs, outputs, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, frames: Tensor) -> Tensor:
        within = F.relu(self.first_norm(self.first(frames)), inplace=True)
        return F.relu(self.second_norm(self.second(within)) + self.shortcut(frames), inplace=True)


class Encoder(nn.Module):
    """Residual blocks with 2 x 2 max-pooling between them; returns every level's maps, finest first."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        inputs = [config.in_channels, *config.maps[:-1]]
        self.blocks = nn.ModuleList(ResidualBlock(i, o, config) for i, o in zip(inputs, config.maps, strict=True))

    def forward(self, frames: Tensor, run: Runner) -> list[Tensor]:
        levels = [run(self.blocks[0], frames)]
        for block in self.blocks[1:]:
            levels.append(run(block, F.max_pool2d(levels[-1], 2)))
        return levels


class Decoder(nn.Module):
    """The encoder's mirror with skip connections, ending in `outputs` channels."""

    def __init__(self, outputs: int, config: NetworkConfig) -> None:
        super().__init__()
        pairs = list(zip(config.maps[:0:-1], config.maps[-2::-1], strict=True))
        self.narrow = nn.ModuleList(Pointwise(deep, fine, bias=False) for deep, fine in pairs)
        self.add = config.skips == "add"
        self.blocks = nn.ModuleList(ResidualBlock(fine if self.add else 2 * fine, fine, config) for _, fine in pairs)
        self.last = Pointwise(config.base_maps, outputs)

    def forward(self, levels: list[Tensor], run: Runner) -> Tensor:
        maps = levels[-1]
        for narrow, block, skip in zip(self.narrow, self.blocks, levels[-2::-1], strict=True):
            # Narrowing before upsampling costs a quarter and gives the same: the two commute.
            maps = F.interpolate(narrow(maps), scale_factor=2, mode="bilinear", align_corners=False)
            maps = run(block, maps + skip if self.add else torch.cat((maps, skip), 1))
        return self.last(maps)


class Network(nn.Module):
    """Encoder, recurrence over slices, segmentation decoder and reconstruction decoder.

    A clip (slices, in_channels, rows, columns) of neighbouring slices in order is one batch: all but the recurrence
    works on all its slices at once. Several clips of equal length may be joined end to end (`sequences`).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.checkpointing = False
        self.encoder = Encoder(config)
        deepest = config.maps[-1]
        self.recurrence = (
            SliceRecurrence(deepest, config.lstm_cells, config.separable_gates) if config.recurrent else None
        )
        self.segmentation = Decoder(config.classes, config)
        self.reconstruction = Decoder(1, config) if config.reconstructs else None
        if config.zero_last:
            nn.init.zeros_(self.segmentation.last.weight)
            nn.init.zeros_(self.segmentation.last.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, clip: Tensor, reconstruct: bool = False, segment: bool = True, sequences: int = 1) -> Output:
        """Logits and, if asked for and built, the reconstruction, both at the clip's own rows and columns."""
        rows, columns = clip.shape[-2:]
        levels = self.encoder(self._padded(clip), self._run)
        if self.recurrence is not None:
            levels[-1] = self.recurrence(levels[-1], sequences)
        logits = self.segmentation(levels, self._run)[..., :rows, :columns] if segment else None
        wanted = reconstruct and self.reconstruction is not None
        image = self.reconstruction(levels, self._run)[..., :rows, :columns] if wanted else None
        return Output(logits, image)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters under `shared` (encoder and recurrence), `segmentation` and `reconstruction` (maybe empty)."""
        parts: dict[str, Iterable[nn.Module | None]] = {
            "shared": (self.encoder, self.recurrence),
            "segmentation": (self.segmentation,),
            "reconstruction": (self.reconstruction,),
        }
        return {name: [p for m in modules if m is not None for p in m.parameters()] for name, modules in parts.items()}

    def _padded(self, clip: Tensor) -> Tensor:
        rows, columns = (-n % self.config.stride for n in clip.shape[-2:])
        if rows or columns:
            clip = F.pad(clip, (0, columns, 0, rows), mode="replicate")
        return clip.contiguous(memory_format=torch.channels_last)

    def _run(self, module: nn.Module, frames: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(module, frames, use_reentrant=False)
        return module(frames)
