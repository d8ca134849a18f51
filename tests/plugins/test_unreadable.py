from __future__ import annotations

import contextlib
import functools
import re
import sqlite3

import numpy as np
import pytest

import harness
from harness_plugins import database, unreadable
from harness_plugins.arrays import read_queries
from harness_plugins.sources import DatabaseSource


def run(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def loaded(path, **options):
    context = harness.SourceContext(folder=path.parent, cache=path.parent)
    return DatabaseSource().with_options({"path": path.name, **options}).load(None, context)


def failure(name):
    problem = sqlite3.OperationalError("as SQLite words it")
    problem.sqlite_errorname = name
    return problem


def test_a_locked_database_names_the_lock(lda_database, monkeypatch):
    path = lda_database[0]
    patient = functools.partial(sqlite3.connect, timeout=0.1)  # in place of SQLite's five seconds
    monkeypatch.setattr(database.sqlite3, "connect", patient)
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            harness.DataError, match=r"lda\.db: another process is writing to it and has locked it; wait"
        ):
            database.read(path, 1)
    assert database.read(path, 1).temperature == 0.1


def test_a_settled_wal_database_is_read_without_writing_beside_it(lda_database):
    path = lda_database[0]
    run(path, "PRAGMA journal_mode = WAL")
    before = sorted(each.name for each in path.parent.iterdir())
    assert unreadable.in_wal_mode(path)
    assert database.read(path, 1).temperature == 0.1
    assert sorted(each.name for each in path.parent.iterdir()) == before


def test_changes_in_the_wal_are_read(lda_database):
    path = lda_database[0]
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("UPDATE multi_head_projections SET temperature = 0.7 WHERE mh_projection_id = 1")
        writer.commit()
        assert unreadable.pending(path, "-wal")
        assert database.read(path, 1).temperature == 0.7


@pytest.mark.parametrize(
    ("name", "suffix", "wal", "sentence"),
    [
        ("SQLITE_READONLY_ROLLBACK", "-journal", False, "middle of a change and left lda.db-journal"),
        ("SQLITE_CANTOPEN", "-wal", True, "WAL mode with changes in lda.db-wal, and its folder cannot"),
        ("SQLITE_CANTOPEN", "", False, "it cannot be opened; check the permissions of the file and its folder"),
    ],
)  # fmt: skip
def test_what_is_left_of_a_writer_is_named(lda_database, name, suffix, wal, sentence):
    path = lda_database[0]
    if wal:
        run(path, "PRAGMA journal_mode = WAL")
    if suffix:
        path.with_name(path.name + suffix).write_bytes(b"not empty")
    assert sentence in str(unreadable.database_error(path, failure(name)))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("heads.csv", "CSV is not read as embeddings; convert it: np.savez"),
        ("heads.json", "JSON is not read as embeddings"),
        ("heads.npy.gz", "a gzip archive is not read as embeddings; unpack it first: gunzip heads.npy.gz"),
        ("heads.pkl", "a pickle is not read as embeddings"),
        ("heads.xlsx", "a spreadsheet is not read as embeddings; convert it: np.savez"),
        ("heads.safetensors", "a safetensors file is not read as embeddings"),
    ],
)
def test_other_formats_are_refused_by_their_name(tmp_path, name, sentence):
    path = tmp_path / name
    path.write_bytes(b"1,2,3")
    for read in (database.read, lambda given: read_queries(given, width=3, heads=2)):
        with pytest.raises(harness.DataError, match=re.escape(sentence)) as caught:
            read(path)
        assert caught.value.where == str(path)
        assert "unsafe" not in str(caught.value)


def test_a_folder_and_a_file_that_may_not_be_read_are_no_databases_of_another_form(tmp_path, lda_database, monkeypatch):
    for read in (database.read, lambda given: read_queries(given, width=3, heads=2)):
        with pytest.raises(harness.DataError, match=f"^{tmp_path}: it is a folder; give "):
            read(tmp_path)

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(unreadable, "in_wal_mode", refused)
    with pytest.raises(
        harness.DataError, match="it cannot be opened; check the permissions of the file and its folder"
    ):
        database.read(lda_database[0])


def test_capital_letters_a_temperature_in_a_list_and_an_empty_archive(tmp_path, make_heads):
    heads = make_heads(3)
    path = tmp_path / "heads.NPZ"
    with path.open("wb") as file:
        np.savez(file, centroids=heads.centroids, answers=heads.answers, temperature=[0.1])
    assert database.read(path).temperature == 0.1
    np.savez(tmp_path / "none.npz")
    with pytest.raises(harness.DataError, match=r"none\.npz: the archive is empty; save it with np\.savez"):
        database.read(tmp_path / "none.npz")


def test_questions_that_no_cluster_lists_are_used_without_heads(lda_database):
    path = lda_database[0]
    run(path, "DELETE FROM cluster_questions")
    stored = database.read(path, 1)
    assert (len(stored.queries), stored.query_heads) == (20, None)
    note = "cluster_questions is empty: all 20 embedded questions are used, whatever their head"
    assert stored.own_queries.notes == (note,)
    data = loaded(path, projection=1)
    assert (len(data.train_queries), len(data.held_out_queries)) == (16, 4)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("UPDATE cluster_questions SET cluster_id = 99",
         "cluster_questions assigns none of its 20 embedded questions to a head of this projection"),
        ("UPDATE embeddings SET model_id = 2",
         "its 20 embedded questions are of another model than the projection's 1"),
    ],
)  # fmt: skip
def test_why_no_question_is_used(lda_database, change, sentence):
    path = lda_database[0]
    run(path, change)
    assert database.read(path, 1).unassigned == sentence

    with pytest.raises(harness.DataError, match=f"no query embeddings to train on and to hold out: {sentence}"):
        loaded(path, projection=1)


def test_a_huge_id_is_cut(lda_database):
    path = lda_database[0]
    run(path, "UPDATE multi_head_projections SET model_id = CAST(zeroblob(100000) AS TEXT)")
    try:
        said = database.read(path).unassigned
    except harness.DataError as error:
        said = str(error)
    assert len(said) < 1000


def test_one_question_for_each_head_is_split_over_the_heads(lda_database):
    path, _, questions = lda_database
    run(path, "DELETE FROM cluster_questions WHERE question_id >= 5")
    data = loaded(path, projection=1)
    assert (len(data.train_queries), len(data.held_out_queries)) == (4, 1)
    both = np.concatenate([data.train_queries, data.held_out_queries])
    np.testing.assert_allclose(np.sort(both, axis=0), np.sort(questions[:5], axis=0), rtol=1e-6)


def test_a_null_path_and_nan_name_their_row(lda_database):
    path = lda_database[0]
    run(path, "UPDATE cluster_heads SET centroid_path = NULL WHERE head_id = 12")
    sentence = "centroid_path of head_id 12 in cluster_heads is NULL: no vector was stored for it; embed it"
    with pytest.raises(harness.DataError, match=sentence):
        database.read(path, 1)
    broken = path.parent / "embeddings" / "q3.npy"
    np.save(broken, np.full(32, np.nan))
    sentence = (
        r"vector_path of embedding_id 3 in embeddings: embeddings/q3\.npy: the vector in it holds NaN or infinity; "
    )
    with pytest.raises(harness.DataError, match=sentence):
        database.read(path, 2)
