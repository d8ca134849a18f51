"""The teacher as a `torch.nn.Module`, apart from the rest: a process that runs NumPy alone never imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FUSED_ROWS = (
    32  # up to so many queries PyTorch's fused attention is faster than a loop over blocks: measured at N = 16,384
)
_BLOCK = 512  # heads in a block of that loop: [256, 512] weights stay in the second cache


class LDAModule(torch.nn.Module):
    """Two matrix products around a softmax, [B, D] -> [B, K]; queries are scaled, since they are fewer than weights.

    Args:
        keys: centroids of unit length divided by the temperature, [N, D].
        answers: [N, K].
    """

    onnx_opset = 23  # the first that normalises rows in one operation
    columns: torch.Tensor
    answers: torch.Tensor
    scale: torch.Tensor

    def __init__(self, keys: NDArray[np.float32], answers: NDArray[np.float32]) -> None:
        super().__init__()
        width = keys.shape[1]
        self.shape = (width,)
        # Transposed once: a runtime that packs constant right-hand sides finds the keys where it wants them.
        self.register_buffer("columns", torch.from_numpy(np.ascontiguousarray(keys.T)))  # [D, N]
        self.register_buffer("answers", torch.from_numpy(np.array(answers, dtype=np.float32, order="C")))
        # A row over its length is the row over its root mean square, times 1 / sqrt(D).
        self.register_buffer("scale", torch.full((width,), width**-0.5), persistent=False)

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        return self._weights(queries) @ self.answers

    def _weights(self, queries: torch.Tensor) -> torch.Tensor:
        """How much each head counts [B, N]."""
        if torch.onnx.is_in_onnx_export():
            # One kernel in ONNX Runtime, whose ReduceL2 takes as long as both products of a few heads; five in PyTorch.
            units = torch.nn.functional.rms_norm(queries, self.shape, self.scale, eps=1e-24)
        else:
            units = _units(queries)
        return torch.softmax(units @ self.columns, dim=-1)


class MappedLDAModule(LDAModule):
    """The same where some heads have matrices: one product more, of all `w q` with the matrices on top of each other.

    Args:
        keys: as before.
        answers: [N, K], zero for the heads with matrices.
        mapped: which heads have matrices [M].
        maps: the matrices on top of each other, transposed, [M·D, K].
    """

    mapped: torch.Tensor
    maps: torch.Tensor

    def __init__(
        self,
        keys: NDArray[np.float32],
        answers: NDArray[np.float32],
        mapped: NDArray[np.int64],
        maps: NDArray[np.float32],
    ) -> None:
        super().__init__(keys, answers)
        self.register_buffer("mapped", torch.from_numpy(mapped), persistent=False)
        self.register_buffer("maps", torch.from_numpy(maps))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        weights = self._weights(queries)
        weighed = weights[:, self.mapped].unsqueeze(2) * queries.unsqueeze(1)  # [B, M, D]
        projections: torch.Tensor = weights @ self.answers + weighed.flatten(1) @ self.maps
        return projections


class FusedLDAModule(torch.nn.Module):
    """The same without all weights [B, N] at once, where they would be many.

    Few queries go through PyTorch's fused attention, whose kernel needs answers as wide as queries; all others through
    blocks of heads with a running maximum and sum. Where a graph is recorded (TorchScript, ONNX, a compiler) the number
    of queries is not known, and it is always fused.

    Args:
        keys: centroids of unit length divided by the temperature, [N, D].
        answers: [N, K].
        weights: up to so many, B·N, all heads are taken at once.
    """

    keys: torch.Tensor
    answers: torch.Tensor

    def __init__(self, keys: NDArray[np.float32], answers: NDArray[np.float32], weights: int) -> None:
        super().__init__()
        self.weights = weights
        self.one_width = keys.shape[1] == answers.shape[1]
        self.register_buffer("keys", torch.from_numpy(keys))
        self.register_buffer("answers", torch.from_numpy(np.array(answers, dtype=np.float32, order="C")))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        units = _units(queries)
        recorded = torch.jit.is_tracing() or torch.compiler.is_compiling()  # type: ignore[attr-defined, no-untyped-call]
        if not recorded and (len(units) == 1 or len(units) * len(self.keys) <= self.weights):
            return torch.softmax(units @ self.keys.T, dim=-1) @ self.answers
        if self.one_width and (recorded or len(units) <= _FUSED_ROWS):
            projections = torch.nn.functional.scaled_dot_product_attention(
                units[None, None], self.keys[None, None], self.answers[None, None], scale=1.0
            )
            return projections[0, 0]
        return self._by_blocks(units)

    def _by_blocks(self, units: torch.Tensor) -> torch.Tensor:
        """Online softmax (Milakov & Gimelshein 2018): sum and projections are corrected when the maximum rises."""
        highest = units.new_full((len(units), 1), -torch.inf)
        total = torch.zeros_like(highest)
        projections = units.new_zeros(len(units), self.answers.shape[1])
        for keys, answers in zip(torch.split(self.keys, _BLOCK), torch.split(self.answers, _BLOCK), strict=True):
            scores = units @ keys.T
            higher = torch.maximum(highest, scores.amax(dim=1, keepdim=True))
            correction = torch.exp(highest - higher)
            shares = scores.sub_(higher).exp_()
            total = total * correction + shares.sum(dim=1, keepdim=True)
            projections = torch.addmm(projections * correction, shares, answers)
            highest = higher
        return projections / total


class AttentionLDAModule(torch.nn.Module):
    """Single-head scaled dot-product attention [B, D] -> [B, K]: PyTorch chooses the kernel by device, size and type.

    On a CPU its fused kernel needs answers as wide as queries; else all weights [B, N] are there at once.

    Args:
        keys: centroids of unit length divided by the temperature, [N, D].
        answers: [N, K].
    """

    onnx_opset = 23  # the first with an operator for attention
    keys: torch.Tensor
    answers: torch.Tensor

    def __init__(self, keys: NDArray[np.float32], answers: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("keys", torch.from_numpy(keys))
        self.register_buffer("answers", torch.from_numpy(np.array(answers, dtype=np.float32, order="C")))

    def forward(self, queries: torch.Tensor) -> torch.Tensor:
        """Projections [B, K] of queries [B, D]."""
        projections = torch.nn.functional.scaled_dot_product_attention(
            _units(queries)[None, None], self.keys[None, None], self.answers[None, None], scale=1.0
        )
        return projections[0, 0]


def _units(queries: torch.Tensor) -> torch.Tensor:
    """Queries of unit length; a zero query stays zero."""
    units: torch.Tensor = queries / torch.linalg.vector_norm(queries, dim=-1, keepdim=True).clamp_min(1e-12)
    return units
