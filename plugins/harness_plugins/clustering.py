"""Topics for questions that have none: k-means on their directions, for a given number or the best of a range."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

import harness

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALL = 20_000  # questions up to which k-means sees all of them in each step
_SAMPLE = 2_000  # of which the silhouette of a k is taken
_CANDIDATES = 8  # numbers of topics that a search tries


def clustered(vectors: NDArray[np.float32], low: int, high: int, seed: int) -> tuple[NDArray[np.int64], list[str]]:
    """The topic of each question, and what to say about how that was found.

    Args:
        vectors: [Q, D].
        low: fewest topics.
        high: most topics; equal to `low` where their number is given.
        seed: of the clustering.

    Raises:
        DataError: where scikit-learn is missing, or there are too few questions.
    """
    if high >= len(vectors):
        raise harness.DataError(
            f"--clusters {high} needs more than {high} questions, and there are {len(vectors)}",
            next_step="give fewer clusters",
        )
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
    if low == high:
        return _numbered(_means(directions, low, seed)), [f"topics: {low} clusters (k-means)"]
    rows = np.random.default_rng(seed).permutation(len(vectors))[:_SAMPLE]
    score = _learn("metrics").silhouette_score
    found: dict[int, tuple[float, NDArray[np.int64]]] = {}
    for count in np.unique(np.geomspace(low, high, _CANDIDATES).round().astype(int)):
        labels = _means(directions, int(count), seed)
        chosen = labels[rows]
        distinct = len(np.unique(chosen))
        value = float(score(directions[rows], chosen, metric="cosine")) if 1 < distinct < len(rows) else -1.0
        found[int(count)] = value, labels
    count = max(found, key=lambda each: found[each][0])
    silhouettes = ", ".join(f"{each}: {value:.3f}" for each, (value, _) in found.items())
    notes = [
        f"topics: {count} clusters (k-means), the number with the best silhouette",
        f"silhouette by number: {silhouettes}",
    ]
    return _numbered(found[count][1]), notes


def _means(directions: NDArray[np.float32], count: int, seed: int) -> NDArray[np.int64]:
    cluster = _learn("cluster")
    make = cluster.KMeans if len(directions) <= _SMALL else cluster.MiniBatchKMeans
    return np.asarray(make(count, n_init=4, random_state=seed).fit_predict(directions), dtype=np.int64)


def _numbered(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same groups, numbered in the order of their first question; empty clusters have no number."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def _learn(part: str) -> Any:
    try:
        return importlib.import_module(f"sklearn.{part}")
    except ImportError as problem:
        raise harness.DataError(
            "making topics needs scikit-learn, which is not installed",
            next_step="pip install 'crossover-harness[heads]', or name a column of topics with --topic",
        ) from problem
