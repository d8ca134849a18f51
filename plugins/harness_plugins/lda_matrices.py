"""The teacher whose heads may have matrices: such a head contributes `w W q` and every other one `w a`, summed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import harness

Float32 = NDArray[np.float32]


class MappedLDA:
    """Three matrix products: cosines, answers of the heads without a matrix, and maps of the weighed queries.

    A sum of `w W q` over heads is one product, of the row of all `w q` with the matrices on top of each other.

    Args:
        heads: of which some have matrices.
        keys: centroids of unit length divided by the temperature, [N, D].
    """

    def __init__(self, heads: harness.Heads, keys: Float32) -> None:
        self._columns = keys.T
        self._answers = answers_alone(heads)
        self._mapped, self._maps = maps(heads)

    def __call__(self, queries: Float32) -> Float32:
        """[B, D] -> [B, K]."""
        lengths = np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), np.float32(1e-12))
        weights: Float32 = (queries / lengths) @ self._columns
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=1, keepdims=True)
        weighed = weights[:, self._mapped, None] * queries[:, None, :]  # [B, M, D]
        projections: Float32 = weights @ self._answers
        projections += weighed.reshape(len(queries), -1) @ self._maps
        return projections


def answers_alone(heads: harness.Heads) -> Float32:
    """The answers [N, K], zero for each head whose matrix takes their place."""
    answers = np.array(heads.answers, dtype=np.float32, order="C")
    answers[list(heads.matrices)] = 0.0
    return answers


def maps(heads: harness.Heads) -> tuple[NDArray[np.int64], Float32]:
    """Which heads have matrices [M], and those on top of each other, transposed: [M·D, K]."""
    mapped = sorted(heads.matrices)
    stacked = np.concatenate([heads.matrices[head].T for head in mapped])
    return np.array(mapped, dtype=np.int64), np.ascontiguousarray(stacked, dtype=np.float32)
