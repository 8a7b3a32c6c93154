"""Lamina in a process in which another library has threads of its own."""

from __future__ import annotations

import torch
from cases import Case, Data

from peers.use_lamina import Lamina


class LaminaBesideTorch(Lamina):
    """PyTorch was imported first and its threads were at work before every epoch."""

    def __init__(self, case: Case, data: Data, threads: int) -> None:
        super().__init__(case, data, threads)
        torch.set_num_threads(max(2, threads))
        self.square = torch.rand(256, 256)

    def epoch(self) -> None:
        self.square @ self.square
        super().epoch()
