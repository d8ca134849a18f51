"""LDA databases and archives of heads: reading and writing `lda.db` and `.npz` files."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import harness
from harness_plugins import query_tables, unreadable
from harness_plugins.arrays import StoredQueries, is_file, matrix, queries_among, read_arrays
from harness_plugins.projections import StoredProjection, projection_ids, read_projection, same_temperature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]

_GIVE_TEMPERATURE = "give it with the option `temperature` (`--temperature` of `harness distill`)"

_LONGEST_VALUE = 10_000_000  # bytes of one value or row
_DEADLINE_SECONDS = 60.0  # within which a database is read

_SCHEMA = """
CREATE TABLE embedding_models (
    model_id INTEGER PRIMARY KEY, name TEXT, dimension INTEGER, backend TEXT, max_tokens INTEGER, notes TEXT);
CREATE TABLE multi_head_projections (
    mh_projection_id INTEGER PRIMARY KEY, model_id INTEGER, name TEXT, temperature REAL, num_heads INTEGER,
    recall_at_1 REAL, mrr REAL, created_at TEXT);
CREATE TABLE cluster_heads (
    head_id INTEGER PRIMARY KEY, mh_projection_id INTEGER, cluster_id INTEGER, centroid_path TEXT, answer_emb_path TEXT,
    W_path TEXT, num_questions INTEGER);
CREATE TABLE embeddings (
    embedding_id INTEGER PRIMARY KEY, model_id INTEGER, entity_type TEXT, entity_id INTEGER, vector_path TEXT);
CREATE TABLE qa_clusters (cluster_id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE cluster_questions (cluster_id INTEGER, question_id INTEGER);
CREATE TABLE cluster_answers (cluster_id INTEGER, answer_id INTEGER);
CREATE TABLE questions (question_id INTEGER PRIMARY KEY, text TEXT, length_type TEXT);
CREATE TABLE answers (answer_id INTEGER PRIMARY KEY, source_file TEXT, text TEXT);
"""


@dataclass(frozen=True, kw_only=True)
class StoredHeads:
    """What a database or an archive holds."""

    centroids: Float32  # [N, D]
    answers: Float32  # [N, K]
    temperature: float
    projection: str  # which projection of the file was read, in words
    matrices: Mapping[int, Float32] = field(default_factory=dict)  # [K, D] by head, which gives W q for its answer
    own_queries: StoredQueries | None = None  # where the file holds any
    unassigned: str = ""  # why it has none although question embeddings are stored
    notes: Sequence[str] = field(default=())  # about the heads

    @property
    def queries(self) -> Float32 | None:
        """Its own queries, [Q, D]."""
        return None if self.own_queries is None else self.own_queries.rows

    @property
    def query_heads(self) -> NDArray[np.int64] | None:
        """The head that each of them belongs to, [Q]."""
        return None if self.own_queries is None else self.own_queries.heads

    @property
    def heads(self) -> harness.Heads:
        """The heads without the queries."""
        return harness.Heads(
            centroids=self.centroids, answers=self.answers, temperature=self.temperature, matrices=self.matrices
        )


def read(path: Path, projection: int | str | None = None, temperature: float | None = None) -> StoredHeads:
    """Heads and queries of an `lda.db` database or an `.npz` archive.

    Args:
        path: the file; an archive ends in `.npz`, a table with a row for each head in `.parquet`.
        projection: id or name of a multi-head projection; needed where a database holds several.
        temperature: in place of the stored one; it chooses among projections, too, where one alone has it.

    Raises:
        DataError: where the file is missing, of another format, holds several projections of which none is chosen, or
            values that cannot be used.
    """
    if not is_file(path):
        raise unreadable.missing(path, "the path of an lda.db or an .npz file")
    unreadable.refuse_other_formats(path)
    unreadable.refuse_one_array(path)
    found = _in_arrays(path, projection) if holds_arrays(path) else _in_database(path, projection, temperature)
    return _checked(path, found, temperature)


def holds_arrays(path: Path) -> bool:
    """Whether the name of a file says that it holds one set of heads, and not the tables of a database."""
    return path.suffix.lower() in (".npz", *query_tables.PARQUET)


def projections(path: Path) -> Sequence[int]:
    """The ids of the multi-head projections of a database.

    Raises:
        DataError: where it cannot be read.
    """
    with _opened(path) as connection:
        return projection_ids(connection)


def _in_database(path: Path, projection: int | str | None, temperature: float | None) -> StoredProjection:
    with _opened(path) as connection:
        return read_projection(path, connection, projection, temperature)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write; what SQLite says meanwhile becomes a sentence.

    From tables only: a view, or a function in the schema, is a program of whoever wrote the file.
    """
    ends = time.monotonic() + _DEADLINE_SECONDS
    unreadable.refuse_other_formats(path)
    try:
        # Without pending changes WAL needs no lock, and so no folder that can be written.
        settled = unreadable.in_wal_mode(path) and not unreadable.pending(path, "-wal")
        address = f"{path.resolve().as_uri()}?mode=ro{'&immutable=1' if settled else ''}"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            connection.set_progress_handler(lambda: time.monotonic() > ends, 100_000)
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection
    except (sqlite3.Error, OSError, MemoryError, OverflowError, UnicodeError) as problem:
        if str(problem) == "interrupted":
            problem = sqlite3.OperationalError(f"reading it takes longer than {_DEADLINE_SECONDS:g} s")
        raise unreadable.database_error(path, problem) from problem


def _in_arrays(path: Path, projection: int | str | None) -> StoredProjection:
    arrays = query_tables.read_heads(path) if query_tables.reads(path) else read_arrays(path)
    if not arrays:
        step = "save it with np.savez(path, centroids=[N, D], answers=[N, K], temperature=T)"
        raise harness.DataError("the archive is empty", where=str(path), next_step=step)
    if projection is not None:
        raise harness.DataError(
            f"an archive has no projections, and {projection!r} was asked for",
            where=str(path),
            next_step="leave the option `projection` out",
        )
    missing = [name for name in ("centroids", "answers") if name not in arrays]
    if missing:
        raise harness.DataError(
            f"the archive has no array named {' and no '.join(missing)}, but {', '.join(sorted(arrays)) or 'nothing'}",
            where=str(path),
            next_step="save it with np.savez(path, centroids=[N, D], answers=[N, K], temperature=T)",
        )
    centroids = matrix(path, "centroids", arrays["centroids"])
    matrices = arrays.get("matrices", np.zeros((0, 0, 0)))
    mapped = np.ravel(arrays.get("matrix_heads", np.arange(len(matrices) if matrices.ndim else 0)))
    if matrices.ndim != 3 or len(matrices) != len(mapped) or len(set(mapped.tolist())) < len(mapped):
        raise harness.DataError(
            f"matrices have the shape {list(matrices.shape)}, and matrix_heads name {len(set(mapped.tolist()))} heads",
            where=str(path),
            next_step="save matrices as [M, K, D], and as matrix_heads the M heads that they belong to",
        )
    return StoredProjection(
        centroids=centroids,
        answers=arrays["answers"],
        matrices=dict(zip(mapped.tolist(), matrices, strict=True)),
        temperature=arrays.get("temperature"),
        projection=f"the heads of {path.name}",
        queries=queries_among(path, arrays, width=centroids.shape[1], heads=len(centroids)),
    )


def _checked(path: Path, found: StoredProjection, temperature: float | None) -> StoredHeads:
    """The same, refused where a value cannot be used."""
    centroids, answers = matrix(path, "centroids", found.centroids), matrix(path, "answers", found.answers)
    if len(centroids) != len(answers):
        raise harness.DataError(
            f"it has {len(centroids)} centroids and {len(answers)} answers",
            where=str(path),
            next_step="each head needs one of both",
        )
    if not np.all(np.linalg.norm(centroids, axis=1) > 0):
        row = int(np.argmin(np.linalg.norm(centroids, axis=1)))
        raise harness.DataError(
            f"the centroid of head {row} is zero", where=str(path), next_step="it has no direction: leave the head out"
        )
    without = [head for head in np.flatnonzero(~answers.any(axis=1)).tolist() if head not in found.matrices]
    if without:
        raise harness.DataError(
            f"the answer of head {without[0]} is zero",
            where=str(path),
            next_step="it has no direction, so that nothing can rank it: embed it again, or leave the head out",
        )
    shape = answers.shape[1], centroids.shape[1]
    for head, values in found.matrices.items():
        if head not in range(len(centroids)) or values.shape != shape:
            raise harness.DataError(
                f"the matrix of head {head} has the shape {list(values.shape)}, and the {len(centroids)} heads map "
                f"queries of width {shape[1]} to projections of width {shape[0]}",
                where=str(path),
                next_step="a matrix is [K, D], and heads are counted from 0",
            )
    queries, stored = found.queries, found.temperature
    if queries is not None:
        matrix(path, "queries", queries.rows, width=shape[1])
    changed = stored is not None and temperature is not None and not same_temperature(stored, temperature)
    return StoredHeads(
        centroids=centroids,
        answers=answers,
        matrices={
            head: matrix(path, f"the matrix of head {head}", found.matrices[head]) for head in sorted(found.matrices)
        },
        temperature=_temperature(path, stored if temperature is None else temperature),
        projection=found.projection,
        own_queries=queries,
        unassigned=found.unassigned,
        notes=(
            *found.notes,
            *([f"T = {temperature:g} in place of the stored {stored}"] if changed else ()),
            *([f"{len(found.matrices)} of {len(centroids)} heads have a matrix"] if found.matrices else ()),
        ),
    )


def _temperature(path: Path, given: Any) -> float:
    """T as a positive number; what is given is None where the file has none."""
    if given is None:
        raise harness.DataError("it has no temperature", where=str(path), next_step=_GIVE_TEMPERATURE)
    try:
        number = np.asarray(given).reshape(())
        value = 0.0 if number.dtype.kind == "c" else float(number.astype(np.float64))
    except (TypeError, ValueError, OverflowError):
        value = 0.0
    if not 0 < value < np.inf:
        shown = " ".join(repr(given).split())[:60]
        what = f"the temperature {shown} is not a positive number"
        raise harness.DataError(what, where=str(path), next_step=_GIVE_TEMPERATURE)
    return value


def write_archive(path: Path, heads: harness.Heads, queries: Float32 | None = None) -> None:
    """Writes heads, and queries where there are some, as one `.npz` archive."""
    more: dict[str, Any] = {} if queries is None else {"queries": queries}
    if heads.matrices:
        more["matrices"] = np.stack(list(heads.matrices.values()))
        more["matrix_heads"] = np.array(list(heads.matrices), dtype=np.int64)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("xb") as file:  # a file object, since savez would append a suffix to a name
            np.savez(
                file,
                centroids=heads.centroids,
                answers=heads.answers,
                temperature=np.float64(heads.temperature),
                **more,
            )
        draft.replace(path)  # what was there stays until all of the new one is
    finally:
        draft.unlink(missing_ok=True)


def write_database(path: Path, heads: harness.Heads, name: str, model: str = "unknown") -> None:
    """Writes heads as an `lda.db` with one `.npy` file for each vector in a new folder below `embeddings/` beside it.

    Nothing that is there is written over, other databases' vectors included, and the database comes last: it names
    nothing that is not there.

    Raises:
        DataError: where the file exists already: a database may hold more than this writes.
    """
    if path.exists():
        raise _exists(path)
    folder = _new_folder(path.parent / "embeddings", path.stem)
    draft = folder / "database"
    try:
        vectors = folder.relative_to(path.parent).as_posix()
        for index in range(heads.count):
            for part, vector in _vectors(heads, index).items():
                np.save(path.parent / f"{vectors}/cluster_{index + 1}_{part}.npy", vector)
        _write_tables(draft, heads, vectors, name, model)
        try:
            os.link(draft, path)  # fails where something has come there meanwhile
        except FileExistsError:
            raise _exists(path) from None
        except OSError:  # a file system without links
            draft.rename(path)
        draft.unlink(missing_ok=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _exists(path: Path) -> harness.DataError:
    return harness.DataError("it exists already", where=str(path), next_step="give a new path, or remove it first")


def _new_folder(above: Path, stem: str) -> Path:
    """A folder that was not there before."""
    for number in itertools.count(1):
        folder = above / (stem if number == 1 else f"{stem}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError


def _vectors(heads: harness.Heads, index: int) -> dict[str, Float32]:
    """The arrays of one head by what they are."""
    found = {"centroid": heads.centroids[index], "answer": heads.answers[index]}
    return {**found, **({"W": heads.matrices[index]} if index in heads.matrices else {})}


def _write_tables(path: Path, heads: harness.Heads, folder: str, name: str, model: str) -> None:
    """Writes a database that names vectors in a folder."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO embedding_models VALUES (1, ?, ?, NULL, NULL, NULL)", (model, heads.width))
        connection.execute(
            "INSERT INTO multi_head_projections VALUES (1, 1, ?, ?, ?, NULL, NULL, datetime('now'))",
            (name, heads.temperature, heads.count),
        )
        for index in range(heads.count):
            cluster = index + 1
            stored = {part: f"{folder}/cluster_{cluster}_{part}.npy" for part in _vectors(heads, index)}
            connection.execute("INSERT INTO qa_clusters VALUES (?, ?)", (cluster, f"head {cluster}"))
            connection.execute(
                "INSERT INTO cluster_heads VALUES (?, 1, ?, ?, ?, ?, 0)",
                (cluster, cluster, stored["centroid"], stored["answer"], stored.get("W")),
            )
