"""Queries beyond those that are timed: an export may have kept a branch that only the timed ones take.

The builder asks the module itself what it answers to them, or its formula; the worker asks what was exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.measure import parity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.plugin.interfaces import Float32, Float64

SCALES = (0.1, 10.0)  # queries are of unit length as a rule, and a branch on their size is taken by all or none of them
_ELEMENTS = 2**21  # rows x heads up to which the scaled rows differ from each other; a batch repeats them
_NEAR_ZERO = np.float32(1e-30)  # a module that is continuous at zero gives the same there
_STILL_THE_SAME = 1e-4  # of the largest value


@dataclass(frozen=True, kw_only=True)
class ParityQueries:
    """What an export should answer."""

    rows: Float32  # [M, D], queries before they are scaled
    scaled: Float64  # [S, M, K], for each of `SCALES`
    zero: Float32  # [K], of a query of zeros; empty where the module raises there
    continuous: bool  # at zero; if not, another arithmetic may rightly answer something else

    def save(self, path: Path) -> None:
        """Writes them to an `.npz` archive."""
        np.savez(path, rows=self.rows, scaled=self.scaled, zero=self.zero, continuous=np.array(self.continuous))

    @classmethod
    def load(cls, path: Path) -> ParityQueries:
        """Those of an archive that `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("rows", "scaled", "zero")}
            return cls(**arrays, continuous=bool(stored["continuous"]))

    def prove(self, call: Callable[[Float32], Float32], batch: int, tolerance: float, what: str) -> None:
        """Holds an export to them.

        Raises:
            ParityError: where it answers something else.
        """
        turns = np.arange(batch) % len(self.rows)
        for scale, reference in zip(SCALES, self.scaled, strict=True):
            output = call(np.ascontiguousarray(self.rows[turns] * np.float32(scale)))
            parity.prove(output, reference[turns], tolerance, what, f"queries times {scale:g}")
        if not self.zero.size:
            return
        output, zero = call(np.zeros_like(self.rows[turns])), np.tile(self.zero, (batch, 1))
        if not np.isfinite(zero).all():
            parity.shaped(output, zero.shape, "queries of zeros")
        elif self.continuous:
            parity.prove(output, zero, tolerance, "what the module itself answers", "queries of zeros")
        else:
            parity.shaped(output, zero.shape, "queries of zeros")
            parity.finite(output, "queries of zeros")


def rows_of(batch: Float32, heads: int) -> Float32:
    """The queries of a batch [B, D] that are scaled, [M, D]: as many as their references are cheap."""
    return batch[: max(1, _ELEMENTS // heads)]


def scaled(rows: Float32) -> list[Float32]:
    """The rows times each of `SCALES`."""
    return [rows * np.float32(scale) for scale in SCALES]


def answer_to_zeros(module: Any, row: Float32) -> tuple[Float32, bool]:
    """What a module answers to a query of zeros [K], and whether it is continuous there; empty where it raises."""
    import torch

    queries = np.stack([np.zeros_like(row), row * _NEAR_ZERO])
    try:
        with torch.no_grad():
            zero, near = (module(torch.from_numpy(each[None])).float().numpy()[0] for each in queries)
    except Exception:  # noqa: BLE001 - a stranger's module may refuse zeros, and is not asked for them then
        return np.zeros(0, dtype=np.float32), False
    apart = np.abs(zero - near).max() if np.isfinite(zero).all() and np.isfinite(near).all() else np.inf
    return zero, bool(apart <= _STILL_THE_SAME * (np.abs(zero).max() or 1.0))
