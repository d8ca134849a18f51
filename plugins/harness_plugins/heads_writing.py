"""Writes heads with their questions, as an archive or as a database that other tools of the original system read."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np

import harness
from harness_plugins import database

if TYPE_CHECKING:
    from pathlib import Path

    from harness_plugins.heads_building import Built, Embedded

SUFFIXES = (".npz", ".db")


def write(path: Path, embedded: Embedded, built: Built, embedder: str) -> None:
    """Writes what was built; both forms are read by the source `database`, which then splits the questions alike.

    Raises:
        DataError: where the file exists, or has another suffix, or vectors of another database are in the way.
    """
    refuse(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".npz":
        _write_archive(path, embedded, built)
    else:
        _write_database(path, embedded, built, embedder)


def refuse(path: Path) -> None:
    """Refuses a file that cannot be written: asked before hours are spent on it.

    Raises:
        DataError: where it exists, has another suffix, or vectors of another database are in the way.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise harness.DataError(
            f"heads are written as {' or '.join(SUFFIXES)}", where=str(path), next_step="give --output heads.npz"
        )
    if path.exists():
        raise harness.DataError("it exists already", where=str(path), next_step="give another --output, or remove it")
    vectors = path.parent / "embeddings"
    if path.suffix.lower() == ".db" and vectors.is_dir() and any(vectors.iterdir()):
        raise harness.DataError(
            "the folder holds vectors already, and those of two databases must not mix",
            where=str(vectors),
            next_step="give an --output in a folder of its own, such as faq/lda.db",
        )


def _write_archive(path: Path, embedded: Embedded, built: Built) -> None:
    apart = built.held_out
    parts: dict[str, Any] = {"train": embedded.vectors[~apart], "test": embedded.vectors[apart]}
    if not apart.any():
        parts = {"queries": embedded.vectors}
    with path.open("wb") as file:  # a file object, since savez would append a suffix to a name
        np.savez(
            file,
            centroids=built.heads.centroids,
            answers=built.heads.answers,
            temperature=np.float64(built.heads.temperature),
            query_heads=np.concatenate([built.groups[~apart], built.groups[apart]]),
            topics=np.array(built.names),
            **parts,
        )


def _write_database(path: Path, embedded: Embedded, built: Built, embedder: str) -> None:
    """All tables, and a `.npy` file for each vector in `embeddings/` beside the database."""
    database.write_database(path, built.heads, f"multi_head_{embedder}", embedder)
    questions = list(enumerate(embedded.questions, start=1))
    answers = list(enumerate(embedded.answers, start=1))
    stored = []
    for kind, vectors in (("question", embedded.vectors), ("answer", embedded.answer_vectors)):
        for number, vector in enumerate(vectors if vectors is not None else (), start=1):
            place = f"embeddings/{kind}_{number}.npy"
            np.save(path.parent / place, vector)
            stored.append((1, kind, number, place))
    clusters = [(int(group) + 1, number) for number, group in enumerate(built.groups, start=1)]
    answered = set()
    if embedded.answer_of is not None:
        answered = {(cluster, int(embedded.answer_of[number - 1]) + 1) for cluster, number in clusters}
    sizes = np.bincount(built.groups[~built.held_out], minlength=built.heads.count)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        insert = connection.executemany
        insert("INSERT INTO questions VALUES (?, ?, NULL)", questions)
        insert("INSERT INTO answers VALUES (?, NULL, ?)", answers)
        insert("INSERT INTO embeddings (model_id, entity_type, entity_id, vector_path) VALUES (?, ?, ?, ?)", stored)
        insert("INSERT INTO cluster_questions VALUES (?, ?)", clusters)
        insert("INSERT INTO cluster_answers VALUES (?, ?)", sorted(answered))
        numbers = range(1, built.heads.count + 1)
        insert("UPDATE qa_clusters SET name = ? WHERE cluster_id = ?", zip(built.names, numbers, strict=True))
        insert(
            "UPDATE cluster_heads SET num_questions = ? WHERE cluster_id = ?", zip(sizes.tolist(), numbers, strict=True)
        )
        if built.chosen is not None:
            connection.execute(
                "UPDATE multi_head_projections SET recall_at_1 = ?, mrr = ?",
                (built.chosen.recall_at_1, built.chosen.mrr),
            )
