from __future__ import annotations

import contextlib
import sqlite3

import numpy as np
import pytest

import harness
from harness_plugins import database


def run(path, statement, *values):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def test_stale_paths_are_found_beside_the_database(lda_database):
    path, heads, questions = lda_database
    stored = database.read(path, 1)
    np.testing.assert_allclose(stored.centroids, heads.centroids)
    np.testing.assert_array_equal(stored.answers, heads.answers)
    assert stored.centroids.dtype == np.float32
    np.testing.assert_allclose(stored.queries, questions, rtol=1e-6)
    np.testing.assert_array_equal(stored.query_heads, np.arange(20) % 5)


LISTED = r"1 \('cool', T = 0.1, N = 5\), 2 \('warm', T = 1.0, N = 5\)"


def test_several_projections_are_listed_and_none_is_taken(lda_database):
    with pytest.raises(
        harness.DataError,
        match=f"lda.db: it holds 2 projections: {LISTED}; choose one by its id with the option `projection` "
        r"\(`--projection` of `harness distill`\)",
    ):
        database.read(lda_database[0])


def test_two_projections_of_one_name_are_listed_and_none_is_taken(lda_database):
    path = lda_database[0]
    run(path, "UPDATE multi_head_projections SET name = 'the same'")
    listed = LISTED.replace("cool", "the same").replace("warm", "the same")
    with pytest.raises(harness.DataError, match=f"2 projections are called 'the same': {listed}; choose one by its id"):
        database.read(path, "the same")
    with pytest.raises(harness.DataError, match=f"it holds 2 projections: {listed}; choose one by its id"):
        database.read(path)
    assert database.read(path, "2").temperature == 1.0


def test_an_id_is_an_id_though_another_projection_has_it_for_a_name(lda_database):
    path = lda_database[0]
    run(path, "UPDATE multi_head_projections SET name = '2' WHERE mh_projection_id = 1")
    assert database.read(path, "2").projection == "projection 2 ('warm') of lda.db"


def test_a_temperature_chooses_the_one_projection_that_has_it(lda_database):
    path = lda_database[0]
    assert database.read(path, temperature=1.0).projection == "projection 2 ('warm') of lda.db"
    with pytest.raises(harness.DataError, match=f"it holds 2 projections: {LISTED}; choose one"):
        database.read(path, temperature=0.5)
    stored = database.read(path, 2, 0.5)
    assert stored.temperature == 0.5
    assert "T = 0.5 in place of the stored 1.0" in stored.notes


@pytest.mark.parametrize("wanted", [2, "2", "warm"])
def test_a_projection_is_chosen_by_id_or_name(lda_database, wanted):
    stored = database.read(lda_database[0], wanted)
    assert stored.temperature == 1.0
    note = "lda.db also holds 1 ('cool', T = 0.1, N = 5): choose one by its id with the option `projection` "
    assert stored.notes == (f"{note}(`--projection` of `harness distill`)",)


def test_an_unknown_projection_names_the_known_ones(lda_database):
    with pytest.raises(harness.DataError, match=r"there is no projection 'hot'; choose one of " + LISTED + r""):
        database.read(lda_database[0], "hot")


def test_nothing_outside_the_folder_is_read(lda_database):
    path = lda_database[0]
    np.save(path.parent.parent / "secret.npy", np.ones(32))
    run(path, "UPDATE cluster_heads SET centroid_path = '../secret.npy' WHERE head_id = 11")
    with pytest.raises(
        harness.DataError, match=r"the vector '../secret.npy' is not in the database's folder; copy the"
    ):
        database.read(path, 1)


def test_a_symbolic_link_that_leads_outside_is_not_followed(lda_database):
    path = lda_database[0]
    np.save(path.parent.parent / "secret.npy", np.ones(32))
    (path.parent / "embeddings" / "10_c.npy").unlink()
    (path.parent / "embeddings" / "10_c.npy").symlink_to(path.parent.parent / "secret.npy")
    with pytest.raises(harness.DataError, match="nothing outside the folder is read"):
        database.read(path, 1)


def test_the_database_is_opened_for_reading_only(lda_database):
    path = lda_database[0]
    before = path.read_bytes(), sorted(p.name for p in path.parent.iterdir())
    path.chmod(0o444)
    database.read(path, 1)
    assert (path.read_bytes(), sorted(p.name for p in path.parent.iterdir())) == before


def test_pickled_vectors_are_refused(lda_database):
    path = lda_database[0]
    np.save(path.parent / "embeddings" / "10_c.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(harness.DataError, match=r"10_c.npy: it is not a NumPy file of plain numbers"):
        database.read(path, 1)


def test_vectors_of_different_widths_are_refused(lda_database):
    path = lda_database[0]
    np.save(path.parent / "embeddings" / "10_c.npy", np.ones(7))
    with pytest.raises(harness.DataError, match=r"lda.db: its vectors have different widths: 7, 32"):
        database.read(path, 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no such file; give the path of an lda.db or an .npz file"),
        (b"", "it cannot be read as an LDA database .no such table: multi_head_projections."),
        (
            b"PK not a database at all, and longer than a header" * 40,
            "file is not a database.; check that it is an SQLite",
        ),
    ],
)
def test_what_is_no_database_says_so(tmp_path, content, sentence):
    path = tmp_path / "x?#.db"  # characters that mean something in a URI
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(harness.DataError, match=sentence) as caught:
        database.read(path, 1)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"centroids": None}, "the archive has no array named centroids, but answers, temperature"),
        ({"centroids": np.ones(3)}, r"centroids is not a matrix of numbers but float64 of shape \[3\]"),
        ({"centroids": np.full((4, 3), np.nan)}, "row 0 of centroids holds NaN or infinity"),
        ({"centroids": np.ones((3, 3))}, "it has 3 centroids and 4 answers"),
        ({"centroids": np.eye(4)[:, :3]}, "the centroid of head 3 is zero; it has no direction"),
        ({"temperature": np.float64(0)}, "is not a positive number"),
        ({"temperature": np.array("warm")}, "is not a positive number"),
        ({"queries": np.ones((2, 9))}, "queries have width 9, the centroids 3; embed both with the same model"),
        ({"queries": np.ones((2, 3)), "query_heads": np.ones(5)}, "query_heads does not name one head for each query"),
        ({"answers": np.array([["a"] * 3] * 4)}, "answers is not a matrix of numbers but <U1"),
    ],
)
def test_bad_archives_say_what_is_wrong(tmp_path, change, sentence):
    arrays = {"centroids": np.ones((4, 3)), "answers": np.ones((4, 2)), "temperature": np.float64(1)} | change
    np.savez(tmp_path / "heads.npz", **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(harness.DataError, match=sentence):
        database.read(tmp_path / "heads.npz")


def test_what_is_written_is_read_again(tmp_path, make_heads):
    heads = make_heads(6, temperature=0.3)
    database.write_archive(tmp_path / "h.npz", heads, np.ones((2, 32), np.float32))
    database.write_database(tmp_path / "lda.db", heads, "mine")
    for name in ("h.npz", "lda.db"):
        stored = database.read(tmp_path / name)
        np.testing.assert_array_equal(stored.centroids, heads.centroids)
        np.testing.assert_array_equal(stored.answers, heads.answers)
        assert stored.temperature == 0.3
    assert database.read(tmp_path / "h.npz").queries.shape == (2, 32)


def test_an_existing_database_is_not_written_over(lda_database, make_heads):
    with pytest.raises(harness.DataError, match="it exists already; give a new path"):
        database.write_database(lda_database[0], make_heads(2), "mine")


def test_a_second_database_in_a_folder_leaves_the_first_ones_vectors_alone(tmp_path, make_heads):
    (tmp_path / "embeddings").mkdir()
    trained = tmp_path / "embeddings" / "mh_1_cluster_1_answer.npy"  # as the original system names them
    np.save(trained, np.ones(3))
    before = trained.read_bytes()
    made = {name: make_heads(4 + more) for more, name in enumerate(("first.db", "second.db", "sub.first.db"))}
    for name, heads in made.items():
        database.write_database(tmp_path / name, heads, "mine")
    (tmp_path / "first.db").unlink()
    database.write_database(tmp_path / "first.db", made["first.db"], "mine")  # what it left of vectors stays, too
    for name, heads in made.items():
        np.testing.assert_array_equal(database.read(tmp_path / name).answers, heads.answers)
    assert trained.read_bytes() == before
    assert {each.name for each in (tmp_path / "embeddings").iterdir() if each.is_dir()} == {
        "first", "second", "sub.first", "first-2"
    }  # fmt: skip


def test_a_database_that_cannot_be_finished_leaves_nothing(tmp_path, make_heads, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(database, "_write_tables", full)
    with pytest.raises(OSError, match="No space left"):
        database.write_database(tmp_path / "lda.db", make_heads(2), "mine")
    assert not (tmp_path / "lda.db").exists()
    assert list((tmp_path / "embeddings").iterdir()) == []


def test_ids_that_numpy_wrote_are_ids(lda_database):
    """SQLite keeps a NumPy integer as its eight bytes, which compare with no number."""
    path = lda_database[0]
    wanted = database.read(path, 2)
    for table, columns in (
        ("embeddings", ("embedding_id", "entity_id", "model_id")),
        ("cluster_questions", ("cluster_id", "question_id")),
        ("cluster_heads", ("head_id", "cluster_id", "mh_projection_id")),
        ("multi_head_projections", ("mh_projection_id", "model_id")),
    ):
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            for column in columns:
                rows = connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
                for row, value in rows[::2]:
                    connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (np.int64(value), row))
    found = database.read(path, 2)
    assert found.projection == wanted.projection
    np.testing.assert_array_equal(found.centroids, wanted.centroids)
    np.testing.assert_array_equal(found.queries, wanted.queries)
    np.testing.assert_array_equal(found.query_heads, wanted.query_heads)


def test_a_temperature_that_numpy_wrote_is_a_number(lda_database):
    path = lda_database[0]
    run(path, "UPDATE multi_head_projections SET temperature = ? WHERE mh_projection_id = 1", np.float32(0.25))
    assert database.read(path, 1).temperature == 0.25


@pytest.mark.parametrize("value", [None, "warm", 0.0, -1.0, float("inf")])
def test_a_temperature_that_is_none_is_asked_for(lda_database, value):
    path = lda_database[0]
    run(path, "UPDATE multi_head_projections SET temperature = ? WHERE mh_projection_id = 1", value)
    with pytest.raises(harness.DataError, match=r"temperature.*; give it with the option `temperature` \(`--temp"):
        database.read(path, 1)
    assert database.read(path, 1, 0.2).temperature == 0.2


def test_an_archive_without_a_temperature_is_not_read_at_one(tmp_path, make_heads):
    heads = make_heads(3)
    np.savez(tmp_path / "h.npz", centroids=heads.centroids, answers=heads.answers)
    with pytest.raises(harness.DataError, match="it has no temperature; give it with the option `temperature`"):
        database.read(tmp_path / "h.npz")
    assert database.read(tmp_path / "h.npz", temperature=0.3).temperature == 0.3


def test_an_archive_has_no_projections(tmp_path, make_heads):
    database.write_archive(tmp_path / "h.npz", make_heads(3))
    with pytest.raises(harness.DataError, match="an archive has no projections, and 2 was asked for; leave the option"):
        database.read(tmp_path / "h.npz", 2)


def test_matrices_of_heads_are_read(lda_database):
    path = lda_database[0]
    matrix = np.random.default_rng(0).standard_normal((24, 32))
    np.save(path.parent / "embeddings" / "W.npy", matrix)
    run(path, "UPDATE cluster_heads SET W_path = '../out/x/embeddings/W.npy' WHERE head_id = 23")
    assert not database.read(path, 1).matrices
    stored = database.read(path, 2)
    assert stored.notes[-1] == "1 of 5 heads have a matrix"
    assert list(stored.heads.matrices) == [3]
    np.testing.assert_array_equal(stored.matrices[3], matrix.astype(np.float32))
    np.save(path.parent / "embeddings" / "W.npy", matrix.T)
    with pytest.raises(harness.DataError, match=r"the matrix of head 3 has the shape \[32, 24\], and the 5 heads map"):
        database.read(path, 2)
    (path.parent / "embeddings" / "W.npy").unlink()
    with pytest.raises(harness.DataError, match=r"W_path of head_id 23 in cluster_heads: the vector '../out/x/emb"):
        database.read(path, 2)


def test_a_question_of_two_clusters_has_a_row_for_each_and_the_latest_embedding(lda_database):
    path, _, questions = lda_database
    run(path, "INSERT INTO cluster_questions VALUES (13, 0)")
    np.save(path.parent / "embeddings" / "again.npy", np.full(32, 0.5))
    run(path, "INSERT INTO embeddings VALUES (99, 1, 'question', 7, 'embeddings/again.npy')")
    stored = database.read(path, 1)
    assert stored.queries.shape == (21, 32)
    np.testing.assert_array_equal(stored.query_heads[:2], [0, 3])
    np.testing.assert_array_equal(stored.queries[0], stored.queries[1])
    assert (stored.queries == 0.5).all(axis=1).sum() == 1
    assert stored.own_queries.notes == ("questions embedded more than once: 1; the latest embedding was read",)
    assert len(questions) == 20


def test_questions_that_belong_to_no_head_are_counted(lda_database):
    path = lda_database[0]
    run(path, "DELETE FROM cluster_questions WHERE question_id < 4")
    stored = database.read(path, 1)
    assert len(stored.queries) == 16
    assert stored.own_queries.notes == ("4 of 20 questions belong to no head, and were left out",)


def test_questions_are_not_read_as_answers(lda_database):
    path = lda_database[0]
    run(path, "UPDATE cluster_heads SET answer_emb_path = '/gone/answers/q3.npy' WHERE head_id = 12")
    sentence = (
        r"answer_emb_path of head_id 12 in cluster_heads: the vector '/gone/answers/q3.npy' is not in the database's "
        "folder: embeddings/q3.npy is vector_path of embedding_id 3 in embeddings"
    )
    with pytest.raises(harness.DataError, match=sentence):
        database.read(path, 1)
