"""The trivial students as modules, apart from their projectors, so that those need no PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


class Constant(torch.nn.Module):
    """The same projection for every query."""

    mean: torch.Tensor

    def __init__(self, mean: Float32) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """[B, D] -> [B, K]."""
        return self.mean.expand(queries.shape[0], -1).clone()


class Identity(torch.nn.Module):
    """A copy of the query."""

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """[B, D] -> [B, D]."""
        return queries.clone()


class Affine(torch.nn.Module):
    """`q M + b`; it has nothing to train, since it is fitted in closed form."""

    matrix: torch.Tensor
    bias: torch.Tensor

    def __init__(self, matrix: Float32, bias: Float32) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.register_buffer("bias", torch.from_numpy(bias))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """[B, D] -> [B, K]."""
        return torch.addmm(self.bias, queries, self.matrix)


def mlp(width: int, hidden: int, output_width: int) -> torch.nn.Module:
    """Two hidden layers with GELU, in evaluation mode."""
    return torch.nn.Sequential(
        torch.nn.Linear(width, hidden),
        torch.nn.GELU(),
        torch.nn.Linear(hidden, hidden),
        torch.nn.GELU(),
        torch.nn.Linear(hidden, output_width),
    ).eval()
