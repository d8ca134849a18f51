"""Does a source keep the rules?"""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.duplicate_rows import first_equal
from harness.errors import DataError
from harness.plugin.interfaces import SourceContext
from harness.testing.rules import Rules, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.plugin.interfaces import Dataset, Heads, Source

_ALL = 4096  # a source that has more heads is not asked for all of them
_KINDS = ("real", "resampled", "synthetic")


def check_source(
    source: Source, *, folder: Path | None = None, heads: int = 8, load: Callable[..., Dataset] | None = None
) -> None:
    """Loads a source several times, and holds what it gives to the rules.

    Args:
        source: configured with the options to check.
        folder: that relative paths in its options are relative to.
        heads: an N that it can give.
        load: for a source made of another one: (name, options, heads) -> the other's data set.

    Raises:
        ConformanceError: with a sentence for each broken rule.
    """
    rules = Rules(source)
    describe(rules, source)
    with tempfile.TemporaryDirectory() as cache:
        context = SourceContext(folder=folder or Path.cwd(), cache=Path(cache), seed=3, load=load)
        data = _loaded(rules, source, heads, context)
        if data is not None:
            _check_arrays(rules, data, heads)
            _check_matrices(rules, data)
            _check_query_heads(rules, data)
            _check_provenance(rules, data)
            _check_again(rules, source, data, heads, context)
        _check_limit(rules, source, context)
    rules.finish()


def _loaded(rules: Rules, source: Source, heads: int | None, context: SourceContext) -> Dataset | None:
    data: Dataset | None = None
    with rules.attempt("load", f"load({heads})"):
        data = source.load(heads, context)
        rules.expect(data is not None, "load", f"load({heads}) returned nothing; it returns a harness.Dataset")
    return data


def _check_arrays(rules: Rules, data: Dataset, heads: int) -> None:
    arrays: dict[str, Any] = {
        "centroids": data.heads.centroids, "answers": data.heads.answers,
        "train_queries": data.train_queries, "held_out_queries": data.held_out_queries,
    }  # fmt: skip
    for name, array in arrays.items():
        rules.expect(array.dtype == np.float32, "dtype", f"{name} is {array.dtype}, expected float32")
        if rules.expect(array.ndim == 2, "shape", f"{name} has the shape {list(array.shape)}; it has rows and columns"):
            rules.expect(
                bool(array.flags.c_contiguous),
                "contiguous",
                f"{name} is not C-contiguous; pass it through numpy.ascontiguousarray",
            )
        rules.expect(bool(np.isfinite(array).all()), "finite", f"{name} holds NaN or infinity")
    if any(array.ndim != 2 for array in arrays.values()):
        return
    rules.expect(data.heads.count == heads, "count", f"load({heads}) gave {data.heads.count} heads")
    rules.expect(
        len(data.heads.answers) == data.heads.count,
        "count",
        f"{data.heads.count} centroids, but {len(data.heads.answers)} answers",
    )
    rules.expect(
        0 < data.heads.temperature < np.inf,
        "temperature",
        f"the temperature is {data.heads.temperature}; it must be positive",
    )
    lengths = np.linalg.norm(data.heads.centroids, axis=1)
    rules.expect(bool(lengths.all()), "centroids", f"the centroid of head {int(lengths.argmin())} is zero")
    widths = {name: array.shape[1] for name, array in arrays.items() if name != "answers"}
    rules.expect(len(set(widths.values())) == 1, "shape", f"queries and centroids differ in width: {widths}")
    train, held_out = len(data.train_queries), len(data.held_out_queries)
    rules.expect(train > 0, "queries", "there is no query to train on")
    rules.expect(held_out > 1, "queries", f"it holds out {held_out} queries; a score needs two or more for an interval")
    if len(set(widths.values())) == 1 and all(bool(np.isfinite(array).all()) for array in arrays.values()):
        seen = first_equal(np.concatenate([data.train_queries, data.held_out_queries]))[train:]
        shared = int((seen < train).sum())
        rules.expect(shared == 0, "held out", f"{shared} held-out queries are training queries too")


def _check_matrices(rules: Rules, data: Dataset) -> None:
    shape = (data.heads.answers.shape[-1], data.heads.centroids.shape[-1])
    for head, matrix in data.heads.matrices.items():
        what = f"the matrix of head {head}"
        rules.expect(head in range(data.heads.count), "matrices", f"{what}: there are {data.heads.count} heads")
        rules.expect(
            matrix.shape == shape, "matrices", f"{what} has the shape {list(matrix.shape)}, expected {list(shape)}"
        )
        rules.expect(matrix.dtype == np.float32, "matrices", f"{what} is {matrix.dtype}, expected float32")
        rules.expect(bool(np.isfinite(matrix).all()), "matrices", f"{what} holds NaN or infinity")


def _check_query_heads(rules: Rules, data: Dataset) -> None:
    """Each query belongs to one of the heads, counted from 0."""
    both = ("train", data.train_heads, data.train_queries), ("held_out", data.held_out_heads, data.held_out_queries)
    given = {name for name, heads, _ in both if heads is not None}
    rules.expect(
        len(given) != 1, "query heads", f"of train_heads and held_out_heads there is only {''.join(given)}_heads"
    )
    for name, heads, queries in both:
        if heads is None:
            continue
        if not rules.expect(
            np.issubdtype(heads.dtype, np.integer) and heads.shape == (len(queries),),
            "query heads",
            f"{name}_heads is {heads.dtype} {list(heads.shape)}, "
            f"expected a whole number for each of {len(queries)} queries",
        ):
            continue
        low, high = (int(heads.min()), int(heads.max())) if heads.size else (0, 0)
        rules.expect(
            low >= 0 and high < data.heads.count,
            "query heads",
            f"{name}_heads go from {low} to {high}, and the heads from 0 to {data.heads.count - 1}",
        )


def _check_provenance(rules: Rules, data: Dataset) -> None:
    about = data.provenance
    rules.expect(about.kind in _KINDS, "provenance", f"the kind is {about.kind!r}; it is one of {', '.join(_KINDS)}")
    rules.expect(bool(about.description), "provenance", "it has no description")
    rules.expect(bool(about.digest), "provenance", "it has no digest; records identify data sets by it")


def _check_again(rules: Rules, source: Source, data: Dataset, heads: int, context: SourceContext) -> None:
    again = _loaded(rules, source, heads, context)
    if again is not None:
        rules.expect(_same(data, again), "determinism", "loaded twice with one seed it gives two data sets")
        rules.expect(data.provenance.digest == again.provenance.digest, "determinism", "the same data have two digests")
    other = _loaded(rules, source, heads, dataclasses.replace(context, seed=context.seed + 1))
    if other is not None and not _same(data, other):
        rules.expect(
            data.provenance.digest != other.provenance.digest,
            "provenance",
            "the data of two seeds have the same digest",
        )
    fewer = _loaded(rules, source, 1, context)
    if fewer is not None:
        rules.expect(
            _same_heads(fewer.heads, data.heads.first(1)),
            "nesting",
            "one head is not the first of more: fewer heads are the first ones",
        )
        rules.expect(
            fewer.provenance.digest != data.provenance.digest or heads == 1,
            "provenance",
            "other numbers of heads have the same digest",
        )
    if (source.limit(context) or 0) <= _ALL:
        _loaded(rules, source, None, context)


def _same(one: Dataset, other: Dataset) -> bool:
    return (
        _same_heads(one.heads, other.heads)
        and np.array_equal(one.train_queries, other.train_queries)
        and np.array_equal(one.held_out_queries, other.held_out_queries)
        and _same_or_none(one.train_heads, other.train_heads)
        and _same_or_none(one.held_out_heads, other.held_out_heads)
    )


def _same_or_none(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)


def _same_heads(one: Heads, other: Heads) -> bool:
    return (
        np.array_equal(one.centroids, other.centroids)
        and np.array_equal(one.answers, other.answers)
        and one.temperature == other.temperature
        and one.matrices.keys() == other.matrices.keys()
        and all(np.array_equal(matrix, other.matrices[head]) for head, matrix in one.matrices.items())
    )


def _check_limit(rules: Rules, source: Source, context: SourceContext) -> None:
    limit: int | None = None
    with rules.attempt("limit", "limit()"):
        limit = source.limit(context)
    if limit is None:
        return
    if not rules.expect(limit >= 1, "limit", f"limit() gave {limit}; it is the largest N, at least 1"):
        return
    try:
        source.load(limit + 1, context)
    except DataError:
        return
    except Exception as error:  # noqa: BLE001 - the source is a stranger's code
        rules.expect(
            False,
            "limit",
            f"load({limit + 1}), beyond its limit, raised {type(error).__name__}; raise harness.DataError",
        )
    else:
        rules.expect(
            False, "limit", f"load({limit + 1}) gave heads beyond its limit of {limit}; raise harness.DataError"
        )
