"""Arrays and databases that strangers send: refused with a sentence, within bounds, and nothing outside is read."""

import io
import sqlite3
import struct
import types
import zipfile

import numpy as np
import pytest

import harness
from harness_plugins import arrays, database, projections, vector_files
from harness_plugins.arrays import read_arrays

FEW = np.ones((3, 4), np.float32)


def npy(values) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def archive(path, **members: bytes):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (npy(np.ones(3, "V8")), r"'answers.npy' in it holds \|V8"),
        (npy(np.ones((3, 4), [("a", "<f4"), ("b", "<f8")])), "'answers.npy' in it holds"),
        (npy(np.array([[{}]], object)), "'answers.npy' in it holds pickled objects"),
        (npy(np.array(["2026"], "M8[D]")), "'answers.npy' in it holds datetime64"),
        (b"no array", "it does not begin as a .npy file"),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4), }\n"),
            "claims 16,000,000,000,000 bytes of values, and has 0",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }\n"),
            r"its shape \(-1, 4\) is not that of an array",
        ),
        (header("[" * 3000), "."),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31), "its header of 2,147,483,648 bytes is too long"),
    ],
)
def test_a_member_that_is_no_array_of_numbers_is_refused(tmp_path, content, why):
    path = archive(tmp_path / "h.npz", centroids=npy(FEW), answers=content)
    with pytest.raises(harness.DataError, match=why):
        read_arrays(path)


def test_an_encrypted_or_damaged_archive_is_refused(tmp_path):
    path = archive(tmp_path / "h.npz", centroids=npy(FEW))
    whole = bytearray(path.read_bytes())
    whole[whole.find(b"PK\x01\x02") + 8] |= 1
    whole[whole.find(b"PK\x03\x04") + 6] |= 1
    path.write_bytes(whole)
    with pytest.raises(harness.DataError, match="encrypted"):
        read_arrays(path)


def test_an_unrelated_member_is_not_read(tmp_path, monkeypatch):
    path = archive(
        tmp_path / "h.npz",
        centroids=npy(FEW),
        unrelated=header("{'descr': '<f8', 'fortran_order': False, 'shape': (3000000000,), }\n"),
        text=b"hello",
    )
    found = read_arrays(path)
    assert np.array_equal(found["centroids"], FEW)
    assert found["unrelated"].shape == (3_000_000_000,)
    assert found["unrelated"].strides == (0,)
    assert found["text"].shape == ()


def test_a_member_that_unpacks_to_a_hundred_times_as_much_is_not_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "h.npz", centroids=np.zeros((1000, 400), np.float32), answers=FEW)
    with pytest.raises(harness.DataError, match="it has 1000 centroids and 3 answers"):
        database.read(tmp_path / "h.npz", temperature=1.0)
    monkeypatch.setattr(arrays, "_LOOKED_AT_BYTES", 2**20)
    with pytest.raises(harness.DataError, match=r"'centroids.npy' in it claims to unpack to 1,600,128 bytes from "):
        database.read(tmp_path / "h.npz", temperature=1.0)


def test_an_array_in_the_order_of_fortran_is_the_same(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.savez(tmp_path / "h.npz", centroids=np.asfortranarray(values), answers=FEW)
    assert np.array_equal(read_arrays(tmp_path / "h.npz")["centroids"], values)


def test_an_archive_of_very_many_members_is_refused(tmp_path):
    path = archive(tmp_path / "h.npz", centroids=npy(FEW), **{f"x{number}": b"" for number in range(1000)})
    with pytest.raises(harness.DataError, match="it holds 1,001 members"):
        read_arrays(path)


def test_a_complex_temperature_keeps_no_half(tmp_path):
    np.savez(tmp_path / "h.npz", centroids=FEW, answers=FEW, temperature=np.array(1 + 2j))
    with pytest.raises(harness.DataError, match=r"the temperature array\(1\.\+2\.j\) is not a positive number"):
        database.read(tmp_path / "h.npz")


@pytest.fixture
def stored(tmp_path):
    """A database, and a connection to spoil it."""
    heads = harness.Heads(centroids=FEW, answers=FEW, temperature=0.1)
    database.write_database(tmp_path / "lda.db", heads, "heads")
    connection = sqlite3.connect(tmp_path / "lda.db")
    yield tmp_path / "lda.db", connection
    connection.close()


def refused(path, connection) -> str:
    connection.commit()
    with pytest.raises(harness.DataError) as caught:
        database.read(path)
    return str(caught.value)


def test_a_view_in_place_of_a_table_is_not_asked(stored):
    path, connection = stored
    connection.execute("DROP TABLE cluster_heads")
    connection.execute(
        "CREATE VIEW cluster_heads AS WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) "
        "SELECT n AS head_id, 1 AS mh_projection_id FROM t"
    )
    assert "it cannot be read as an LDA database (no such table: cluster_heads)" in refused(path, connection)


def test_a_virtual_table_is_not_asked_however_it_is_written(stored):
    path, connection = stored
    connection.execute("PRAGMA writable_schema = ON")
    for between in (" ", "/**/"):
        written = f"CREATE{between}VIRTUAL TABLE cluster_heads USING fts5(head_id)"
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'cluster_heads'", (written,))
        assert "(no such table: cluster_heads)" in refused(path, connection)


def test_a_column_that_is_computed_is_none(stored):
    path, connection = stored
    connection.execute("DROP TABLE cluster_questions")
    connection.execute(
        "CREATE TABLE cluster_questions (cluster_id INTEGER, question_id INTEGER AS (length(hex(zeroblob(10000000)))))"
    )
    assert "(no such column: cluster_questions.question_id)" in refused(path, connection)


def test_a_trigger_is_not_pulled(stored):
    path, connection = stored
    connection.execute("CREATE TRIGGER t AFTER INSERT ON cluster_heads BEGIN DELETE FROM embeddings; END")
    connection.commit()
    before = path.read_bytes()
    assert len(database.read(path).centroids) == len(FEW)
    assert path.read_bytes() == before


def test_a_table_of_very_many_rows_is_refused(stored, monkeypatch):
    path, connection = stored
    monkeypatch.setattr(projections, "_MOST_ROWS", len(FEW))
    assert len(database.read(path).centroids) == len(FEW)
    monkeypatch.setattr(projections, "_MOST_ROWS", len(FEW) - 1)
    assert "(cluster_heads has more than 2 rows)" in refused(path, connection)


def test_vectors_that_memory_cannot_hold_together_are_refused_at_the_first(stored, monkeypatch):
    path, connection = stored
    monkeypatch.setattr(vector_files.psutil, "virtual_memory", lambda: types.SimpleNamespace(available=80))
    monkeypatch.setattr(arrays.psutil, "virtual_memory", lambda: types.SimpleNamespace(available=80))
    assert "its vectors need 48 bytes of memory, and 80 are free; split it" in refused(path, connection)


def test_very_many_projections_are_not_all_named(stored):
    path, connection = stored
    connection.executemany(
        "INSERT INTO multi_head_projections (mh_projection_id, model_id, name, temperature) VALUES (?, 1, ?, 1.0)",
        [(number, f"p{number}") for number in range(100, 3100)],
    )
    connection.execute("UPDATE multi_head_projections SET name = ? WHERE mh_projection_id = 100", ("x" * 100_000,))
    said = refused(path, connection)
    assert "it holds 3001 projections: 1 (" in said
    assert ", … (3,001 in all)" in said
    assert len(said) < 5000


def test_ids_that_are_long_texts_are_cut(stored):
    path, connection = stored
    connection.execute("CREATE TABLE other AS SELECT * FROM cluster_heads")
    connection.execute("DROP TABLE cluster_heads")
    connection.execute("ALTER TABLE other RENAME TO cluster_heads")
    connection.execute("UPDATE cluster_heads SET head_id = ?, centroid_path = 'gone.npy'", ("x" * 100_000,))
    assert len(refused(path, connection)) < 1000


def test_very_many_paths_of_one_name_are_not_compared_with_each_other(stored, monkeypatch):
    path, connection = stored
    monkeypatch.setattr(vector_files, "_MOST_ALIKE", 2)
    np.save(path.parent / "one.npy", FEW[0])
    connection.execute("UPDATE cluster_heads SET centroid_path = 'gone' || head_id || '/one.npy'")
    assert ": 3 paths end in its name" in refused(path, connection)


def test_a_missing_column_is_named(stored):
    path, connection = stored
    connection.execute("ALTER TABLE embeddings RENAME COLUMN entity_id TO other")
    assert "(no such column: embeddings.entity_id)" in refused(path, connection)


def test_a_path_that_is_a_blob_is_none(stored):
    path, connection = stored
    connection.execute("UPDATE cluster_heads SET centroid_path = ?", (b"\x00\xff" * 5000,))
    said = refused(path, connection)
    assert "is not in the database's folder" in said
    assert len(said) < 1000


def test_links_in_a_circle_lead_to_no_vector(stored):
    path, connection = stored
    (path.parent / "loop").symlink_to("loop")
    connection.execute("UPDATE cluster_heads SET centroid_path = 'loop/x.npy'")
    assert "the vector 'loop/x.npy' is not in the database's folder" in refused(path, connection)


def test_damaged_text_is_told(stored):
    path, connection = stored
    connection.execute("UPDATE multi_head_projections SET name = CAST(? AS TEXT)", (b"\xff\xfe",))
    assert "it cannot be read as an LDA database (Could not decode to UTF-8" in refused(path, connection)


def test_a_path_of_300_characters_is_no_file(tmp_path):
    with pytest.raises(harness.DataError, match="there is no such file"):
        database.read(tmp_path / ("x" * 300))


def test_a_single_number_in_place_of_matrices_is_refused(tmp_path):
    path = archive(tmp_path / "h.npz", centroids=npy(FEW), answers=npy(FEW), matrices=npy(np.float32(1.0)))
    with pytest.raises(harness.DataError, match=r"matrices have the shape \[\]"):
        database.read(path, temperature=0.5)
