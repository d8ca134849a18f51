from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

import harness
from harness.testing import check_embedder
from harness_plugins import embedders
from tests.testing.test_docstrings import example


class Tiny(torch.nn.Module):
    """Token vectors that are read from a table, as a sentence model's last layer gives them."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(64, 8)

    def forward(self, input_ids, attention_mask):
        return self.table(input_ids) * attention_mask.unsqueeze(-1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder, and the table that its token vectors come from."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    tiny = Tiny().eval()
    dimensions = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens")}
    torch.onnx.export(
        tiny, (torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.int64)), folder / "model.onnx",
        dynamo=True, dynamic_shapes=(dimensions, dimensions), input_names=["input_ids", "attention_mask"],
        output_names=["last_hidden_state"], verbose=False,
    )  # fmt: skip
    (folder / "tokenizer.json").write_text("{}")
    return folder, tiny.table.weight.detach().numpy()


def tokens(texts):
    """One token for each word, padded to the longest text."""
    words = [[int(hashlib.sha256(word.encode()).hexdigest(), 16) % 64 for word in text.split()] for text in texts]
    longest = max(map(len, words))
    return {
        "input_ids": np.array([[*each, *[0] * (longest - len(each))] for each in words]),
        "attention_mask": np.array([[1] * len(each) + [0] * (longest - len(each)) for each in words]),
        "token_type_ids": np.zeros((len(words), longest), dtype=np.int64),
    }


@pytest.fixture
def worded(monkeypatch):
    """Tokens by words, in place of a tokenizer's."""
    monkeypatch.setattr(embedders, "_tokenizer", lambda path, most: tokens)


def test_token_vectors_are_averaged_over_the_text_and_not_over_its_padding(model, worded):
    folder, table = model
    onnx = embedders.OnnxEmbedder().with_options({"model": str(folder), "batch_size": 2})
    texts = ["one", "one two three", "four five", "six"]
    context = harness.EmbedContext(folder=Path.cwd())
    vectors = onnx.embed(texts, context)
    for text, vector in zip(texts, vectors, strict=True):
        mean = table[tokens([text])["input_ids"][0]].mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
    first = onnx.with_options({"model": str(folder), "pooling": "cls", "normalize": False}).embed(texts, context)
    np.testing.assert_allclose(first[1], table[tokens(["one"])["input_ids"][0, 0]], atol=1e-6)


def test_the_onnx_embedder_keeps_the_rules(model, worded):
    check_embedder(embedders.OnnxEmbedder().with_options({"model": str(model[0])}))


def test_a_folder_that_lacks_files_says_which(tmp_path):
    onnx = embedders.OnnxEmbedder().with_options({"model": "nowhere"})
    with pytest.raises(
        harness.DataError, match=r"the folder has no model.onnx and no tokenizer.json; export the model"
    ):
        onnx.digest(harness.EmbedContext(folder=tmp_path))


def test_a_tokenizer_of_tokenizers_gives_what_the_model_takes(tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed: the extra [heads]")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    found = embedders._tokenizer(str(tmp_path / "tokenizer.json"), 3)(["a b a b", "c"])
    assert found["input_ids"].tolist() == [[1, 2, 1], [0, 0, 0]]
    assert found["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]


def test_precomputed_vectors_are_those_of_the_rows(tmp_path):
    stored = np.arange(12, dtype=np.float64).reshape(4, 3)
    np.save(tmp_path / "v.npy", stored)
    embedder = embedders.PrecomputedEmbedder().with_options({"vectors": "v.npy"})
    context = harness.EmbedContext(folder=tmp_path, rows=(2, 0), table_rows=4)
    vectors = embedder.embed(["c", "a"], context)
    assert vectors.dtype == np.float32
    assert vectors.tolist() == stored[[2, 0]].tolist()


@pytest.mark.parametrize(
    ("role", "stored", "sentence"),
    [
        ("question", np.ones((3, 2)), "v.npy: it has 3 rows, the table 4; give one vector for each row"),
        ("question", np.ones((4, 2), dtype=np.int8), "it is not a matrix of floating-point numbers but int8 of shape [4, 2]"),
        ("question", np.array([{}]), "it is not a .npy file of plain numbers; write it with np.save(path, vectors)"),
        ("answer", np.ones((4, 2)), "there are no vectors of the answers; name their .npy file with --answer-vectors"),
    ],
)  # fmt: skip
def test_precomputed_vectors_that_do_not_fit_are_refused(tmp_path, role, stored, sentence):
    np.save(tmp_path / "v.npy", stored)
    embedder = embedders.PrecomputedEmbedder().with_options({"vectors": "v.npy"})
    with pytest.raises(harness.DataError) as caught:
        embedder.embed(["a"], harness.EmbedContext(folder=tmp_path, role=role, rows=(0,), table_rows=4))
    assert sentence in str(caught.value)


def test_what_breaks_the_rules_is_said(tmp_path):
    scope = {"__name__": "example"}
    exec(example(harness.Embedder), scope)

    class Bad(scope["Hashed"]):
        """Forgets its rows."""

        def embed(self, texts, context):
            return super().embed(texts, context).astype("float64") + len(texts)

    with pytest.raises(AssertionError) as caught:
        check_embedder(Bad())
    assert "- dtype: the vectors are float64, expected float32" in str(caught.value)
    assert "- independence: text 0 has another vector alone than among 5 texts" in str(caught.value)
