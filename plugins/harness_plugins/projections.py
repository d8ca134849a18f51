"""One multi-head projection of an LDA database: which it is, its heads, and the questions that belong to them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import harness
from harness_plugins.arrays import StoredQueries, matrix
from harness_plugins.vector_files import StoredPath, VectorFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Row = dict[str, Any]

_COLUMNS = {  # that are read, the one that orders the rows first
    "multi_head_projections": ("mh_projection_id", "model_id", "name", "temperature"),
    "cluster_heads": ("head_id", "mh_projection_id", "cluster_id", "centroid_path", "answer_emb_path", "W_path"),
    "embeddings": ("embedding_id", "model_id", "entity_type", "entity_id", "vector_path"),
    "cluster_questions": ("question_id", "cluster_id"),
}
_OPTIONAL = ("W_path",)
_CHOOSE = "choose one by its id with the option `projection` (`--projection` of `harness distill`)"


@dataclass(frozen=True, kw_only=True)
class StoredProjection:
    """What a file holds, before it is known whether that can be used."""

    centroids: NDArray[Any]
    answers: NDArray[Any]
    temperature: Any  # None where the file has none
    projection: str  # which projection of the file it is, in words
    matrices: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    queries: StoredQueries | None = None
    unassigned: str = ""  # why there are no queries although question embeddings are stored
    notes: Sequence[str] = ()


def read_projection(
    path: Path, connection: sqlite3.Connection, wanted: int | str | None, temperature: float | None
) -> StoredProjection:
    """The projection that is wanted, by its id, its name, or as the only one.

    Raises:
        DataError: where that is not one projection, or its vectors are not there.
    """
    projections = _rows(connection, "multi_head_projections")
    heads = _rows(connection, "cluster_heads")
    sizes = [sum(row["mh_projection_id"] == each["mh_projection_id"] for row in heads) for each in projections]
    named = [_named(each, size) for each, size in zip(projections, sizes, strict=True)]
    place = _chosen(path, projections, named, wanted, temperature)
    chosen = projections[place]
    others = [each for each in named if each != named[place]]
    if not sizes[place]:
        what = f"the projection {_shown(chosen['name'])} has no heads"
        raise harness.DataError(what, where=str(path), next_step=f"it holds {', '.join(named)}")
    own = [row for row in heads if row["mh_projection_id"] == chosen["mh_projection_id"]]
    embeddings = _rows(connection, "embeddings")
    folder = VectorFolder(path, [*_paths_of_heads(heads), *map(_path_of_embedding, embeddings)])
    paths = {column: [_path(row, column) for row in own] for column in ("centroid_path", "answer_emb_path")}
    centroids, answers = folder.stack(paths["centroid_path"]), folder.stack(paths["answer_emb_path"])
    asked = [row for row in embeddings if row["entity_type"] == "question"]
    questions = [row for row in asked if row["model_id"] == chosen["model_id"]]
    queries = _queries(
        path,
        folder,
        questions,
        {row["cluster_id"]: index for index, row in enumerate(own)},
        _rows(connection, "cluster_questions"),
    )
    return StoredProjection(
        centroids=centroids,
        answers=answers,
        matrices={place: folder.matrix(_path(row, "W_path")) for place, row in enumerate(own) if row.get("W_path")},
        temperature=_real(chosen["temperature"]),
        projection=f"projection {chosen['mh_projection_id']} ({_shown(chosen['name'])}) of {path.name}",
        queries=queries,
        unassigned="" if queries else _unassigned(chosen, asked, questions),
        notes=(f"{path.name} also holds {', '.join(others)}: {_CHOOSE}",) if others else (),
    )


def projection_ids(connection: sqlite3.Connection) -> list[int]:
    """The ids of all projections, in their order."""
    return [row["mh_projection_id"] for row in _rows(connection, "multi_head_projections")]


def _chosen(
    path: Path, projections: Sequence[Row], named: Sequence[str], wanted: int | str | None, temperature: float | None
) -> int:
    """The place of the projection that is wanted; an error that lists them where that is not one."""
    every = range(len(projections))
    if not projections:
        what = "the database holds no multi-head projection"
        raise harness.DataError(what, where=str(path), next_step="train one first")
    if wanted is None:
        places = [place for place in every if same_temperature(projections[place]["temperature"], temperature)]
        if len(projections) == 1 or len(places) == 1:
            return places[0] if len(places) == 1 else 0
        what = f"it holds {len(projections)} projections: {', '.join(named)}"
        raise harness.DataError(what, where=str(path), next_step=_CHOOSE)
    places = [place for place in every if str(projections[place]["mh_projection_id"]) == str(wanted)]
    places = places or [place for place in every if projections[place]["name"] == wanted]
    if len(places) > 1:
        what = f"{len(places)} projections are called {_shown(wanted)}: {', '.join(named[place] for place in places)}"
        raise harness.DataError(what, where=str(path), next_step=_CHOOSE)
    if not places:
        what = f"there is no projection {_shown(wanted)}"
        raise harness.DataError(what, where=str(path), next_step=f"choose one of {', '.join(named)}")
    return places[0]


def same_temperature(stored: Any, wanted: float | None) -> bool:
    """Whether a stored temperature is the one that is wanted, but for rounding."""
    value = np.asarray(_real(stored))
    return wanted is not None and value.dtype.kind in "fiu" and bool(np.allclose(value, wanted, rtol=1e-6, atol=0))


def _shown(value: Any) -> str:
    """A stored value, cut before it fills a screen."""
    text = repr(value[:60] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _named(projection: Row, heads: int) -> str:
    """`1 ('cool', T = 0.1, N = 5)`."""
    temperature = _real(projection["temperature"])
    return f"{projection['mh_projection_id']} ({_shown(projection['name'])}, T = {_shown(temperature)}, N = {heads})"


def _queries(
    path: Path,
    folder: VectorFolder,
    questions: Sequence[Row],
    head_of: Mapping[Any, int],
    clusters: Sequence[Row],
) -> StoredQueries | None:
    """The questions that belong to heads, one row for each head of each; None where there are none.

    Where the database assigns no question to any cluster, all of them, without heads.
    """
    latest = {row["entity_id"]: row for row in questions}
    if latest and not clusters:
        rows = folder.stack([_path_of_embedding(row) for row in latest.values()])
        note = f"cluster_questions is empty: all {len(latest)} embedded questions are used, whatever their head"
        return StoredQueries(
            rows=matrix(path, "queries", rows), notes=(note,), place=_embedding_places(list(latest.values()))
        )
    heads: dict[Any, list[int]] = {}
    for row in clusters:
        if row["cluster_id"] in head_of:
            heads.setdefault(row["question_id"], []).append(head_of[row["cluster_id"]])
    found = [(row, head) for question, row in latest.items() for head in sorted(set(heads.get(question, ())))]
    left_out, repeated = len(latest.keys() - heads.keys()), len(questions) - len(latest)
    notes = (
        *([f"{left_out} of {len(latest)} questions belong to no head, and were left out"] if left_out else ()),
        *([f"questions embedded more than once: {repeated}; the latest embedding was read"] if repeated else ()),
    )
    if not found:
        return None
    rows = folder.stack([_path_of_embedding(row) for row, _ in found])
    return StoredQueries(
        rows=matrix(path, "queries", rows),
        heads=np.array([head for _, head in found], dtype=np.int64),
        notes=notes,
        place=_embedding_places([row for row, _ in found]),
    )


def _embedding_places(rows: Sequence[Row]) -> Callable[[int], str]:
    """Names the row of `embeddings` that a query was read from."""
    return lambda row: f"{_path_of_embedding(rows[row]).place} ({_shown(rows[row]['vector_path'])})"


def _unassigned(chosen: Row, asked: Sequence[Row], questions: Sequence[Row]) -> str:
    """Why a projection has no queries although question embeddings are stored; empty where none are."""
    if questions:
        return f"cluster_questions assigns none of its {len(questions)} embedded questions to a head of this projection"
    if asked:
        model = str(chosen["model_id"])[:60]
        return f"its {len(asked)} embedded questions are of another model than the projection's {model}"
    return ""


def _rows(connection: sqlite3.Connection, table: str) -> list[Row]:
    """The rows of a table by column, in the order of an id; ids are whole numbers.

    Raises:
        sqlite3.OperationalError: where it is no table, or lacks a column.
    """
    needed, by = _COLUMNS[table], _COLUMNS[table][0]
    found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    if found is None or str(found[0]).upper().startswith("CREATE VIRTUAL"):
        raise sqlite3.OperationalError(f"no such table: {table}")
    present = {str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")}
    missing = [name for name in needed if name not in present and name not in _OPTIONAL]
    if missing:
        raise sqlite3.OperationalError(f"no such column: {table}.{missing[0]}")
    columns = [name for name in needed if name in present]
    rows = [
        {
            name: _as_integer(value) if name.endswith("_id") else value
            for name, value in zip(columns, values, strict=True)
        }
        for values in connection.execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 - our own names
    ]
    for row in rows:
        for name in columns:
            if name.endswith("_id") and not isinstance(row[name], int | str | float | None):
                raise sqlite3.OperationalError(f"{table}.{name} holds {type(row[name]).__name__} in place of a number")
    return sorted(rows, key=lambda row: row[by] if isinstance(row[by], int) else 0)


def _as_integer(value: Any) -> Any:
    """An id as it was meant: SQLite keeps a NumPy integer as its bytes."""
    return int.from_bytes(value, "little", signed=True) if isinstance(value, bytes) and len(value) <= 8 else value


def _real(value: Any) -> Any:
    """A number as it was meant: SQLite keeps a float32 of NumPy as its bytes."""
    return (
        float(np.frombuffer(value, f"<f{len(value)}")[0])
        if isinstance(value, bytes) and len(value) in (4, 8)
        else value
    )


def _paths_of_heads(heads: Iterable[Row]) -> Iterator[StoredPath]:
    for row in heads:
        yield from (_path(row, column) for column in ("centroid_path", "answer_emb_path", "W_path") if row.get(column))


def _path(head: Row, column: str) -> StoredPath:
    place = f"{column} of head_id {head['head_id']} in cluster_heads"
    return StoredPath(stored=head[column], place=place, subject=(column, head["cluster_id"]))


def _path_of_embedding(row: Row) -> StoredPath:
    place = f"vector_path of embedding_id {row['embedding_id']} in embeddings"
    return StoredPath(stored=row["vector_path"], place=place, subject=(row["entity_type"], row["entity_id"]))
