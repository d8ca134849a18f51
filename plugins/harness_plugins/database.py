"""LDA databases and archives of heads: reading and writing `lda.db` and `.npz` files."""

from __future__ import annotations

import contextlib
import sqlite3
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import harness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]

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
    queries: Float32 | None = None  # [Q, D]
    query_heads: NDArray[np.int64] | None = None  # [Q], the head each query belongs to
    notes: Sequence[str] = field(default=())


def read(path: Path, projection: int | str | None = None) -> StoredHeads:
    """Heads and queries of an `lda.db` database or an `.npz` archive.

    Args:
        path: the file; an archive ends in `.npz`.
        projection: id or name of a multi-head projection in a database; None takes the first.

    Raises:
        DataError: where the file is missing, of another format, or holds values that cannot be used.
    """
    if not path.is_file():
        raise harness.DataError(
            "there is no such file", where=str(path), next_step="give the path of an lda.db or an .npz file"
        )
    if path.suffix == ".npz":
        return _read_archive(path)
    return _read_database(path, projection)


def _read_archive(path: Path) -> StoredHeads:
    arrays = read_arrays(path)
    missing = [name for name in ("centroids", "answers") if name not in arrays]
    if missing:
        raise harness.DataError(
            f"the archive has no array named {' and no '.join(missing)}, but {', '.join(sorted(arrays)) or 'nothing'}",
            where=str(path),
            next_step="save it with np.savez(path, centroids=[N, D], answers=[N, K], temperature=T)",
        )
    notes = () if "temperature" in arrays else ("the archive names no temperature: 1.0 is used",)
    return _checked(
        path,
        centroids=arrays["centroids"],
        answers=arrays["answers"],
        temperature=arrays.get("temperature", np.float64(1.0)),
        projection=f"the heads of {path.name}",
        queries=arrays.get("queries"),
        query_heads=arrays.get("query_heads"),
        notes=notes,
    )


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


def _read_database(path: Path, projection: int | str | None) -> StoredHeads:
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return _read_projection(path, connection, projection)
    except sqlite3.Error as problem:
        raise harness.DataError(
            f"it cannot be read as an LDA database ({problem})",
            where=str(path),
            next_step="check that it is an SQLite file with the tables multi_head_projections and cluster_heads",
        ) from problem


def _read_projection(path: Path, connection: sqlite3.Connection, wanted: int | str | None) -> StoredHeads:
    known = connection.execute(
        "SELECT mh_projection_id, name, temperature, model_id FROM multi_head_projections ORDER BY mh_projection_id"
    ).fetchall()
    named = ", ".join(f"{identifier} ({name!r}, T = {temperature})" for identifier, name, temperature, _ in known)
    chosen = [row for row in known if wanted is None or row[0] == wanted or row[1] == wanted or str(row[0]) == wanted]
    if not chosen:
        what = "the database holds no multi-head projection" if not known else f"there is no projection {wanted!r}"
        raise harness.DataError(
            what, where=str(path), next_step=f"choose one of {named}" if known else "train one first"
        )
    identifier, name, temperature, model = chosen[0]
    folder = _Folder(path)
    rows = connection.execute(
        "SELECT cluster_id, centroid_path, answer_emb_path FROM cluster_heads WHERE mh_projection_id = ? "
        "ORDER BY head_id",
        (identifier,),
    ).fetchall()
    if not rows:
        raise harness.DataError(f"the projection {name!r} has no heads", where=str(path), next_step=f"it holds {named}")
    head_of = {cluster: index for index, (cluster, _, _) in enumerate(rows)}
    queries = connection.execute(
        "SELECT DISTINCT c.cluster_id, e.vector_path, e.embedding_id FROM embeddings e JOIN cluster_questions c "
        "ON c.question_id = e.entity_id WHERE e.entity_type = 'question' AND e.model_id = ? ORDER BY e.embedding_id",
        (model,),
    ).fetchall()
    queries = [row for row in queries if row[0] in head_of]
    return _checked(
        path,
        centroids=folder.stack([row[1] for row in rows]),
        answers=folder.stack([row[2] for row in rows]),
        temperature=temperature,
        projection=f"projection {identifier} ({name!r}) of {path.name}",
        queries=folder.stack([row[1] for row in queries]) if queries else None,
        query_heads=np.array([head_of[row[0]] for row in queries]) if queries else None,
        notes=(f"the first of {len(known)} projections: {named}",) if wanted is None and len(known) > 1 else (),
    )


class _Folder:
    """Finds the vectors of a database, and never reads outside its folder."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._root = database.resolve().parent

    def stack(self, stored: Sequence[str | None]) -> NDArray[Any]:
        """The vectors at the stored paths, [rows, width]."""
        vectors = [self._vector(path) for path in stored]
        widths = sorted({vector.size for vector in vectors})
        if len(widths) > 1:
            raise harness.DataError(
                f"its vectors have different widths: {', '.join(map(str, widths))}",
                where=str(self._database),
                next_step="a projection needs embeddings of one model",
            )
        return np.stack(vectors)

    def _vector(self, stored: str | None) -> NDArray[Any]:
        path = self._resolve(stored or "")
        arrays = read_arrays(path)
        vector = np.squeeze(next(iter(arrays.values()))) if len(arrays) == 1 else np.zeros((0, 0))
        if vector.ndim != 1:
            raise harness.DataError(
                "it does not hold one vector", where=str(path), next_step="each head has its own .npy file"
            )
        return vector

    def _resolve(self, stored: str) -> Path:
        for candidate in self._candidates(stored.replace("\\", "/")):
            resolved = candidate.resolve()  # follows symbolic links, so that none leads outside
            if resolved.is_relative_to(self._root) and resolved.is_file():
                return resolved
        raise harness.DataError(
            f"the vector {stored!r} is not in the database's folder",
            where=str(self._database),
            next_step=f"copy the .npy files into {self._root / 'embeddings'}; nothing outside the folder is read",
        )

    def _candidates(self, stored: str) -> Iterator[Path]:
        if "\0" in stored or not stored.strip():
            return
        name = stored.rstrip("/").rpartition("/")[2]
        yield self._root / stored
        yield self._root / name
        yield self._root / "embeddings" / name


def _checked(
    path: Path,
    *,
    centroids: NDArray[Any],
    answers: NDArray[Any],
    temperature: Any,
    projection: str,
    queries: NDArray[Any] | None,
    query_heads: NDArray[Any] | None,
    notes: Sequence[str],
) -> StoredHeads:
    """The same, refused where a value cannot be used."""
    centroids, answers = matrix(path, "centroids", centroids), matrix(path, "answers", answers)
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
    try:
        value = float(temperature)
    except (TypeError, ValueError):
        value = 0.0
    if not 0 < value < np.inf:
        raise harness.DataError(
            f"the temperature {temperature!r} is not a positive number", where=str(path), next_step="1.0 is a usual one"
        )
    if queries is not None:
        queries = matrix(path, "queries", queries, width=centroids.shape[1])
    if query_heads is not None and (queries is None or query_heads.shape != (len(queries),)):
        raise harness.DataError(
            "query_heads does not name one head for each query", where=str(path), next_step="leave it out or mend it"
        )
    return StoredHeads(
        centroids=centroids,
        answers=answers,
        temperature=value,
        projection=projection,
        queries=queries,
        query_heads=None if query_heads is None else query_heads.astype(np.int64),
        notes=tuple(notes),
    )


def matrix(path: Path, name: str, values: NDArray[Any], width: int | None = None) -> Float32:
    """`values` as a finite float32 matrix with at least one row.

    Raises:
        DataError: where it is none, or has another width than `width`.
    """
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "fiu":
        raise harness.DataError(
            f"{name} is not a matrix of numbers but {values.dtype} of shape {list(values.shape)}",
            where=str(path),
            next_step="one row for each vector, float32 or float64",
        )
    if width is not None and values.shape[1] != width:
        raise harness.DataError(
            f"{name} have width {values.shape[1]}, the centroids {width}",
            where=str(path),
            next_step="embed both with the same model",
        )
    converted = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(converted).all():
        row = int(np.argmin(np.isfinite(converted).all(axis=1)))
        raise harness.DataError(
            f"row {row} of {name} holds NaN or infinity", where=str(path), next_step="embed it again, or leave it out"
        )
    return converted


def write_archive(path: Path, heads: harness.Heads, queries: Float32 | None = None) -> None:
    """Writes heads, and queries where there are some, as one `.npz` archive."""
    more: dict[str, Any] = {} if queries is None else {"queries": queries}
    with path.open("wb") as file:  # a file object, since savez would append a suffix to a name
        np.savez(
            file, centroids=heads.centroids, answers=heads.answers, temperature=np.float64(heads.temperature), **more
        )


def write_database(path: Path, heads: harness.Heads, name: str, model: str = "unknown") -> None:
    """Writes heads as an `lda.db` with one `.npy` file for each vector in `embeddings/` beside it.

    Raises:
        DataError: where the file exists already: a database may hold more than this writes.
    """
    if path.exists():
        raise harness.DataError("it exists already", where=str(path), next_step="give a new path, or remove it first")
    folder = path.parent / "embeddings"
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT INTO embedding_models VALUES (1, ?, ?, NULL, NULL, NULL)", (model, heads.width))
        connection.execute(
            "INSERT INTO multi_head_projections VALUES (1, 1, ?, ?, ?, NULL, NULL, datetime('now'))",
            (name, heads.temperature, heads.count),
        )
        for index in range(heads.count):
            cluster = index + 1
            stored = [f"embeddings/mh_1_cluster_{cluster}_{part}.npy" for part in ("centroid", "answer")]
            np.save(path.parent / stored[0], heads.centroids[index])
            np.save(path.parent / stored[1], heads.answers[index])
            connection.execute("INSERT INTO qa_clusters VALUES (?, ?)", (cluster, f"head {cluster}"))
            connection.execute(
                "INSERT INTO cluster_heads VALUES (?, 1, ?, ?, ?, NULL, 0)", (cluster, cluster, stored[0], stored[1])
            )
