"""PyTorch: its fast loop, the loop most people write, compiled, and frozen for inference."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from cases import LEARNING_RATE, Array, Case, Data, Weights
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def _network(start: Weights) -> nn.Sequential:
    layers: list[nn.Module] = []
    for kernel, bias in start:
        linear = nn.utils.skip_init(nn.Linear, *kernel.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(kernel.T))
            linear.bias.copy_(torch.from_numpy(bias))
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class TorchSliced:
    """Fast path: permute the tensors once an epoch, slice them, fused Adam."""

    version = torch.__version__

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.case = case
        self.x = torch.from_numpy(data.x)
        self.y = torch.from_numpy(data.y if case.classes else data.y.reshape(-1, 1))
        self.network: Any = _network(start)
        self.loss = nn.CrossEntropyLoss() if case.classes else nn.MSELoss()
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=LEARNING_RATE, fused=self._fused()
        )

    def _fused(self) -> bool:
        return True

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(self.network(x), y).backward()
        self.optimizer.step()

    def epoch(self, shuffle: bool = True) -> None:
        x, y = self.x, self.y
        if shuffle:
            order = torch.randperm(len(x))
            x, y = x[order], y[order]
        size = self.case.batch_size
        for start in range(0, len(x), size):
            self._step(x[start : start + size], y[start : start + size])

    def predict(self, x: Array) -> Array:
        with torch.inference_mode():
            output = self.network(torch.from_numpy(x))
            return np.asarray((output.softmax(1) if self.case.classes else output).numpy())


class TorchDataLoader(TorchSliced):
    """What most people write: DataLoader over a TensorDataset, Adam with its defaults."""

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        super().__init__(case, data, start, threads)
        dataset, size = TensorDataset(self.x, self.y), case.batch_size
        self.loaders = [DataLoader(dataset, size, shuffle=shuffle) for shuffle in (False, True)]

    def _fused(self) -> bool:
        return False

    def epoch(self, shuffle: bool = True) -> None:
        for x, y in self.loaders[shuffle]:
            self._step(x, y)


class TorchCompiled(TorchSliced):
    """The fast loop with forward, loss and backward through `torch.compile`."""

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        super().__init__(case, data, start, threads)

        def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self.loss(self.network(x), y)

        self.compiled = torch.compile(loss, dynamic=False)

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.compiled(x, y).backward()
        self.optimizer.step()


class TorchFrozen(TorchSliced):
    """`torch.jit.freeze` of a traced network, for inference."""

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        super().__init__(case, data, start, threads)
        last = [nn.Softmax(1)] if case.classes else []
        whole = nn.Sequential(self.network, *last).eval()
        with torch.inference_mode():
            traced = torch.jit.trace(whole, self.x[:1])
            self.frozen = torch.jit.freeze(traced)

    def epoch(self, shuffle: bool = True) -> None:
        raise NotImplementedError("torch-jit predicts only")

    def predict(self, x: Array) -> Array:
        with torch.inference_mode():
            return np.asarray(self.frozen(torch.from_numpy(x)).numpy())
