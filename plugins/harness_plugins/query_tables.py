"""Query embeddings from a Parquet column of vectors, or from an index of FAISS; both need an extra."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

import harness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

PARQUET = (".parquet",)
INDEXES = (".faiss", ".index")

_NAMES = ("queries", "embedding", "embeddings", "vector", "vectors")  # of a column, where several hold vectors


def read(path: Path) -> Mapping[str, NDArray[Any]]:
    """The vectors of a file as `queries`.

    Raises:
        DataError: where the library is missing, or the file holds no vectors, or several columns of them.
    """
    return {"queries": _column(path) if path.suffix.lower() in PARQUET else _indexed(path)}


def reads(path: Path) -> bool:
    """Whether the name of a file says that it is one of these."""
    return path.suffix.lower() in (*PARQUET, *INDEXES)


def _library(path: Path, name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        raise harness.DataError(
            f"reading {path.suffix} needs {name.partition('.')[0]}, which is not installed",
            where=str(path),
            next_step=f"pip install 'crossover-harness[{extra}]', or save the vectors with np.save",
        ) from problem


def _column(path: Path) -> NDArray[Any]:
    parquet, types = _library(path, "pyarrow.parquet", "heads"), _library(path, "pyarrow.types", "heads")
    try:
        schema = parquet.read_schema(path)
        lists = [
            each.name
            for each in schema
            if (types.is_list(each.type) or types.is_large_list(each.type) or types.is_fixed_size_list(each.type))
            and types.is_floating(each.type.value_type)
        ]
        chosen = lists if len(lists) == 1 else [name for name in _NAMES if name in lists][:1]
        if not chosen:
            found = f"the columns {' and '.join(lists)} all hold vectors" if lists else "no column holds vectors"
            raise harness.DataError(
                f"{found}; it has {', '.join(schema.names)}",
                where=str(path),
                next_step="give one column of lists of numbers, or call it `queries`",
            )
        column = parquet.read_table(path, columns=chosen).column(0).combine_chunks()
        rows = column.to_numpy(zero_copy_only=False)
    except (OSError, ValueError) as problem:  # what pyarrow raises derives from these
        raise harness.DataError(
            f"it is not a Parquet file ({str(problem)[:200]})", where=str(path), next_step="write it again"
        ) from problem
    lengths = {0 if row is None else len(row) for row in rows}
    if len(lengths) != 1:
        row = next((place for place, row in enumerate(rows) if row is None or len(row) != len(rows[0])), 0)
        raise harness.DataError(
            f"the vectors in the column {chosen[0]!r} differ in length: row {row} does",
            where=str(path),
            next_step="leave the row out, or embed it again",
        )
    return np.stack(rows)


def _indexed(path: Path) -> NDArray[Any]:
    faiss = _library(path, "faiss", "faiss")
    if not path.is_file():
        raise harness.DataError("there is no such file", where=str(path), next_step="give an index that FAISS wrote")
    try:
        index = faiss.read_index(str(path))
        vectors: NDArray[Any] = index.reconstruct_n(0, index.ntotal)
    except RuntimeError as problem:
        raise harness.DataError(
            "it is not an index of FAISS that holds its vectors",
            where=str(path),
            next_step="save the vectors themselves with np.save",
        ) from problem
    return vectors
