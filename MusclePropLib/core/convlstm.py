"""Recurrence over the slice axis: convolutional LSTM cells that between them look both ways along the sweep."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from MusclePropLib.core.convolution import Pointwise, convolution


class ConvLSTMCell(nn.Module):
    """One ConvLSTM cell (Shi et al. 2015, without peepholes) run over a clip in one direction.

    The gates' share of the input is one convolution over all frames at once; only the hidden state's share is
    sequential. The forget gate starts open (bias 1), so that a slice is remembered across the clip from the first step.
    """

    def __init__(self, maps: int, separable: bool, backwards: bool) -> None:
        super().__init__()
        self.maps, self.backwards = maps, backwards
        self.from_input = convolution(maps, 4 * maps, separable)
        self.from_hidden = convolution(maps, 4 * maps, separable)
        bias = torch.zeros(4 * maps)
        bias[maps : 2 * maps] = 1.0
        self.bias = nn.Parameter(bias)

    def forward(self, frames: Tensor, sequences: int) -> Tensor:
        """Hidden states (sequences * slices, maps, rows, columns) of frames in the same shape and order."""
        given = self.from_input(frames) + self.bias.view(1, -1, 1, 1)
        steps = given.unflatten(0, (sequences, -1)).unbind(1)
        hidden = memory = None
        states = []
        for gates in reversed(steps) if self.backwards else steps:
            hidden, memory = self._step(gates, hidden, memory)
            states.append(hidden)
        return torch.stack(states[::-1] if self.backwards else states, 1).flatten(0, 1)

    def _step(self, gates: Tensor, hidden: Tensor | None, memory: Tensor | None) -> tuple[Tensor, Tensor]:
        if hidden is not None:
            gates = gates + self.from_hidden(hidden)
        switches, candidate = gates.split((3 * self.maps, self.maps), 1)
        write, keep, show = torch.sigmoid(switches).chunk(3, 1)
        memory = write * torch.tanh(candidate) if memory is None else keep * memory + write * torch.tanh(candidate)
        return show * torch.tanh(memory), memory


class SliceRecurrence(nn.Module):
    """The bottleneck's stack of ConvLSTM cells, alternately from the first slice to the last and back.

    The first half encodes space and slice order, the second half decodes it; each half holds both directions, so what
    is seen on either end of a clip reaches the other. Each cell adds to its input: an untrained stack changes little.
    """

    def __init__(self, maps: int, cells: int, separable: bool) -> None:
        super().__init__()
        self.cells = nn.ModuleList(ConvLSTMCell(maps, separable, backwards=i % 2 == 1) for i in range(cells))
        self.merge = Pointwise(maps, maps)

    def forward(self, frames: Tensor, sequences: int = 1) -> Tensor:
        """Frames (sequences * slices, maps, rows, columns), slices of one sequence adjacent and in order."""
        states = frames
        for cell in self.cells:
            states = states + cell(states, sequences)
        return F.relu(frames + self.merge(states))
