"""`harness heads build` with real children: a table, a local embedder, heads; what was embedded is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.commands import embedding
from harness.errors import HarnessError, UserError
from harness_plugins import database
from harness_plugins import heads_from_texts as heads

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "hashed_embedder.py"


class Told:
    def __init__(self):
        self.lines, self.steps = [], []

    def say(self, text):
        self.lines.append(text)

    def stage(self, text, total=None):
        self.lines.append(text)

    def step(self, text=""):
        self.steps.append(text)

    def close(self):
        pass


@pytest.fixture
def table(tmp_path):
    lines = [f"{word} number {row} please,{word}" for word in ("invoice", "password", "delivery") for row in range(7)]
    path = tmp_path / "q.csv"
    path.write_text("\n".join(["question,topic", *lines]) + "\n")
    return path


def asked(table, **more):
    given = {"text": "question", "topic": "topic", "embedder": "hashed", "files": [PLUGIN], **more}
    return heads.BuildOptions(table=table, **{"output": table.with_name("h.npz"), **given})


def test_an_interrupted_build_continues_where_it_was(table, monkeypatch):
    monkeypatch.setattr(embedding, "CHUNK", 8)
    broken = asked(table, options={"refuse_after": 16})
    with pytest.raises(HarnessError, match="the embedder 'hashed' cannot be used: the model's server is gone"):
        heads.build(broken)
    assert sorted(each.name for each in broken.work.glob("*.npy")) == ["question-00000.npy", "question-00001.npy"]
    kept = (broken.work / "question-00000.npy").stat().st_mtime_ns
    seen = []
    monkeypatch.setattr(
        heads.shutil, "rmtree", lambda path: seen.append((path / "question-00000.npy").stat().st_mtime_ns)
    )
    told = Told()
    monkeypatch.setattr("harness.report.progress.progress", lambda console: told)
    lines = heads.build(asked(table))
    assert seen == [kept]  # embedded once
    assert f"continuing with what {broken.work} holds" in told.lines
    assert told.steps == ["8 of 21 questions", "16 of 21 questions", "21 of 21 questions"]
    stored = database.read(table.with_name("h.npz"))
    assert stored.heads.count == 3
    assert len(stored.queries) == 21
    assert "3 topics with 7 to 7 questions each; 18 train the centroids, 3 are held out" in lines


def test_vectors_without_a_direction_name_their_row(table, tmp_path):
    vectors = np.ones((21, 4), dtype=np.float32)
    vectors[5] = 0
    np.save(tmp_path / "v.npy", vectors)
    precomputed = asked(table, embedder="precomputed", options={"vectors": str(tmp_path / "v.npy")})
    with pytest.raises(
        HarnessError, match="the vector of the question in row 6 of the table is zero, so that it has no"
    ):
        heads.build(precomputed)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"embedder": "hashd"}, "--embedder: no embedder 'hashd'; did you mean 'hashed'?"),
        ({"options": {"widht": 3}}, "the embedder 'hashed': widht: "),
        ({"output": Path("h.txt")}, "--output h.txt is neither .npz nor .db; such as --output heads.npz"),
        ({"clusters": "8"}, "--topic and --clusters exclude each other; leave one of them out"),
        ({"topic": None, "clusters": "9:3"}, "--clusters 9:3 is neither a number from 2 nor a range; such as 12, or 2:64"),
        ({"held_out": 1.5}, "--held-out 1.5 is not between 0 and 1; 0.2 holds out a fifth"),
        ({"temperature": 0.0}, "--temperature 0 is not positive; leave it out to have it chosen"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_named(table, wrong, sentence, answered_here):
    with pytest.raises(UserError) as caught:
        heads.build(asked(table, **wrong))
    assert sentence in str(caught.value)


def test_options_of_an_embedder_are_read_as_in_a_suite():
    assert heads.parsed(["batch_size=64", "model=a=b", "normalize=false"]) == {
        "batch_size": 64, "model": "a=b", "normalize": False,
    }  # fmt: skip
    with pytest.raises(UserError, match="--embedder-option 'x' is not NAME=VALUE; such as batch_size=64"):
        heads.parsed(["x"])


def test_an_embedder_whose_process_answers_something_else_is_a_sentence(table, monkeypatch):
    monkeypatch.setattr(embedding, "_ask_child", lambda *_: {"digest": 5})
    with pytest.raises(HarnessError, match="the embedder 'hashed' cannot be used: the answer is not what was asked"):
        heads.build(asked(table))
