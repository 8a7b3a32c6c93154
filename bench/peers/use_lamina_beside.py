"""Lamina in a process in which another library has threads of its own."""

from __future__ import annotations

import torch
from cases import Case, Data, Weights

from peers.use_lamina import Lamina


class LaminaBesideTorch(Lamina):
    """PyTorch was imported first and its threads were at work before every epoch."""

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        super().__init__(case, data, start, threads)
        torch.set_num_threads(max(2, threads))
        self.square = torch.rand(256, 256)

    def epoch(self, shuffle: bool = True) -> None:
        self.square @ self.square
        super().epoch(shuffle)
