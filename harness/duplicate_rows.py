"""Rows that are one vector: a query that is stored twice must not be both trained on and held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CLOSE = 1e-3  # of a row's length: float16 rounds by 5e-4, and different texts lie more than a tenth apart
_VIEWS = 8  # directions in which rows are compared first: two that lie apart in one of them are two vectors


def first_equal(rows: NDArray[Any]) -> NDArray[np.int64]:
    """For each row of [Q, D] the index of the first row that is the same vector, its own where there is none before.

    Vectors are the same up to what storing them in float16, or embedding a text in another batch, changes.
    """
    values = np.asarray(rows, dtype=np.float64) + 0.0  # -0.0 is 0.0
    known: dict[bytes, int] = {}
    first = np.array([known.setdefault(row.tobytes(), index) for index, row in enumerate(values)], dtype=np.int64)
    different = np.flatnonzero(first == np.arange(len(values)))
    low, high = _close_pairs(values[different])
    low, high = different[low], different[high]
    while (first[low] != first[high]).any():  # those close to one that is close to a third are one vector with it
        smaller = np.minimum(first[low], first[high])
        np.minimum.at(first, low, smaller)
        np.minimum.at(first, high, smaller)
    result: NDArray[np.int64] = first[first]  # an exact copy goes where its original went
    return result


def _close_pairs(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the rows that are nearly equal, pair by pair; rows are sorted along one direction first."""
    near = _CLOSE * np.linalg.norm(values, axis=1)
    views = values @ np.linalg.qr(np.random.default_rng(0).standard_normal((values.shape[1], _VIEWS)))[0]
    order = np.argsort(views[:, 0], kind="stable")
    found: list[tuple[int, int]] = []
    places, apart = np.arange(len(order)), 0
    while len(places):  # rows 1, 2, … places apart, as long as any of them are close in the first direction
        apart += 1
        places = places[places + apart < len(order)]
        one, other = order[places], order[places + apart]
        within = np.abs(views[one, 0] - views[other, 0]) <= np.maximum(near[one], near[other])
        places, one, other = places[within], one[within], other[within]
        close = (np.abs(views[one] - views[other]) <= np.maximum(near[one], near[other])[:, None]).all(axis=1)
        found.extend(zip(one[close].tolist(), other[close].tolist(), strict=True))
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    distances = np.array([np.linalg.norm(values[one] - values[other]) for one, other in pairs])
    pairs = pairs[distances <= np.maximum(near[pairs[:, 0]], near[pairs[:, 1]])]
    return pairs[:, 0], pairs[:, 1]
