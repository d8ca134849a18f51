"""Which temperature to route with: how often held-out questions find the answer of their own topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    import harness

TEMPERATURES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0)

_BLOCK = 256  # questions whose weights are held at once
_SAME = 1e-9  # cosines that differ by less are the same answer


@dataclass(frozen=True, kw_only=True)
class Point:
    """Retrieval at one temperature."""

    temperature: float
    recall_at_1: float  # share of the questions whose own answer comes first
    mrr: float  # mean of 1 / rank of the own answer
    effective_heads: float  # exp of the weights' entropy, averaged over the questions


def curve(
    heads: harness.Heads,
    queries: NDArray[np.float32],
    own: NDArray[np.int64],
    temperatures: Sequence[float] = TEMPERATURES,
) -> list[Point]:
    """Answers are ranked by their cosine to the projection; an answer that is equal to the own one counts as it.

    Args:
        heads: whose centroids have not seen the queries; their temperature is not used.
        queries: [Q, D], held out.
        own: [Q], the head of each.
        temperatures: to try.
    """
    return [_point(heads, queries, own, each) for each in temperatures]


def best(points: Sequence[Point], heads: int) -> Point:
    """The one with the highest mean reciprocal rank; among equals the smoothest of those that still distinguish heads.

    These share a question's weight among half of the heads at the most. Where all heads weigh alike, the output hardly
    depends on the question, however well the little that is left of the differences still ranks.
    """
    highest = max(round(each.mrr, 9) for each in points)
    equal = sorted((each for each in points if round(each.mrr, 9) == highest), key=lambda each: each.temperature)
    return ([each for each in equal if each.effective_heads <= heads / 2] or equal[:1])[-1]


def _point(heads: harness.Heads, queries: NDArray[np.float32], own: NDArray[np.int64], temperature: float) -> Point:
    centroids, answers = _units(heads.centroids), _units(heads.answers)
    ranks, shared = [], []
    for start in range(0, len(queries), _BLOCK):
        rows = slice(start, start + _BLOCK)
        scores = _units(queries[rows]) @ centroids.T / temperature
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        logarithms = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
        shared.append(np.exp(-(weights * logarithms).sum(axis=1)))
        projected = _units(weights @ heads.answers.astype(np.float64)) @ answers.T
        wanted = projected[np.arange(len(projected)), own[rows]]
        ranks.append(1 + (projected > wanted[:, None] + _SAME).sum(axis=1))
    rank = np.concatenate(ranks)
    return Point(
        temperature=temperature,
        recall_at_1=float((rank == 1).mean()),
        mrr=float((1 / rank).mean()),
        effective_heads=float(np.concatenate(shared).mean()),
    )


def _units(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = rows.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: NDArray[np.float64] = rows / np.where(lengths > 0, lengths, 1.0)
    return units
