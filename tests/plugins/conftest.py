"""Small heads and queries, and an LDA database as another machine would have left it."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3

import numpy as np
import pytest

import harness

WIDTH = 32


@pytest.fixture(scope="session")
def queries():
    return np.random.default_rng(1).standard_normal((40, WIDTH), dtype=np.float32)


@pytest.fixture(scope="session")
def make_heads():
    def make(count, output_width=24, temperature=0.1, width=WIDTH):
        generator = np.random.default_rng(count)
        return harness.Heads(
            centroids=generator.standard_normal((count, width), dtype=np.float32),
            answers=generator.standard_normal((count, output_width), dtype=np.float32),
            temperature=temperature,
        )

    return make


@pytest.fixture(scope="session")
def by_hand():
    """The formula as plainly as it can be written, one query and one head at a time, in float64."""

    def project(heads, queries):
        rows = []
        for query in np.asarray(queries, dtype=np.float64):
            cosines = [
                float(query @ c) / (np.sqrt(query @ query) * np.sqrt(c @ c)) for c in heads.centroids.astype(np.float64)
            ]
            weights = np.array([np.exp((s - max(cosines)) / heads.temperature) for s in cosines])
            rows.append(
                sum(w * a for w, a in zip(weights / weights.sum(), heads.answers.astype(np.float64), strict=True))
            )
        return np.array(rows)

    return project


@pytest.fixture
def lda_database(tmp_path, make_heads):
    """An `lda.db` whose stored paths exist nowhere: relative to a trainer's folder, and absolute on another machine."""
    heads = make_heads(5)
    folder = tmp_path / "moved here"
    (folder / "embeddings").mkdir(parents=True)
    path = folder / "lda.db"
    questions = np.random.default_rng(9).standard_normal((20, WIDTH))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            """
            CREATE TABLE embedding_models (model_id INTEGER, name TEXT, dimension INTEGER, backend TEXT,
                max_tokens INTEGER, notes TEXT);
            CREATE TABLE multi_head_projections (mh_projection_id INTEGER, model_id INTEGER, name TEXT,
                temperature REAL, num_heads INTEGER, recall_at_1 REAL, mrr REAL, created_at TEXT);
            CREATE TABLE cluster_heads (head_id INTEGER, mh_projection_id INTEGER, cluster_id INTEGER,
                centroid_path TEXT, answer_emb_path TEXT, W_path TEXT, num_questions INTEGER);
            CREATE TABLE embeddings (embedding_id INTEGER, model_id INTEGER, entity_type TEXT, entity_id INTEGER,
                vector_path TEXT);
            CREATE TABLE cluster_questions (cluster_id INTEGER, question_id INTEGER);
            INSERT INTO multi_head_projections VALUES (1, 1, 'cool', 0.1, 5, 0.9, 0.9, '2025'),
                (2, 1, 'warm', 1.0, 5, 0.9, 0.9, '2025');
            """
        )
        for projection in (1, 2):
            for head in range(5):
                cluster = 10 + head
                np.save(folder / "embeddings" / f"{cluster}_c.npy", heads.centroids[head].astype(np.float64))
                np.save(folder / f"{cluster}_a.npy", heads.answers[head])
                connection.execute(
                    "INSERT INTO cluster_heads VALUES (?, ?, ?, ?, ?, NULL, 4)",
                    (
                        10 * projection + head,
                        projection,
                        cluster,
                        f"../out/x/embeddings/{cluster}_c.npy",
                        f"/gone/far/{cluster}_a.npy",
                    ),
                )
        for question, vector in enumerate(questions):
            np.save(folder / "embeddings" / f"q{question}.npy", vector[None])
            connection.execute(
                "INSERT INTO embeddings VALUES (?, 1, 'question', ?, ?)",
                (question, question, f"C:\\old\\q{question}.npy"),
            )
            connection.execute("INSERT INTO cluster_questions VALUES (?, ?)", (10 + question % 5, question))
    return path, heads, questions


@pytest.fixture(scope="session")
def make_mapped(make_heads):
    """Heads of which some have a matrix, which takes the place of their answer."""

    def make(count, mapped, output_width=24, temperature=0.1):
        heads = make_heads(count, output_width, temperature)
        generator = np.random.default_rng([count, 1])
        matrices = {head: generator.standard_normal((output_width, WIDTH), dtype=np.float32) for head in mapped}
        return dataclasses.replace(heads, matrices=matrices)

    return make
