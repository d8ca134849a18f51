from __future__ import annotations

import numpy as np
import pytest

import harness
from harness_plugins.arrays import read_queries

ROWS = np.random.default_rng(0).standard_normal((12, 6))
HEADS = {"centroids": ROWS[:3], "answers": ROWS[3:6], "temperature": 0.1}


def read(tmp_path, **arrays):
    np.savez(tmp_path / "q.npz", **arrays)
    return read_queries(tmp_path / "q.npz", width=6, heads=3)


@pytest.mark.parametrize("name", ["queries", "embeddings", "arr_0"])
def test_the_only_array_is_the_queries(tmp_path, name):
    found = read(tmp_path, **{name: ROWS})
    np.testing.assert_array_equal(found.rows, ROWS.astype(np.float32))
    assert (found.heads, found.held_out, found.notes) == (None, None, ())


def test_centroids_are_no_queries(tmp_path):
    sentence = "q.npz: none of its arrays is named queries or train: it holds centroids, answers, temperature; save the"
    with pytest.raises(harness.DataError, match=sentence):
        read(tmp_path, **HEADS)
    with pytest.raises(harness.DataError, match="it holds centroids; save the query embeddings as `queries`"):
        read(tmp_path, centroids=ROWS)
    np.testing.assert_array_equal(read(tmp_path, **HEADS, queries=ROWS).rows, ROWS.astype(np.float32))


@pytest.mark.parametrize("names", [("train", "test"), ("test", "train"), ("train_queries", "held_out_queries")])
def test_a_split_of_the_file_is_kept_whatever_its_order(tmp_path, names):
    parts = {name: ROWS[8:] if name.startswith(("test", "held")) else ROWS[:8] for name in names}
    found = read(tmp_path, **parts)
    np.testing.assert_array_equal(found.rows[~found.held_out], ROWS[:8].astype(np.float32))
    np.testing.assert_array_equal(found.rows[found.held_out], ROWS[8:].astype(np.float32))
    train, held_out = sorted(names, key=lambda name: not name.startswith("train"))
    assert found.notes == (f"the split is that of q.npz: {train} and {held_out}",)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"train": ROWS}, "it is unclear which of train are trained on and which held out"),
        ({"test": ROWS}, "it is unclear which of test are trained on and which held out"),
        ({"train": ROWS, "test": ROWS, "held_out": ROWS}, "it is unclear which of train and test and held_out"),
        ({"queries": ROWS, "train": ROWS, "test": ROWS}, "it is unclear which of queries and train and test"),
        ({"a": ROWS, "b": ROWS}, "none of its arrays is named queries or train: it holds a, b; save the query"),
        ({"query_heads": np.zeros(3), "a": ROWS}, "it holds query_heads and no queries"),
    ],
)
def test_names_that_do_not_tell_are_refused(tmp_path, arrays, sentence):
    with pytest.raises(harness.DataError, match=sentence):
        read(tmp_path, **arrays)


def test_what_is_not_read_is_named(tmp_path):
    assert read(tmp_path, queries=ROWS, val=ROWS, ids=np.arange(12)).notes == ("val in q.npz was not read",)
    assert read(tmp_path, queries=ROWS, a=ROWS, b=ROWS).notes == ("a, b in q.npz were not read",)


@pytest.mark.parametrize(
    "values",
    [
        np.packbits(ROWS > 0, axis=1).repeat(6, axis=1),
        np.round(ROWS * 127).astype(np.int8),
        np.ones((12, 6), np.int64),
        ROWS > 0,
    ],
    ids=["packed sign bits", "int8", "int64", "bool"],
)
def test_bits_and_whole_numbers_are_no_embeddings(tmp_path, values):
    sentence = f"queries is not a matrix of floating-point numbers but of {values.dtype}: packed bits and quantised"
    with pytest.raises(harness.DataError, match=sentence):
        read(tmp_path, queries=values)


def test_heads_of_queries_are_read(tmp_path):
    heads = np.arange(12) % 3
    for kind in (np.int8, np.int64, np.uint16, np.float64):
        np.testing.assert_array_equal(read(tmp_path, queries=ROWS, query_heads=heads.astype(kind)).heads, heads)


@pytest.mark.parametrize(
    ("heads", "sentence"),
    [
        (1 + np.arange(12) % 3, "query_heads go from 1 to 3, and the 3 heads from 0 to 2; they seem to be counted fr"),
        (np.arange(12), "query_heads go from 0 to 11, and the 3 heads from 0 to 2; correct them"),
        (np.arange(12) % 3 - 1, "query_heads go from -1 to 1, and the 3 heads from 0 to 2; correct them"),
        (np.full(12, 0.5), "query_heads are not whole numbers; count the heads from 0 to 2"),
        (np.full(12, np.nan), "query_heads are not whole numbers"),
        (np.full(12, "0"), "query_heads are not whole numbers"),
        (np.zeros(5, int), "query_heads does not name one head for each query"),
    ],
)
def test_heads_that_are_not_there_are_refused(tmp_path, heads, sentence):
    with pytest.raises(harness.DataError, match=sentence):
        read(tmp_path, queries=ROWS, query_heads=heads)


def test_what_float32_cannot_hold_is_refused(tmp_path):
    with pytest.raises(harness.DataError, match="row 2 of queries holds NaN or infinity"):
        read(tmp_path, queries=np.where(np.arange(12)[:, None] == 2, 1e300, ROWS))
