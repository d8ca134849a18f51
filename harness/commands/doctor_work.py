"""What `harness doctor` times: two matrix products for a batch of queries, with as many rows as N says."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_WIDTH = 384


def products(queries: Matrix, rows: Matrix, answers: Matrix) -> Any:
    """[B, D] through [N, D] and [N, D]: an array [B, D]."""
    return (queries @ rows.T) @ answers


def inputs(n: int, batch: int, seed: int) -> tuple[Matrix, Matrix, Matrix]:
    """Queries of their own for each call, and matrices that all calls share."""
    generator = np.random.default_rng(seed)
    return (generator.standard_normal((batch, _WIDTH), dtype=np.float32), *_matrices(n))


@lru_cache(maxsize=4)
def _matrices(n: int) -> tuple[Matrix, Matrix]:
    generator = np.random.default_rng(n)
    return (
        generator.standard_normal((n, _WIDTH), dtype=np.float32),
        generator.standard_normal((n, _WIDTH), dtype=np.float32),
    )
