"""Proof that a contender computes what it claims, before it is timed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ParityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_REPEATED = 1e-6  # of the largest value, by which two answers to the same queries may differ
_FROZEN = "an export freezes branches and loops as it saw them: make forward do the same for all queries"
_WRONG = "a contender whose output is wrong has no latency"


def error_of(output: NDArray[Any], reference: NDArray[Any]) -> float:
    """The largest absolute error of [B, K], relative to the reference's largest absolute value; infinite for a NaN."""
    scale = float(np.abs(reference).max()) or 1.0
    error = float(np.abs(output.astype(np.float64) - reference).max()) / scale
    return error if np.isfinite(error) else float("inf")


def prove(
    output: NDArray[Any],
    reference: NDArray[Any],
    tolerance: float,
    what: str = "the float64 reference",
    queries: str = "",
) -> float:
    """The error, where it is tolerable.

    Args:
        output: [B, K] of the contender.
        reference: [B, K].
        tolerance: largest error that passes, relative to the reference's largest absolute value.
        what: the reference in words.
        queries: what the queries were, in words, where they were not those that are timed.

    Raises:
        ParityError: where shapes differ, a value is not finite, or the error is larger; it gives the figures.
    """
    shaped(output, reference.shape, queries)
    finite(output, queries)
    if not output.any() and reference.any():
        raise ParityError(f"{_place(queries)}the output is all zeros, {what} is not", next_step=_WRONG)
    error = error_of(output, reference)
    if error > tolerance:
        rows = np.abs(output.astype(np.float64) - reference).max(axis=1)
        raise ParityError(
            f"{_place(queries)}the output differs from {what} by {error:.2g} of its largest value "
            f"(row {int(rows.argmax())}), tolerance {tolerance:.2g}",
            next_step=_FROZEN if queries else _WRONG,
        )
    return error


def shaped(output: NDArray[Any], shape: Sequence[int], queries: str = "") -> None:
    """Checks the shape of an output.

    Raises:
        ParityError: where it is another one.
    """
    if tuple(output.shape) != tuple(shape):
        raise ParityError(f"{_place(queries)}the output has the shape {list(output.shape)}, expected {list(shape)}")


def finite(output: NDArray[Any], queries: str = "") -> None:
    """Checks an output [B, K] for NaN and infinity.

    Raises:
        ParityError: where a row has one.
    """
    wrong = ~np.isfinite(output).all(axis=tuple(range(1, output.ndim)))
    if wrong.any():
        raise ParityError(f"{_place(queries)}row {int(np.flatnonzero(wrong)[0])} of the output is not finite")


def repeated(first: NDArray[Any], again: NDArray[Any]) -> None:
    """Checks that the same queries had the same answer twice.

    Raises:
        ParityError: where they had not.
    """
    error = error_of(again, first.astype(np.float64)) if again.shape == first.shape else float("inf")
    if error > _REPEATED:
        raise ParityError(
            f"not deterministic: the same queries were answered differently the second time, by {error:.2g} of the "
            "largest value",
            next_step="seed random numbers in build, and draw none in the call",
        )


def _place(queries: str) -> str:
    return f"for {queries} " if queries else ""
