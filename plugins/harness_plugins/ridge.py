"""Ridge regression with an intercept; its penalty is chosen by leave-one-out, which has a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

GRID = tuple(10.0**power for power in np.arange(-4.0, 2.01, 0.5))  # penalties, relative to the mean eigenvalue


def fit(queries: Float32, targets: NDArray[np.floating[Any]], penalty: float | None = None) -> tuple[Float32, Float32]:
    """`matrix` [D, K] and `bias` [K] that minimise `|q M + b - t|² + penalty · s · |M|²`, s the mean eigenvalue of QᵀQ.

    Args:
        queries: [Q, D].
        targets: [Q, K].
        penalty: None takes that of `GRID` with the least squared error of predicting each query from all the others
            (Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, eq. 7.64).
    """
    rows = len(queries)
    query_mean, target_mean = queries.mean(axis=0, dtype=np.float64), targets.mean(axis=0, dtype=np.float64)
    centred, wanted = queries - query_mean, targets - target_mean
    values, vectors = np.linalg.eigh(centred.T @ centred)  # [D], [D, D]
    values = np.maximum(values, 0.0)
    scale = max(float(values.mean()), 1e-12)
    rotated = centred @ vectors  # [Q, D]
    products = rotated.T @ wanted  # [D, K]

    def shrunk(relative: float) -> NDArray[np.float64]:
        inverse: NDArray[np.float64] = 1.0 / np.maximum(values + relative * scale, 1e-9 * scale)
        return inverse

    def left_out(relative: float) -> float:
        inverse = shrunk(relative)
        leverage = np.minimum((rotated**2) @ inverse + 1.0 / rows, 1.0 - 1e-6)
        residuals = (wanted - rotated @ (inverse[:, None] * products)) / (1.0 - leverage)[:, None]
        return float((residuals**2).sum())

    chosen = min(GRID, key=left_out) if penalty is None else penalty
    matrix = vectors @ (shrunk(chosen)[:, None] * products)
    bias = target_mean - query_mean @ matrix
    return np.ascontiguousarray(matrix, dtype=np.float32), bias.astype(np.float32)
