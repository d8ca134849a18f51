"""The teacher without its [B, N] weights: online softmax over blocks of heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness_plugins.lda import LDAProjector, VectorisedLDA, keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

Float32 = NDArray[np.float32]

# B·N up to which all weights at once were faster, on an AMD core: PyTorch's softmax writes a second [B, N].
_WEIGHTS = {"numpy": 2**20, "module": 2**18}


class BlockedLDA:
    """Two matrix products for each block of heads, whose weights stay in the processor's cache.

    The running maximum and sum of the softmax are corrected from block to block (Milakov & Gimelshein, "Online
    normalizer calculation for softmax", 2018), so what is held is [B, block] and not [B, N].

    Args:
        heads: of the teacher.
        block: heads in a block.
        weights: where [B, N] is not more than this, one pass over all heads is faster, and taken.
    """

    def __init__(self, heads: harness.Heads, block: int, weights: int) -> None:
        self._whole = VectorisedLDA(heads)
        self._block, self._weights = block, weights
        self._keys, self._answers = self._whole.keys, self._whole.answers

    def __call__(self, queries: Float32) -> Float32:
        """[B, D] -> [B, K]."""
        rows, heads = len(queries), len(self._keys)
        if rows == 1 or rows * heads <= self._weights:
            return self._whole(queries)
        norms = np.sqrt(np.einsum("bd,bd->b", queries, queries))
        units = queries / np.maximum(norms, np.float32(1e-12))[:, None]
        highest = np.full((rows, 1), -np.inf, dtype=np.float32)
        total = np.zeros((rows, 1), dtype=np.float32)
        projections = np.zeros((rows, self._answers.shape[1]), dtype=np.float32)
        scores = np.empty((rows, self._block), dtype=np.float32)
        for start in range(0, heads, self._block):
            part = slice(start, start + self._block)
            block = np.matmul(units, self._keys[part].T, out=scores[:, : min(self._block, heads - start)])
            higher = np.maximum(highest, block.max(axis=1, keepdims=True))
            correction = np.exp(highest - higher)
            block -= higher
            np.exp(block, out=block)
            total *= correction
            total += block.sum(axis=1, keepdims=True)
            projections *= correction
            projections += block @ self._answers[part]
            highest = higher
        projections /= total
        return projections


class BlockedOptions(harness.Options):
    """When the heads are taken in blocks, and how many of them at once."""

    block: Annotated[int, Field(ge=1, description="heads in a block of the NumPy form")] = 2048
    weights: Annotated[
        int | None,
        Field(ge=0, description="up to this many weights, B·N, the heads are taken at once; none: as was measured"),
    ] = None


class BlockedProjector(LDAProjector):
    """The teacher fused: for large B·N, never all weights at once."""

    name = "lda-blocked"
    takes_matrices = False
    Options = BlockedOptions

    def build(
        self, heads: harness.Heads, context: harness.BuildContext
    ) -> torch.nn.Module | Callable[[Float32], Float32]:
        """The loop over blocks in NumPy, or the module that fuses where it is worth it.

        Raises:
            ContenderError: where heads have matrices.
        """
        if heads.matrices:
            raise harness.ContenderError(
                f"{len(heads.matrices)} of {heads.count} heads have a matrix, which is not computed in blocks",
                where=self.name,
                next_step="use the projector 'lda'",
            )
        chosen = self.options.weights
        weights = _WEIGHTS[context.form] if chosen is None else chosen
        if context.form == "numpy":
            return BlockedLDA(heads, self.options.block, weights)
        from harness_plugins.lda_module import FusedLDAModule

        rows = keys(heads) if context.weights else np.zeros(heads.centroids.shape, dtype=np.float32)
        return FusedLDAModule(rows, heads.answers, weights)


@harness.hookimpl
def harness_projectors() -> Sequence[harness.Projector]:
    """The fused teacher."""
    return [BlockedProjector()]
