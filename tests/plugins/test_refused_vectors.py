"""What cannot be used in `--db` and in `--queries`, in the words of the command that was typed."""

from __future__ import annotations

import contextlib
import re
import sqlite3

import numpy as np
import pytest

import harness
from harness.commands.typed import as_typed
from harness_plugins import distill_suite
from harness_plugins.sources import DatabaseSource

DRAWN = np.random.default_rng(0).standard_normal((52, 16)).astype(np.float32)
CENTROIDS, ANSWERS, QUERIES = DRAWN[:6], DRAWN[6:12], DRAWN[12:]


def typed(db, queries=None):
    """The data, or the error as `harness distill --db … --queries …` prints it."""
    source = DatabaseSource().with_options({"path": str(db), **({"queries": str(queries)} if queries else {})})
    try:
        return source.load(None, harness.SourceContext(folder=db.parent, cache=db.parent)), ""
    except harness.HarnessError as error:
        whole = harness.HarnessError(f"the source cannot be loaded: {error}", where="source.options")
        return None, str(as_typed(whole, distill_suite.DistillOptions(db=db, queries=queries).typed))


def changed(values, row, to):
    new = values.copy()
    new[row] = to
    return new


@pytest.fixture
def db(tmp_path):
    np.savez(tmp_path / "heads.npz", centroids=CENTROIDS, answers=ANSWERS, temperature=0.1)
    return tmp_path / "heads.npz"


ZERO = "is zero: it has no direction, so that no head is near it; embed it again, or leave it out (rows are counted from 0)"
NAN = "holds NaN or infinity; embed it again, or leave it out (rows are counted from 0)"
WRONG_QUERIES = {
    "zero": ({"queries": changed(QUERIES, 3, 0)}, f"row 3 of queries {ZERO}"),
    "zeros": ({"queries": changed(QUERIES, [3, 5, 6], 0)}, "row 3 of queries is zero, and 2 more are: it has no"),
    "zero, held out": ({"train": QUERIES, "test": changed(QUERIES, 7, 0)}, f"row 7 of test {ZERO}"),
    "NaN": ({"queries": changed(QUERIES, 4, np.nan)}, f"row 4 of queries {NAN}"),
    "infinite in float16": (
        {"queries": changed(QUERIES, 2, np.inf).astype(np.float16)},
        f"row 2 of queries {NAN}",
    ),
    "transposed": (
        {"queries": QUERIES.T},
        "queries have width 40, the centroids 16: their shape [16, 40] seems to be transposed; save one row for each",
    ),
    "wrong key": ({"vecs": QUERIES, "ids": QUERIES}, "none of its arrays is named queries or train: it holds vecs, ids"),
    "wrong width": ({"queries": QUERIES[:, :8]}, "queries have width 8, the centroids 16; embed both with the same model"),
    "one dimension": ({"queries": QUERIES[0]}, "queries is not a matrix of numbers but float32 of shape [16]"),
    "no rows": ({"queries": QUERIES[:0]}, "queries is not a matrix of numbers but float32 of shape [0, 16]"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_QUERIES)
def test_queries_that_cannot_be_used(tmp_path, db, name):
    arrays, sentence = WRONG_QUERIES[name]
    np.savez(tmp_path / "q.npz", **arrays)
    said = typed(db, tmp_path / "q.npz")[1]
    assert said.startswith(f"--queries {tmp_path}/q.npz: {sentence}")


@pytest.mark.parametrize("name", ["zero", "zero, held out", "NaN", "transposed", "wrong width"])
def test_the_same_among_the_queries_of_the_heads_own_file(tmp_path, name):
    arrays, sentence = WRONG_QUERIES[name]
    np.savez(tmp_path / "own.npz", centroids=CENTROIDS, answers=ANSWERS, temperature=0.1, **arrays)
    assert typed(tmp_path / "own.npz")[1].startswith(f"--db {tmp_path}/own.npz: {sentence}")


WRONG_HEADS = {
    "zero centroid": ({"centroids": changed(CENTROIDS, 2, 0)}, "the centroid of head 2 is zero; it has no direction"),
    "zero answer": ({"answers": changed(ANSWERS, 5, 0)}, "the answer of head 5 is zero; it has no direction, so that"),
    "NaN": ({"centroids": changed(CENTROIDS, 2, np.nan)}, f"row 2 of centroids {NAN}"),
    "NaN answer": ({"answers": changed(ANSWERS, 1, np.inf)}, f"row 1 of answers {NAN}"),
    "integers": ({"answers": np.ones((6, 16), int)}, "answers is not a matrix of floating-point numbers but of int64"),
    "other count": ({"answers": ANSWERS[:4]}, "it has 6 centroids and 4 answers; each head needs one of both"),
    "transposed": (
        {"centroids": CENTROIDS.T, "answers": ANSWERS.T},
        "queries have width 16, which is the number of heads, and the centroids have width 6: the centroids, of shape [16, 6],",
    ),
}


@pytest.mark.parametrize("name", WRONG_HEADS)
def test_heads_that_cannot_be_used(tmp_path, name):
    arrays, sentence = WRONG_HEADS[name]
    good = {"centroids": CENTROIDS, "answers": ANSWERS, "temperature": 0.1, "queries": QUERIES}
    np.savez(tmp_path / "own.npz", **{**good, **arrays})
    assert typed(tmp_path / "own.npz")[1].startswith(f"--db {tmp_path}/own.npz: {sentence}")


def test_half_precision_is_used_and_so_are_answers_that_a_matrix_replaces(tmp_path):
    half = {name: rows.astype(np.float16) for name, rows in {"centroids": CENTROIDS, "queries": QUERIES}.items()}
    answers, matrices = changed(ANSWERS, 0, 0), np.ones((1, 16, 16))
    np.savez(tmp_path / "own.npz", **half, answers=answers, matrices=matrices, matrix_heads=[0], temperature=0.1)
    data, said = typed(tmp_path / "own.npz")
    assert not said
    assert data.train_queries.dtype == np.float32
    np.testing.assert_allclose(data.heads.centroids, CENTROIDS, atol=2e-3)


def test_a_file_of_one_array_holds_no_heads(tmp_path):
    for name, form in {"q.npy": "a .npy file", "q.faiss": "an index of FAISS"}.items():
        np.save(tmp_path / "q.npy", QUERIES)
        (tmp_path / "q.faiss").write_bytes(b"IxFI")
        said = typed(tmp_path / name)[1]
        assert said.startswith(
            f"--db {tmp_path / name}: {form} holds one set of vectors, and heads are two: centroids and"
        )
        assert said.endswith("or name the file in `--queries` if it holds queries")


def test_the_error_of_a_count_of_heads_names_the_option_too(tmp_path, answered_here):
    np.savez(tmp_path / "own.npz", centroids=changed(CENTROIDS, 2, np.nan), answers=ANSWERS, temperature=0.1)
    with pytest.raises(
        harness.DataError, match=f"^--db {tmp_path}/own.npz: row 2 of centroids holds NaN or infinity; em"
    ):
        distill_suite.plan(distill_suite.DistillOptions(db=tmp_path / "own.npz"))
    with pytest.raises(harness.DataError, match=r"^--queries nope\.npy: there is no such file; give an \.npy, \.npz, "):
        distill_suite.plan(
            distill_suite.DistillOptions(db=tmp_path / "own.npz", queries=tmp_path.__class__("nope.npy"))
        )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.zeros(32), "is zero: it has no direction"),
        (np.full(32, np.nan), ": embeddings/q3.npy: the vector in it holds NaN or infinity; embed it again, or remove"),
        (
            np.ones((2, 32)),
            ": embeddings/q3.npy: it does not hold one vector; it needs a .npy file of its own: one vec",
        ),
        (
            np.ones(32, np.int8),
            ": embeddings/q3.npy: the vector in it is not a matrix of floating-point numbers but of",
        ),
        (np.ones(8), " has 8; a projection needs embeddings of one model"),
    ],
    ids=["zero", "NaN", "matrix", "integers", "width"],
)
def test_a_vector_of_a_database_names_the_option_the_row_and_the_file(lda_database, value, sentence):
    path = lda_database[0]
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM multi_head_projections WHERE mh_projection_id != 1")
    np.save(path.parent / "embeddings" / "q3.npy", value)
    said = typed(path)[1]
    assert said.startswith(f"--db {path}: ")
    assert re.search("vector_path of embedding_id 3 in embeddings.*" + re.escape(sentence), said), said
