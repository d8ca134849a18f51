from __future__ import annotations

import types

import numpy as np
import pytest

import harness
from harness_plugins import database, inspection, query_tables
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
    with pytest.raises(harness.DataError, match="no column holds lists of floats; it has id; give one column of lists"):
        read(write("none.parquet", id=[1, 2]))
    for name, row, sentence in [
        ("ragged", [1.0], r"row 3 of the column 'x' has 1 numbers, and others have 6; leave the row out"),
        ("null", None, "row 3 of the column 'x' is NULL; leave the row out, or embed it again"),
        ("hole", [None, *rows[3][1:]], "row 3 of queries holds NaN or infinity"),
    ]:
        with pytest.raises(harness.DataError, match=sentence):
            read(write(f"{name}.parquet", x=[*rows[:3], row, *rows[4:]]))
    with pytest.raises(harness.DataError, match="the column 'x' has no rows"):
        read(write("empty.parquet", x=pyarrow.array([], pyarrow.list_(pyarrow.float32()))))
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    with pytest.raises(harness.DataError, match=r"damaged\.parquet: it cannot be read as a Parquet file"):
        read(tmp_path / "damaged.parquet")


def test_heads_are_read_from_columns(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra [heads]")
    from pyarrow import parquet

    def write(**columns):
        parquet.write_table(pyarrow.table(columns), tmp_path / "heads.parquet")
        return tmp_path / "heads.parquet"

    centroids, answers = ROWS[:3].tolist(), ROWS[3:6].tolist()
    stored = database.read(write(topic=["a", "b", "c"], centroid=centroids, answer=answers), temperature=0.2)
    np.testing.assert_array_equal(stored.centroids, ROWS[:3])
    np.testing.assert_array_equal(stored.answers, ROWS[3:6])
    assert (stored.temperature, stored.queries) == (0.2, None)
    assert inspection.lines(tmp_path / "heads.parquet", temperature=0.2)[0] == "the heads of heads.parquet"
    stored = database.read(write(centroids=centroids, answers=answers, temperature=[0.3] * 3))
    assert stored.temperature == 0.3
    for columns, sentence in [
        (
            {"centroid": centroids},
            "it has no column of vectors named answers; it has centroid; write a row for each head",
        ),
        ({"centroid": centroids, "answer": answers}, "it has no temperature; give it with the option `temperature`"),
        (
            {"centroid": centroids, "answer": answers, "temperature": [0.1, 0.2, 0.1]},
            "its column `temperature` holds 2 different values",
        ),
    ]:
        with pytest.raises(harness.DataError, match=sentence):
            database.read(write(**columns))


def test_an_index_around_another_gives_its_vectors_and_a_quantised_one_is_refused(tmp_path):
    faiss = pytest.importorskip("faiss", reason="faiss is not installed: the extra [faiss]")

    def written(index):
        index.train(ROWS) if not index.is_trained else None
        index.add_with_ids(ROWS, np.arange(12)) if isinstance(index, faiss.IndexIDMap) else index.add(ROWS)
        faiss.write_index(index, str(tmp_path / "q.faiss"))
        return tmp_path / "q.faiss"

    flat = faiss.IndexFlatL2(6)
    inverted = faiss.IndexIVFFlat(faiss.IndexFlatL2(6), 6, 2)
    for index in (faiss.IndexIDMap(flat), inverted, faiss.IndexHNSWFlat(6, 4)):
        np.testing.assert_array_equal(read(written(index)).rows, ROWS)
    sentence = (
        r"this index of FAISS \(IndexScalarQuantizer\) holds quantised vectors, which are not those that were embed"
    )
    with pytest.raises(harness.DataError, match=sentence):
        read(written(faiss.IndexScalarQuantizer(6, faiss.ScalarQuantizer.QT_8bit)))


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


def test_few_bytes_that_stand_for_very_many_numbers_are_not_unpacked(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra [heads]")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"x": [[0.5] * 6] * 1000}), tmp_path / "q.parquet")
    assert (tmp_path / "q.parquet").stat().st_size < 10_000
    monkeypatch.setattr(query_tables.psutil, "virtual_memory", lambda: types.SimpleNamespace(available=50_000))
    with pytest.raises(harness.DataError, match="its column 'x' needs 48,000 bytes of memory, and 50,000 are free"):
        read(tmp_path / "q.parquet")


def test_names_of_columns_are_cut(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra [heads]")
    from pyarrow import parquet

    rows = ROWS.tolist()
    parquet.write_table(pyarrow.table({"a" * 100_000: rows, "b" * 100_000: rows}), tmp_path / "q.parquet")
    with pytest.raises(harness.DataError) as caught:
        read(tmp_path / "q.parquet")
    assert len(str(caught.value)) < 1000
