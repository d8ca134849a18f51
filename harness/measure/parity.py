"""Proof that a contender computes what it claims, before it is timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ParityError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def error_of(output: NDArray[Any], reference: NDArray[Any]) -> float:
    """The largest absolute error, relative to the reference's largest absolute value; infinite for a NaN.

    Args:
        output: [B, K].
        reference: [B, K], float64.
    """
    scale = float(np.abs(reference).max()) or 1.0
    error = float(np.abs(output.astype(np.float64) - reference).max()) / scale
    return error if np.isfinite(error) else float("inf")


def prove(
    output: NDArray[Any], reference: NDArray[Any], tolerance: float, what: str = "the float64 reference"
) -> float:
    """The error, where it is tolerable.

    Args:
        output: [B, K] of the contender.
        reference: [B, K].
        tolerance: largest error that passes, relative to the reference's largest absolute value.
        what: the reference in words.

    Raises:
        ParityError: where shapes differ, a value is not finite, or the error is larger; it gives the figures.
    """
    if output.shape != reference.shape:
        raise ParityError(f"the output has the shape {list(output.shape)}, {what} {list(reference.shape)}")
    if not np.isfinite(output).all():
        row = int(np.flatnonzero(~np.isfinite(output).all(axis=tuple(range(1, output.ndim))))[0])
        raise ParityError(f"row {row} of the output is not finite")
    error = error_of(output, reference)
    if error > tolerance:
        rows = np.abs(output.astype(np.float64) - reference).max(axis=1)
        raise ParityError(
            f"the output differs from {what} by {error:.2g} of its largest value (row {int(rows.argmax())}), "
            f"tolerance {tolerance:.2g}",
            next_step="a contender whose output is wrong has no latency",
        )
    return error
