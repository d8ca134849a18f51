from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.commands import saving
from harness.errors import UserError

PLAN = SimpleNamespace(specifications={"teacher": None, "student": None})


def test_contenders_and_files_are_read(tmp_path):
    target = tmp_path / "s.safetensors"
    assert saving.parsed([f"student={target}"], PLAN) == {"student": target}
    assert saving.parsed([f"student={tmp_path / 's.onnx'}"], PLAN) == {"student": target}


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("student", "--save 'student' is not CONTENDER=FILE; such as --save student=student.safetensors"),
        ("studnt=s.safetensors", "--save names the contender 'studnt', which is not in the suite; did you mean 'student'?"),
        ("student=s.pt", "--save s.pt does not end in .safetensors; such as s.safetensors"),
        ("student=gone/s.safetensors", "--save gone/s.safetensors: there is no folder gone; make it first"),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_said_before_anything_is_measured(tmp_path, monkeypatch, wanted, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        saving.parsed([wanted], PLAN)
    assert str(caught.value) == sentence


def test_a_card_says_what_it_is_and_how_to_load_it():
    known = {"projector": "routed", "options": {}, "training_seed": 0, "data": {"digest": "abc"}}
    scored = SimpleNamespace(scores={"mean_cosine": 0.99}, queries=33, effective_heads=2.5, training_seconds=4.0)
    summary = SimpleNamespace(run=SimpleNamespace(versions={"torch": "2.13"}))
    card = saving._card("ranked", known, Path("out/student.safetensors"), summary, scored)
    assert card["scores"] == {"mean_cosine": 0.99}
    assert card["scored_on"] == "33 held-out queries, against the teacher"
    assert card["data"]["digest"] == "abc"
    assert card["load"][1] == "student = load_student('student.safetensors')"


def test_the_scores_are_those_of_the_seed_that_is_saved():
    records = [SimpleNamespace(contender="s", heads=4, seed=seed, failure=None) for seed in (0, 1)]
    assert saving._record(records, "s", 4, 1).seed == 1
    assert saving._record(records, "t", 4, 1) is None
