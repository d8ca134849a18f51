"""Records as they are read: whole lines, the one that was cut short, and what is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import RecordsError
from harness.records.measurement import SCHEMA_VERSION, Fidelity
from harness.records.reader import Evidence, read, read_lines, read_run

SCORE = {"contender": "s", "heads": 18, "temperature": 1.0, "seed": 0, "scores": {"mean_cosine": 0.5}}
SUITE = {
    "name": "s", "source": {"use": "playbook"}, "heads": {"values": [4]},
    "contenders": {"one": {"projector": "lda", "runtime": "python"}},
}  # fmt: skip
RUN = {"suite": SUITE, "suite_path": "s.yaml", "suite_digest": "d", "started": "2026-01-01T00:00:00Z"}


def lines(tmp_path, *texts, end="\n"):
    path = tmp_path / "fidelity.jsonl"
    path.write_text("\n".join(texts) + end, encoding="utf-8")
    return read_lines(path, Fidelity)


def scored(seed):
    return json.dumps(SCORE | {"seed": seed})


def test_every_line_is_a_record_and_empty_ones_are_none(tmp_path):
    found = lines(tmp_path, scored(1), "", scored(2))
    assert [each.seed for each in found.records] == [1, 2]
    assert (found.end, found.torn) == (2 * len(scored(1)) + 3, "")


def test_no_file_is_no_record(tmp_path):
    found = read_lines(tmp_path / "none.jsonl", Fidelity)
    assert (found.records, found.end, found.torn) == ((), 0, "")


def test_a_last_line_that_was_cut_short_ends_what_counts(tmp_path):
    found = lines(tmp_path, scored(1), scored(2)[:20], end="")
    assert [each.seed for each in found.records] == [1]
    assert found.end == len(scored(1)) + 1  # bytes: from here on it is written again
    assert found.torn == (
        f"{tmp_path}/fidelity.jsonl:2: the last line was cut short and is left out; what it held will be measured again"
    )


def test_a_last_line_that_is_whole_but_for_its_line_feed_is_kept(tmp_path):
    found = lines(tmp_path, scored(1), scored(2), end="")
    assert [each.seed for each in found.records] == [1, 2]
    assert found.torn == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "fidelity.jsonl:2: the line is damaged: "),
        ("[1]", "fidelity.jsonl:2: the line is not a record: value: "),
        ('{"seed": NaN}', "NaN is not a number that can be read"),
        ('{"seed": 1e999}', "1e999 is not a number that can be read"),
        ('{"seed": -1e999}', "-1e999 is not a number that can be read"),
        ('{"seed": 12345678901234567890}', "12345678901234567890, of 20 digits, is not a number that can be read"),
        ("[" * 100_000, "it is nested too deep"),
        (json.dumps(SCORE | {"seed": "x"}), "the line is not a record: seed: "),
        ('{"schema_version": 2}', "its schema version is 2, and this harness reads 1"),
    ],
)
def test_damage_anywhere_else_is_an_error_with_its_line(tmp_path, text, sentence):
    with pytest.raises(RecordsError) as caught:
        lines(tmp_path, scored(1), text, scored(3))
    assert sentence in str(caught.value)
    assert ":2" in str(caught.value)


def test_a_number_of_nineteen_digits_is_read(tmp_path):
    assert lines(tmp_path, scored(10**18)).records[0].seed == 10**18


@pytest.mark.parametrize(
    ("version", "advice"), [(2, "the newer harness"), (0, "the harness that"), ("x", "the harness that")]
)
def test_another_version_is_refused_since_its_meaning_may_differ(tmp_path, version, advice):
    with pytest.raises(RecordsError, match=f"schema version is {version}, and this harness reads 1.*{advice}"):
        lines(tmp_path, json.dumps(SCORE | {"schema_version": version}))
    assert SCHEMA_VERSION == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "this is not a run's folder: it has no run.json; name a folder below results/"),
        ("{", "run.json: it is not JSON: "),
        ("[]", "run.json: invalid file: a JSON object is expected"),
        ("{}", "run.json: invalid file: suite: Field required"),
        (json.dumps(RUN | {"schema_version": 7}), "its schema version is 7"),
    ],
)
def test_what_lies_in_place_of_run_json_is_named(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(RecordsError) as caught:
        read_run(tmp_path)
    assert sentence in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RecordsError, match="there is no such folder; name the folder that a run has written"):
        read(tmp_path / "gone")


def test_a_run_is_read_from_its_four_files(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    bare = read(tmp_path)
    assert (bare.run.suite_digest, bare.measurements, bare.fidelities, bare.located, bare.torn) == ("d", (), (), (), ())
    (tmp_path / "fidelity.jsonl").write_text(scored(4) + "\n{")
    (tmp_path / "crossovers.json").write_text(json.dumps({"located": [{"leg": 1}]}))
    found = read(tmp_path)
    assert [each.seed for each in found.fidelities] == [4]
    assert found.located == ({"leg": 1},)
    assert len(found.torn) == 1
    (tmp_path / "crossovers.json").write_text(json.dumps({"located": {}}))
    with pytest.raises(RecordsError, match=r"crossovers\.json: invalid file: `located` must be a list"):
        read(tmp_path)


def test_a_run_is_called_as_its_folder_also_where_that_is_not_written_out(tmp_path, monkeypatch):
    (tmp_path / "mine" / "inner").mkdir(parents=True)
    run = read_run_of(tmp_path / "mine")
    assert Evidence(folder=tmp_path / "mine", run=run).name == "mine"
    monkeypatch.chdir(tmp_path / "mine" / "inner")
    assert Evidence(folder=Path(), run=run).name == "inner"
    assert Evidence(folder=Path(".."), run=run).name == "mine"


def read_run_of(folder):
    (folder / "run.json").write_text(json.dumps(RUN))
    return read_run(folder)
