"""The teacher as a `torch.nn.Module`, apart from the rest: a process that runs NumPy alone never imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LDAModule(torch.nn.Module):
    """Two matrix products around a softmax, [B, D] -> [B, K].

    Args:
        keys: centroids of unit length divided by the temperature, [N, D].
        answers: [N, K].
    """

    columns: torch.Tensor
    answers: torch.Tensor

    def __init__(self, keys: NDArray[np.float32], answers: NDArray[np.float32]) -> None:
        super().__init__()
        # Transposed once: a runtime that packs constant right-hand sides finds the keys where it wants them.
        self.register_buffer("columns", torch.from_numpy(np.ascontiguousarray(keys.T)))  # [D, N]
        self.register_buffer("answers", torch.from_numpy(np.array(answers, dtype=np.float32, order="C")))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        norms = torch.linalg.vector_norm(queries, dim=-1, keepdim=True).clamp_min(1e-12)
        return torch.softmax((queries @ self.columns) / norms, dim=-1) @ self.answers


class FusedLDAModule(torch.nn.Module):
    """The same as attention of the queries to the heads: one kernel that works through the heads in blocks.

    Args:
        keys: centroids of unit length divided by the temperature, [N, D].
        answers: [N, K].
    """

    keys: torch.Tensor
    answers: torch.Tensor

    def __init__(self, keys: NDArray[np.float32], answers: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("keys", torch.from_numpy(keys))
        self.register_buffer("answers", torch.from_numpy(np.array(answers, dtype=np.float32, order="C")))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        units = queries / torch.linalg.vector_norm(queries, dim=-1, keepdim=True).clamp_min(1e-12)
        projections = torch.nn.functional.scaled_dot_product_attention(
            units[None, None], self.keys[None, None], self.answers[None, None], scale=1.0
        )
        return projections[0, 0]
