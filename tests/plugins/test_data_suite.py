from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.commands import suites
from harness.errors import DataError
from harness.plugin.interfaces import Heads
from harness_plugins import data_suite, database, distill_suite

BRIEF = {**distill_suite.MEASUREMENT, "latency_calls": 5, "min_sample_seconds": 0.0003, "max_warm_up_seconds": 0.05}


def drawn(rows, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, 16), dtype=np.float32)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "my.npz"
    database.write_archive(path, Heads(centroids=drawn(6), answers=drawn(6, 1), temperature=0.3), drawn(60, 2))
    return path


def test_it_races_at_the_users_own_size_and_resamples_beyond(archive, answered_here):
    suite = data_suite.plan(archive, 8).plan.suite
    assert suite.heads.values == (6,)
    assert suite.batch_sizes == (8,)
    assert suite.source.use == "database"
    more = data_suite.plan(archive, 8, heads=500, temperature=0.2).plan.suite
    assert more.heads.values == (500,)
    assert more.source.options == {"of": "database", "options": {"path": str(archive), "temperature": 0.2}}


def test_a_file_that_is_not_there_is_named(tmp_path, answered_here):
    sentence = r"^--data .*gone\.npz: there is no such file; give an lda\.db, \.npz or \.parquet with the heads"
    with pytest.raises(DataError, match=sentence):
        data_suite.plan(tmp_path / "gone.npz", 1)


def test_what_is_wrong_with_the_data_names_the_option(archive, answered_here, monkeypatch):
    def fails(*_, **__):
        raise DataError(f"the source cannot be loaded: {archive}: row 3 of queries is zero", where="source.options")

    monkeypatch.setattr(suites, "measured", fails)
    with pytest.raises(DataError) as caught:
        CliRunner().invoke(app, ["advise", "--data", str(archive)], catch_exceptions=False)
    assert str(caught.value) == f"--data {archive}: row 3 of queries is zero"


def test_the_answer_has_a_decision_its_fidelity_and_memory(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data_suite, "_TRAINING_SECONDS", 0.5)
    monkeypatch.setattr(distill_suite, "MEASUREMENT", BRIEF)
    done = CliRunner().invoke(app, ["advise", "--data", str(archive), "--batch", "8", "--output", "out"])
    assert done.exit_code == 0, done.output
    assert "at N = 6 and batch 8 use " in done.output
    assert "memory of the whole process: " in done.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {each["contender"] for each in report["fidelity"]} >= {"linear", "routed", "ranked"}
    assert {each["temperature"] for each in report["fidelity"]} == {0.3}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give either a folder of a run or --data FILE; such as harness advise --data heads.npz"),
        (("run", "--temperature", "0.1"), "--temperature and --output need --data; leave them out"),
        (("run",), "the number of heads is missing; give --heads N"),
    ],
)
def test_what_is_missing_is_named(arguments, sentence):
    done = CliRunner().invoke(app, ["advise", *arguments])
    assert str(done.exception) == sentence
