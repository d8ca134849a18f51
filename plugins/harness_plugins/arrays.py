"""Arrays that users hold in `.npy` and `.npz` files: read without pickles, and refused where they are no embeddings."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import harness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]

HEADS = ("centroids", "answers", "temperature", "matrices", "matrix_heads")  # arrays of heads, which are no queries
_TRAIN = ("train", "train_queries")
_HELD_OUT = ("test", "test_queries", "held_out", "held_out_queries")


@dataclass(frozen=True, kw_only=True)
class StoredQueries:
    """The queries of a file."""

    rows: Float32  # [Q, D]
    heads: NDArray[np.int64] | None = None  # [Q], the head each query belongs to
    held_out: NDArray[np.bool_] | None = None  # [Q], where the file itself says how they are split
    notes: Sequence[str] = ()


def read_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    """The arrays of an `.npz` archive by name, or the one of an `.npy` file as `queries`; pickles are refused.

    Raises:
        DataError: where the file cannot be read.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"queries": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        raise harness.DataError(
            f"it is not a NumPy file of plain numbers ({problem})",
            where=str(path),
            next_step="write it with np.save or np.savez; pickled objects are not read",
        ) from problem


def read_queries(path: Path, *, width: int, heads: int) -> StoredQueries:
    """The queries of a file of their own: `queries`, or `train` and `test`, or the only array that there is.

    Args:
        path: an `.npy` or `.npz` file.
        width: of the centroids, D.
        heads: N.

    Raises:
        DataError: where it cannot be read, or it is not clear which of its arrays are the queries.
    """
    arrays = dict(read_arrays(path))
    if len(arrays) == 1 and not {*arrays} & {*HEADS, *_TRAIN, *_HELD_OUT, "query_heads"}:
        arrays = {"queries": next(iter(arrays.values()))}
    found = queries_among(path, arrays, width=width, heads=heads)
    if found is None:
        raise _unclear(path, f"none of its arrays is named queries or train: it holds {', '.join(arrays) or 'nothing'}")
    return found


def queries_among(path: Path, arrays: Mapping[str, NDArray[Any]], *, width: int, heads: int) -> StoredQueries | None:
    """The queries among the arrays of a file, split as the file says; None where it names none.

    Raises:
        DataError: where their names contradict each other, or they cannot be used.
    """
    named = [name for name in arrays if name in ("queries", *_TRAIN, *_HELD_OUT)]
    groups = arrays.get("query_heads")
    if not named:
        if groups is not None:
            raise _unclear(path, "it holds query_heads and no queries")
        return None
    train, held_out = ([name for name in named if name in names] for names in (_TRAIN, _HELD_OUT))
    if named != ["queries"] and (len(train), len(held_out), len(named)) != (1, 1, 2):
        raise _unclear(path, f"it is not clear which of {' and '.join(named)} are trained on and which held out")
    parts = [matrix(path, name, arrays[name], width) for name in ([*train, *held_out] or named)]
    rows, split = np.concatenate(parts), np.repeat([False, True], [len(parts[0]), sum(map(len, parts[1:]))])
    read = {*named, "query_heads", *HEADS}
    unread = [name for name, array in arrays.items() if name not in read and array.ndim == 2]
    return StoredQueries(
        rows=rows,
        heads=None if groups is None else _heads(path, groups, len(rows), heads),
        held_out=split if train else None,
        notes=(
            *([f"the split is that of {path.name}: {train[0]} and {held_out[0]}"] if train else ()),
            *([f"{', '.join(unread)} in {path.name} {'was' if len(unread) == 1 else 'were'} not read"] * bool(unread)),
        ),
    )


def _unclear(path: Path, what: str) -> harness.DataError:
    return harness.DataError(
        what, where=str(path), next_step="save the query embeddings as `queries`, or as `train` and `test`"
    )


def _heads(path: Path, given: NDArray[Any], queries: int, heads: int) -> NDArray[np.int64]:
    """The head of each query, counted from 0."""
    if given.shape != (queries,):
        raise harness.DataError(
            "query_heads does not name one head for each query", where=str(path), next_step="leave it out or correct it"
        )
    if given.dtype.kind not in "iuf" or not np.array_equal(given, np.floor(given)):
        raise harness.DataError(
            "query_heads are not whole numbers", where=str(path), next_step=f"count the heads from 0 to {heads - 1}"
        )
    low, high = int(given.min()), int(given.max())
    if low < 0 or high >= heads:
        what = f"query_heads go from {low} to {high}, and the {heads} heads from 0 to {heads - 1}"
        counted = "they seem to be counted from 1: subtract 1" if (high, low > 0) == (heads, True) else "correct them"
        raise harness.DataError(what, where=str(path), next_step=counted)
    return given.astype(np.int64)


def matrix(path: Path, name: str, values: NDArray[Any], width: int | None = None) -> Float32:
    """`values` as a finite float32 matrix with at least one row.

    Raises:
        DataError: where it is not one, or has another width than `width`.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise harness.DataError(
            f"{name} is not a matrix of numbers but {values.dtype} of shape {list(values.shape)}",
            where=str(path),
            next_step="one row for each vector, float32 or float64",
        )
    numbers(path, name, values)
    if width is not None and values.shape[1] != width:
        raise harness.DataError(
            f"{name} have width {values.shape[1]}, the centroids {width}",
            where=str(path),
            next_step="embed both with the same model",
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        converted = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(converted).all():
        row = int(np.argmin(np.isfinite(converted).all(axis=1)))
        raise harness.DataError(
            f"row {row} of {name} holds NaN or infinity", where=str(path), next_step="embed it again, or leave it out"
        )
    return converted


def numbers(path: Path, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """`values`, refused where they are no floating-point numbers: packed sign bits, quantised values and texts.

    Raises:
        DataError: where they are not.
    """
    if values.dtype.kind == "f":
        return values
    if values.dtype.kind in "iub":
        raise harness.DataError(
            f"{name} is not a matrix of floating-point numbers but of {values.dtype}: packed bits and quantised values "
            "are not read as embeddings",
            where=str(path),
            next_step="save what they stand for, float32 or float64 (np.unpackbits, or times the scale)",
        )
    raise harness.DataError(
        f"{name} is not a matrix of numbers but {values.dtype} of shape {list(values.shape)}",
        where=str(path),
        next_step="one row for each vector, float32 or float64",
    )
