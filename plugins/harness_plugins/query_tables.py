"""Vectors from the columns of a Parquet file, or from an index of FAISS; both need an extra."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

import harness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

PARQUET = (".parquet",)
INDEXES = (".faiss", ".index")

_NAMES = ("queries", "query", "embedding", "embeddings", "vector", "vectors")  # of a column, where several hold vectors
_QUANTISED = ("PQ", "Quantizer", "LSH", "Residual", "Additive", "RaBitQ")  # in the name of an index
_HEADS = {"centroids": ("centroids", "centroid"), "answers": ("answers", "answer")}
_DAMAGE = (  # what pyarrow raises derives from these
    OSError, ValueError, NotImplementedError, TypeError, LookupError, MemoryError, OverflowError,
)  # fmt: skip


def read(path: Path) -> Mapping[str, NDArray[Any]]:
    """The vectors of a file as `queries`.

    Raises:
        DataError: where the library is missing, or the file holds no vectors, or several columns of them.
    """
    return {"queries": _queries(path) if path.suffix.lower() in PARQUET else _indexed(path)}


def read_heads(path: Path) -> Mapping[str, NDArray[Any]]:
    """The columns `centroids` and `answers` of a Parquet file with a row for each head, and `temperature` if it has one.

    Raises:
        DataError: where the library is missing, or the file has no such columns of vectors.
    """
    table = _Table(path)
    found = {
        name: next((column for column in columns if column in table.vectors), None) for name, columns in _HEADS.items()
    }
    missing = [name for name, column in found.items() if column is None]
    if missing:
        raise harness.DataError(
            f"it has no column of vectors named {' and none named '.join(missing)}; it has {table.columns}",
            where=str(path),
            next_step="write a row for each head, with lists of floats in both columns; queries go into a file of "
            "their own, in the option `queries`",
        )
    arrays = {name: table.matrix(column) for name, column in found.items() if column is not None}
    if "temperature" in table.names:
        values = np.unique(table.column("temperature").to_numpy(zero_copy_only=False))
        if len(values) != 1:
            raise harness.DataError(
                f"its column `temperature` holds {len(values)} different values, and heads have one T in common",
                where=str(path),
                next_step="leave the column out, and give T with the option `temperature`",
            )
        arrays["temperature"] = values[0]
    return arrays


def reads(path: Path) -> bool:
    """Whether the name of a file says that it is one of these."""
    return path.suffix.lower() in (*PARQUET, *INDEXES)


class _Table:
    """A Parquet file, of which single columns are read.

    Raises:
        DataError: where the library is missing, or it is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parquet, types = (_library(path, name, "heads") for name in ("pyarrow.parquet", "pyarrow.types"))
        _refuse_missing(path, "a Parquet file with vectors")
        try:
            schema = self._parquet.read_schema(path)
        except _DAMAGE as problem:
            raise self._damaged(problem) from problem
        self.names: list[str] = schema.names
        kinds = (types.is_list, types.is_large_list, types.is_fixed_size_list)
        self.vectors = [
            each.name
            for each in schema
            if any(is_kind(each.type) for is_kind in kinds) and types.is_floating(each.type.value_type)
        ]

    @property
    def columns(self) -> str:
        return _few(self.names, ", ")

    def column(self, name: str) -> Any:
        try:
            needed, free = 8 * self._values(name), psutil.virtual_memory().available
            if needed <= free // 2:
                return self._parquet.read_table(self._path, columns=[name]).column(0)
        except _DAMAGE as problem:
            raise self._damaged(problem) from problem
        what = f"its column {name!r} needs {needed:,} bytes of memory, and {free:,} are free"
        raise harness.DataError(what, where=str(self._path), next_step="split it")

    def _values(self, name: str) -> int:
        """How many numbers a column holds; few bytes may stand for very many."""
        about = self._parquet.read_metadata(self._path)
        groups = (about.row_group(number) for number in range(about.num_row_groups))
        columns = (group.column(number) for group in groups for number in range(group.num_columns))
        return sum(int(each.num_values) for each in columns if f"{each.path_in_schema}.".startswith(f"{name}."))

    def matrix(self, name: str) -> NDArray[Any]:
        """The lists of a column as [rows, width]; a missing value becomes NaN."""
        rows = self.column(name).to_numpy(zero_copy_only=False)
        if not len(rows):
            raise harness.DataError(
                f"the column {name!r} has no rows", where=str(self._path), next_step="write it again"
            )
        lengths = [0 if row is None else len(row) for row in rows]
        counts = Counter(lengths)
        usual = max(sorted(counts), key=counts.__getitem__)
        for place, length in enumerate(lengths):
            if rows[place] is None or length != usual:
                what = "is NULL" if rows[place] is None else f"has {length} numbers, and others have {usual}"
                raise harness.DataError(
                    f"row {place} of the column {name!r} {what}",
                    where=str(self._path),
                    next_step="leave the row out, or embed it again",
                )
        return np.stack(list(rows))

    def _damaged(self, problem: Exception) -> harness.DataError:
        why = " ".join(str(problem).split())[:200]
        return harness.DataError(
            f"it cannot be read as a Parquet file ({why})", where=str(self._path), next_step="write it again"
        )


def _few(names: list[str], between: str) -> str:
    return between.join(each[:60] for each in names[:20]) + ", …" * (len(names) > 20)


def _library(path: Path, name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        raise harness.DataError(
            f"reading {path.suffix} needs {name.partition('.')[0]}, which is not installed",
            where=str(path),
            next_step=f"pip install 'crossover-harness[{extra}]', or save the vectors with np.save",
        ) from problem


def _refuse_missing(path: Path, what: str) -> None:
    if not path.is_file():
        raise harness.DataError("there is no such file", where=str(path), next_step=f"give {what}")


def _queries(path: Path) -> NDArray[Any]:
    table = _Table(path)
    lists = table.vectors
    chosen = lists if len(lists) == 1 else [name for name in _NAMES if name in lists]
    if not chosen:
        found = f"the columns {_few(lists, ' and ')} all hold vectors" if lists else "no column holds lists of floats"
        raise harness.DataError(
            f"{found}; it has {table.columns}",
            where=str(path),
            next_step="give one column of lists of floats, or call it `queries`",
        )
    return table.matrix(chosen[0])


def _indexed(path: Path) -> NDArray[Any]:
    faiss = _library(path, "faiss", "faiss")
    _refuse_missing(path, "an index that FAISS wrote")
    try:
        owner = faiss.read_index(str(path))  # what is inside of it is gone with it
        index = _direct(faiss, owner)
        kind = type(index).__name__
        vectors: NDArray[Any] = index.reconstruct_n(0, index.ntotal)
    except (RuntimeError, ValueError, MemoryError, AttributeError) as problem:
        raise harness.DataError(
            "it is not an index of FAISS that holds its vectors",
            where=str(path),
            next_step="save the vectors themselves with np.save",
        ) from problem
    if any(word in kind for word in _QUANTISED):
        raise harness.DataError(
            f"this index of FAISS ({kind}) holds quantised vectors, which are not those that were embedded",
            where=str(path),
            next_step="save the vectors themselves with np.save",
        )
    return vectors


def _direct(faiss: Any, index: Any) -> Any:
    """The index itself where others are wrapped around it, ready to give its vectors in the order of their ids."""
    index = faiss.downcast_index(index)
    while isinstance(index, faiss.IndexIDMap):
        index = faiss.downcast_index(index.index)
    if isinstance(index, faiss.IndexIVF):
        index.make_direct_map()
    return index
