from __future__ import annotations

import numpy as np
import pytest

import harness
from harness_plugins.arrays import read_queries

ROWS = np.random.default_rng(0).standard_normal((12, 6)).astype(np.float32)


def read(path):
    return read_queries(path, width=6, heads=3)


def test_an_index_of_faiss_gives_its_vectors(tmp_path):
    faiss = pytest.importorskip("faiss", reason="faiss is not installed: the extra [faiss]")
    index = faiss.IndexFlatIP(6)
    index.add(ROWS)
    faiss.write_index(index, str(tmp_path / "q.faiss"))
    np.testing.assert_array_equal(read(tmp_path / "q.faiss").rows, ROWS)
    (tmp_path / "bad.index").write_bytes(b"no index")
    with pytest.raises(
        harness.DataError, match=r"bad.index: it is not an index of FAISS that holds its vectors; save the"
    ):
        read(tmp_path / "bad.index")


def test_the_column_of_vectors_of_a_parquet_file_is_found(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra [heads]")
    from pyarrow import parquet

    def write(name, **columns):
        parquet.write_table(pyarrow.table(columns), tmp_path / name)
        return tmp_path / name

    rows = ROWS.tolist()
    np.testing.assert_array_equal(read(write("one.parquet", id=list(range(12)), x=rows)).rows, ROWS)
    np.testing.assert_array_equal(read(write("named.parquet", other=rows, embedding=rows)).rows, ROWS)
    with pytest.raises(harness.DataError, match="the columns a and b all hold vectors; it has a, b; give one column"):
        read(write("two.parquet", a=rows, b=rows))
    with pytest.raises(harness.DataError, match="no column holds vectors; it has id; give one column of lists"):
        read(write("none.parquet", id=[1, 2]))
    with pytest.raises(
        harness.DataError, match="the vectors in the column 'x' differ in length: row 3 does; leave the row"
    ):
        read(write("ragged.parquet", x=[*rows[:3], [1.0], *rows[4:]]))


def test_transposed_queries_are_recognised(tmp_path):
    np.save(tmp_path / "q.npy", ROWS.T)
    with pytest.raises(harness.DataError) as caught:
        read(tmp_path / "q.npy")
    assert (
        "queries have width 12, the centroids 6: their shape [6, 12] seems to be transposed; save one row for"
        in str(caught.value)
    )


def test_half_precision_is_read(tmp_path):
    np.save(tmp_path / "q.npy", ROWS.astype(np.float16))
    np.testing.assert_array_equal(read(tmp_path / "q.npy").rows, ROWS.astype(np.float16).astype(np.float32))
