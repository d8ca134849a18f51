"""What a file of heads holds, in words, for `harness heads show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import harness
from harness_plugins import database, unreadable
from harness_plugins.arrays import is_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_ROWS = 256  # queries whose weights are held at once


def lines(path: Path, projection: int | str | None = None, temperature: float | None = None) -> list[str]:
    """What a database or an archive holds, a line for each thing; one paragraph for each projection.

    Raises:
        DataError: where the file cannot be used; one projection that cannot be used does not hide the others.
    """
    unreadable.refuse_one_array(path)
    ids: list[int | str | None] = [projection]
    if projection is None and is_file(path) and not database.holds_arrays(path):
        ids = list(database.projections(path)) or [None]
    if len(ids) == 1:
        return list(_described(database.read(path, ids[0], temperature)))
    printed = [f"{path.name} holds {len(ids)} projections"]
    for each in ids:
        try:
            printed += ["", *_described(database.read(path, each, temperature))]
        except harness.DataError as problem:
            printed += ["", f"projection {each} cannot be used: {problem}"]
    return printed


def effective_heads(heads: harness.Heads, queries: NDArray[np.float32]) -> float:
    """The exponential of the entropy of the weights, averaged over queries [Q, D] (Hill number of order 1)."""
    centroids = heads.centroids / np.linalg.norm(heads.centroids, axis=1, keepdims=True)
    counts = []
    for start in range(0, len(queries), _ROWS):
        rows = queries[start : start + _ROWS].astype(np.float64)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        scores = rows @ centroids.T / np.where(lengths > 0, lengths, 1.0) / heads.temperature
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        logarithms = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
        counts.append(np.exp(-(weights * logarithms).sum(axis=1)))
    return float(np.concatenate(counts).mean())


def _described(stored: database.StoredHeads) -> Iterator[str]:
    heads = stored.heads
    yield stored.projection
    yield f"  N = {heads.count:,} heads, D = {heads.width}, K = {heads.output_width}, T = {heads.temperature:g}"
    queries = stored.queries
    if queries is None:
        why = f": {stored.unassigned}" if stored.unassigned else "; `harness distill` needs some with --queries FILE"
        yield f"  no queries{why}"
    else:
        repeated = len(queries) - len(np.unique(harness.first_equal(queries)))
        zero = int((np.linalg.norm(queries, axis=1) == 0).sum())
        yield f"  {len(queries):,} queries, {repeated:,} of them repeat another one"
        yield f"  effective heads: {effective_heads(heads, queries):.1f} of {heads.count:,}, averaged over the queries"
        if zero:
            yield f"  note: {zero:,} queries are zero vectors, which have no direction: every head gets the same weight"
        if stored.query_heads is not None:
            sizes = np.bincount(stored.query_heads, minlength=heads.count)
            yield f"  queries of a head: {sizes.min():,} to {sizes.max():,}"
            if not sizes.min():
                yield f"  note: {int((sizes == 0).sum()):,} heads have no query"
    for name, rows in (("centroids", heads.centroids), ("answers", heads.answers)):
        same = heads.count - len(np.unique(harness.first_equal(rows)))
        if same:
            yield f"  note: {same:,} of the {name} repeat another one"
    for note in (*stored.notes, *(stored.own_queries.notes if stored.own_queries else ())):
        yield f"  note: {note}"
