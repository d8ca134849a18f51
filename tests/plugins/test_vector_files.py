from __future__ import annotations

import numpy as np
import pytest

import harness
from harness_plugins.vector_files import StoredPath, VectorFolder


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "moved here"
    folder.mkdir()
    return folder


def stored(path, kind="question", number=1):
    return StoredPath(stored=path, place=f"vector_path of embedding_id {number} in embeddings", subject=(kind, number))


def put(root, name, value):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.full(3, value, dtype=np.float32))


def read(root, path, known=()):
    """The value that stands in the vector's file."""
    (row,) = VectorFolder(root / "lda.db", [path, *known]).stack([path])
    return row[0]


MISSING = "vector_path of embedding_id 1 in embeddings: the vector .* is not in the database's folder"


@pytest.mark.parametrize(
    "path",
    ["../out/questions/5.npy", "/gone/far/out/questions/5.npy", "C:\\out\\questions\\5.npy", "./questions/5.npy"],
)
@pytest.mark.parametrize("place", ["questions", "embeddings/questions"])
def test_the_longest_tail_that_exists_is_taken(root, path, place):
    put(root, f"{place}/5.npy", 1.0)
    put(root, "answers/5.npy", 2.0)
    put(root, "5.npy", 3.0)
    put(root, "embeddings/5.npy", 4.0)
    assert read(root, stored(path)) == 1.0


def test_the_longer_of_two_tails_is_taken(root):
    put(root, "x/questions/5.npy", 1.0)
    put(root, "questions/5.npy", 2.0)
    assert read(root, stored("/far/x/questions/5.npy")) == 1.0
    assert read(root, stored("/far/y/questions/5.npy")) == 2.0


@pytest.mark.parametrize("decoy", ["5.npy", "embeddings/5.npy", "answers/5.npy"])
def test_a_vector_that_is_missing_is_not_another_of_its_name(root, decoy):
    put(root, "questions/4.npy", 1.0)
    put(root, decoy, 2.0)
    with pytest.raises(harness.DataError, match=MISSING):
        read(root, stored("../out/questions/5.npy"))


@pytest.mark.parametrize("place", ["", "embeddings/"])
def test_files_whose_folders_are_gone_lie_beside_the_database_or_in_its_embeddings(root, place):
    put(root, f"{place}5.npy", 1.0)
    assert read(root, stored("/gone/far/5.npy")) == 1.0


def test_a_name_that_is_there_twice_is_no_vector(root):
    put(root, "5.npy", 1.0)
    put(root, "embeddings/5.npy", 2.0)
    with pytest.raises(harness.DataError, match=r"5.npy and embeddings/5.npy have its name, and none its folder; copy"):
        read(root, stored("/gone/far/5.npy"))
    assert read(root, stored("5.npy")) == 1.0


@pytest.mark.parametrize("other", ["embeddings/5.npy", "/gone/questions/5.npy"])
def test_a_file_is_not_the_vector_of_two(root, other):
    """Answers whose folder was not copied, beside questions of the same names."""
    put(root, "embeddings/5.npy", 1.0)
    question = stored(other, "question", 2)
    sentence = f"{MISSING}: embeddings/5.npy is vector_path of embedding_id 2 in embeddings .'{other}'."
    with pytest.raises(harness.DataError, match=sentence):
        read(root, stored("/gone/answers/5.npy", "answer", 1), [question])


def test_one_vector_may_be_stored_by_two_paths(root):
    put(root, "embeddings/5.npy", 1.0)
    again = StoredPath(stored="embeddings/5.npy", place="elsewhere", subject=("question", 1))
    assert read(root, stored("/gone/questions/5.npy"), [again]) == 1.0


@pytest.mark.parametrize("path", ["../secret.npy", "../../secret.npy", "questions/../../secret.npy"])
def test_nothing_outside_is_read(root, path):
    put(root.parent, "secret.npy", 9.0)
    put(root, "questions/1.npy", 1.0)
    with pytest.raises(harness.DataError, match="nothing outside the folder is read"):
        read(root, stored(path))
    with pytest.raises(harness.DataError, match="nothing outside the folder is read"):
        read(root, stored(str(root.parent / "secret.npy")))


def test_a_folder_that_leads_outside_is_not_followed(root):
    put(root.parent, "questions/5.npy", 9.0)
    (root / "questions").symlink_to(root.parent / "questions")
    with pytest.raises(harness.DataError, match="nothing outside the folder is read"):
        read(root, stored("questions/5.npy"))


@pytest.mark.parametrize("path", ["", "  ", "a\0b.npy", 7, b"5.npy", "..", "x" * 5000])
def test_what_is_no_path_is_named(root, path):
    with pytest.raises(harness.DataError, match=MISSING):
        read(root, stored(path))


@pytest.mark.parametrize("values", [np.ones((2, 3), np.float32), np.zeros(())])
def test_a_file_holds_one_vector(root, values):
    np.save(root / "5.npy", values)
    with pytest.raises(harness.DataError, match=r"5\.npy: it does not hold one vector"):
        read(root, stored("5.npy"))


def test_packed_bits_are_no_vector(root):
    np.save(root / "5.npy", np.packbits(np.ones(24, bool)))
    with pytest.raises(
        harness.DataError, match="the vector in it is not a matrix of floating-point numbers but of uint8"
    ):
        read(root, stored("5.npy"))


def test_a_path_of_thousands_of_folders_costs_no_more_than_one_of_some(root, monkeypatch):
    looked = []
    monkeypatch.setattr(VectorFolder, "_is_folder", lambda self, folder: looked.append(folder) or False)
    with pytest.raises(harness.DataError, match=MISSING):
        read(root, stored("x/" * 2000 + "5.npy"))
    assert len(looked) == 2 * 32
    assert max(len(each.parts) for each in looked) < 100
