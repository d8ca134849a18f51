"""Digests of a run's records: what was edited after the run's end is named."""

from __future__ import annotations

import json

import pytest

from harness.records.measurement import RunInfo
from harness.records.reader import MEASUREMENTS, RUN, read_run
from harness.records.seal import changes_since_end, sealed
from tests.synthetic import Maker


@pytest.fixture
def folder(tmp_path):
    (tmp_path / MEASUREMENTS).write_text("{}\n")
    run = Maker().evidence(started="2026-01-01T00:00:00+00:00").run
    (tmp_path / RUN).write_text(sealed(run, tmp_path).model_dump_json(indent=2))
    return tmp_path


def reasons(folder):
    return list(changes_since_end(json.loads((folder / RUN).read_text()), folder))


def test_a_run_as_it_ended_is_whole(folder):
    assert reasons(folder) == []
    assert sealed(read_run(folder), folder) == read_run(folder)  # again, the same


def test_what_was_edited_is_named(folder):
    (folder / MEASUREMENTS).write_text("{}\n{}\n")
    (folder / "fidelity.jsonl").write_text("")
    run = json.loads((folder / RUN).read_text())
    run["machine"]["processor"] = "Another"
    del run["versions"]
    (folder / RUN).write_text(json.dumps(run))
    assert reasons(folder) == [
        "fidelity.jsonl was added after the run ended",
        "measurements.jsonl has changed since the run ended",
        "run.json: machine has changed since the run ended",
        "run.json: versions is missing; it was there when the run ended",
    ]


def test_how_run_json_is_laid_out_does_not_matter(folder):
    run = json.loads((folder / RUN).read_text())
    (folder / RUN).write_text(json.dumps(dict(reversed(run.items()))))
    assert reasons(folder) == []


def test_a_run_without_digests_says_so(folder):
    run = json.loads((folder / RUN).read_text())
    (folder / RUN).write_text(RunInfo.model_validate(run | {"seal": {}}).model_dump_json())
    assert reasons(folder) == [
        "run.json holds no digests of the records: an earlier harness wrote it, or they were removed"
    ]
