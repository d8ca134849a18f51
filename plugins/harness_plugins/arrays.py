"""Arrays that users hold in `.npy` and `.npz` files: read without pickles, and refused where they are no embeddings."""

from __future__ import annotations

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

import harness
from harness_plugins import query_tables, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]

HEADS = ("centroids", "answers", "temperature", "matrices", "matrix_heads")  # arrays of heads, which are no queries
_TRAIN = ("train", "train_queries")
_HELD_OUT = ("test", "test_queries", "held_out", "held_out_queries")
KNOWN = frozenset({"queries", "query_heads", *HEADS, *_TRAIN, *_HELD_OUT})
_LONGEST_HEADER = 10_000  # bytes; what numpy itself takes without being asked
_LARGEST = 2**48  # entries along a dimension
_MOST_DIMENSIONS = 8
_MOST_MEMBERS = 1000  # of an archive, each of which is looked at
_LOOKED_AT_BYTES, _DENSEST = 2**28, 100  # larger members, packed so much denser than any embeddings, are not unpacked
_DAMAGE = (  # what a damaged file raises, by its method of compression and by where the damage is
    OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError,
    NotImplementedError, OverflowError, MemoryError, SyntaxError, TypeError, KeyError, IndexError, UnicodeError,
    tokenize.TokenError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StoredQueries:
    """The queries of a file."""

    rows: Float32  # [Q, D]
    heads: NDArray[np.int64] | None = None  # [Q], the head each query belongs to
    held_out: NDArray[np.bool_] | None = None  # [Q], where the file itself says how they are split
    notes: Sequence[str] = ()
    place: Callable[[int], str] = "row {} of queries".format  # where a row stands in the file, for messages


def read_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    """The arrays of an `.npz` archive by name, or the one of an `.npy` file as `queries`; pickles are refused.

    Of an archive those are read that heads and queries may have as their names, or the only one that there is. Any
    other is there with its shape and type, and zeros in place of its values: it may be as large as it likes.

    Raises:
        DataError: where the file cannot be read, or claims to hold what it does not.
    """
    try:
        if not is_file(path):
            raise _unreadable(path, "there is no such file")
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                return {"queries": _array(path, "", file, path.stat().st_size)}
        with zipfile.ZipFile(path) as archive:
            members = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
            if len(members) > _MOST_MEMBERS:
                raise _unreadable(path, f"it holds {len(members):,} members")
            return {
                name: _member(path, archive, member, read=name in KNOWN or len(members) == 1)
                for name, member in members.items()
            }
    except harness.DataError:
        raise
    except _DAMAGE as problem:
        raise _unreadable(path, str(problem) or type(problem).__name__) from problem


def is_file(path: Path) -> bool:
    """Whether a file is there; a name that no file can have, and links in a circle, lead to none."""
    try:
        return path.is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def _unreadable(path: Path, why: str) -> harness.DataError:
    return harness.DataError(
        f"it is not a NumPy file of plain numbers ({why[:200]})",
        where=str(path),
        next_step="write it with np.save or np.savez; pickled objects are not read",
    )


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, read: bool) -> NDArray[Any]:
    """One array of an archive; what is not to be read, and not to be understood, has no dimensions at all."""
    if read:
        if member.file_size > max(_LOOKED_AT_BYTES, _DENSEST * member.compress_size):
            sizes = f"{member.file_size:,} bytes from {member.compress_size:,}"
            raise _unreadable(path, f"{member.filename[:60]!r} in it claims to unpack to {sizes}")
        with archive.open(member) as file:
            return _array(path, f"{member.filename[:60]!r} in it ", file, member.file_size)
    try:
        with archive.open(member) as file:
            header = _header(file)
        return np.broadcast_to(np.zeros((), header.dtype), header.shape)
    except (Exception, RecursionError):  # noqa: BLE001 - nobody asked for it
        return np.zeros(())


@dataclass(frozen=True)
class _Header:
    """What a `.npy` file says about its array."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    length: int  # bytes of the header itself


def _header(file: IO[bytes]) -> _Header:
    """The header of a `.npy` file, looked at before anything is taken from it.

    Raises:
        ValueError: where it is none.
    """
    start = file.read(12)
    if start[:6] != b"\x93NUMPY" or start[6:8] not in (b"\x01\x00", b"\x02\x00"):
        raise ValueError("it does not begin as a .npy file of version 1 or 2")
    long = start[6] == 2
    size = int.from_bytes(start[8:12] if long else start[8:10], "little")
    if size > _LONGEST_HEADER:
        raise ValueError(f"its header of {size:,} bytes is too long")
    whole = start + file.read(size - (0 if long else 2))
    reader = np.lib.format.read_array_header_2_0 if long else np.lib.format.read_array_header_1_0
    try:
        shape, fortran, dtype = reader(io.BytesIO(whole[8:]))
    except (SyntaxError, TypeError, RecursionError, MemoryError, OverflowError, AttributeError) as problem:
        raise ValueError("its header is damaged") from problem
    if not all(isinstance(each, int) and 0 <= each <= _LARGEST for each in shape) or len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"its shape {str(shape)[:60]} is not that of an array")
    return _Header(shape, bool(fortran), dtype, (12 if long else 10) + size)


def _array(path: Path, name: str, file: IO[bytes], size: int) -> NDArray[Any]:
    """The array of a `.npy` file that is `size` bytes long, where it holds numbers or texts, and as many as it says."""
    header = _header(file)
    if header.dtype.hasobject or header.dtype.kind not in "fiubcUS":
        kind = "pickled objects" if header.dtype.hasobject else str(header.dtype)[:60]
        raise _unreadable(path, f"{name or 'it '}holds {kind}")
    needed = math.prod(header.shape) * header.dtype.itemsize
    if needed > size - header.length:
        raise _unreadable(path, f"{name}claims {needed:,} bytes of values, and has {max(0, size - header.length):,}")
    free = psutil.virtual_memory().available
    if needed > free // 2:
        raise harness.DataError(
            f"{name}needs {needed:,} bytes of memory, and {free:,} are free", where=str(path), next_step="split it"
        )
    content = file.read(needed)
    if len(content) != needed:
        raise _unreadable(path, f"{name}breaks off")
    order: Literal["F", "C"] = "F" if header.fortran else "C"
    return np.frombuffer(content, header.dtype, count=math.prod(header.shape) if header.dtype.itemsize else 0).reshape(
        header.shape if header.dtype.itemsize else (0,), order=order
    )


def read_queries(path: Path, *, width: int, heads: int) -> StoredQueries:
    """The queries of a file of their own: `queries`, or `train` and `test`, or the only array that there is.

    Args:
        path: an `.npy` or `.npz` file, a Parquet file with a column of vectors, or an index of FAISS.
        width: of the centroids, D.
        heads: N.

    Raises:
        DataError: where it cannot be read, or it is unclear which of its arrays are the queries.
    """
    if not is_file(path):
        raise unreadable.missing(path, "an .npy, .npz, .parquet or .faiss file of query embeddings")
    if query_tables.reads(path):
        arrays = dict(query_tables.read(path))
    else:
        unreadable.refuse_other_formats(path)
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
        raise _unclear(path, f"it is unclear which of {' and '.join(named)} are trained on and which held out")
    order = [*train, *held_out] or named
    for name in order:
        refuse_transposed_heads(path, name, arrays[name], width=width, heads=heads)
    parts = [matrix(path, name, arrays[name], width) for name in order]
    rows, split = np.concatenate(parts), np.repeat([False, True], [len(parts[0]), sum(map(len, parts[1:]))])
    read = {*named, "query_heads", *HEADS}
    unread = [name for name, array in arrays.items() if name not in read and array.ndim == 2]
    return StoredQueries(
        rows=rows,
        heads=None if groups is None else _heads(path, groups, len(rows), heads),
        held_out=split if train else None,
        place=_places(order, [len(part) for part in parts]),
        notes=(
            *([f"the split is that of {path.name}: {train[0]} and {held_out[0]}"] if train else ()),
            *([f"{', '.join(unread)} in {path.name} {'was' if len(unread) == 1 else 'were'} not read"] * bool(unread)),
        ),
    )


def _places(names: Sequence[str], lengths: Sequence[int]) -> Callable[[int], str]:
    """Names a row of arrays that were put together: by its array, and by its row in that, counted from 0."""
    starts = np.cumsum([0, *lengths[:-1]])

    def place(row: int) -> str:
        array = int(np.searchsorted(starts, row, side="right")) - 1
        return f"row {row - int(starts[array])} of {names[array]}"

    return place


def refuse_transposed_heads(path: Path, name: str, queries: NDArray[Any], *, width: int, heads: int) -> None:
    """Refuses queries that are as wide as there are heads: then the centroids are stored as [D, N].

    Raises:
        DataError: where they are.
    """
    if queries.ndim == 2 and queries.shape[1] == heads != width and queries.shape[0] != width:
        raise harness.DataError(
            f"{name} have width {heads}, which is the number of heads, and the centroids have width {width}: "
            f"the centroids, of shape [{heads}, {width}], seem to be transposed",
            where=str(path),
            next_step="save one row for each head: centroids.T, and answers.T if they are stored alike",
        )


def refuse_zero_rows(path: Path, queries: StoredQueries) -> None:
    """Refuses queries without a direction: their cosine to a centroid is not defined.

    Raises:
        DataError: with the first of them.
    """
    zero = np.flatnonzero(~queries.rows.any(axis=1))
    if len(zero):
        more = f", and {len(zero) - 1} more are" if len(zero) > 2 else ", and 1 more is" if len(zero) == 2 else ""
        raise harness.DataError(
            f"{queries.place(int(zero[0]))} is zero{more}: it has no direction, so that no head is near it",
            where=str(path),
            next_step="embed it again, or leave it out (rows are counted from 0)",
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
    if given.dtype.kind not in "iuf" or not np.isfinite(given).all() or not np.array_equal(given, np.floor(given)):
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
        transposed = values.shape[0] == width
        raise harness.DataError(
            f"{name} have width {values.shape[1]}, the centroids {width}"
            + f": their shape {list(values.shape)} seems to be transposed" * transposed,
            where=str(path),
            next_step="save one row for each vector: array.T" if transposed else "embed both with the same model",
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        converted = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(converted).all():
        row = int(np.argmin(np.isfinite(converted).all(axis=1)))
        raise harness.DataError(
            f"row {row} of {name} holds NaN or infinity",
            where=str(path),
            next_step="embed it again, or leave it out (rows are counted from 0)",
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
