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
