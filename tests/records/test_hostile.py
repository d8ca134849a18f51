"""Run folders that strangers send: what no run writes is refused with its file, its line and its key."""

import dataclasses
import json

import pytest

from harness.analysis.compare.latencies import welch
from harness.analysis.compare.redefinition import redefinition
from harness.analysis.statistics import mean_over_launches
from harness.analysis.summary import summarise
from harness.errors import RecordsError
from harness.records.checkout import commit
from harness.records.stored_suite import suite_of
from harness.records.writer import read
from harness.report import data, markdown
from harness.report.verification import verify
from harness.units import exponential
from tests.fuzz import runs
from tests.synthetic import Maker


@pytest.fixture
def folder(tmp_path):
    """The folder of a small run."""
    evidence = Maker().table(launches=2, rounds=2).evidence()
    (tmp_path / "run.json").write_text(evidence.run.model_dump_json())
    (tmp_path / "measurements.jsonl").write_text(
        "".join(each.model_dump_json() + "\n" for each in evidence.measurements)
    )
    return tmp_path


def spoil(folder, name, *path, to):
    lines = [json.loads(each) for each in (folder / name).read_text().splitlines()]
    *above, last = path
    holder = lines[-1]
    for step in above:
        holder = holder[step]
    holder[last] = to
    (folder / name).write_text("".join(json.dumps(each) + "\n" for each in lines))
    return len(lines)


def said(folder) -> str:
    with pytest.raises(RecordsError) as caught:
        read(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ([], "sampled.seconds: Tuple should have at least 1 item"),
        ([0.1, -0.1], "sampled.seconds.1: Input should be greater than 0"),
        ([0.1], "seconds, rounds, positions and started must be of one length"),
        ([0.1, float("nan")], "the line is damaged: NaN is not a number that can be read"),
        ("x", "sampled.seconds: Input should be a valid tuple"),
    ],
)
def test_seconds_that_no_clock_gives_are_refused(folder, value, what):
    number = spoil(folder, "measurements.jsonl", "sampled", "seconds", to=value)
    found = said(folder)
    assert found.startswith(f"{folder}/measurements.jsonl:{number}: ")
    assert what in found


def test_a_number_beyond_all_floats_is_refused(folder):
    path = folder / "measurements.jsonl"
    path.write_text(path.read_text().replace('"overhead_seconds":4e-8', '"overhead_seconds":1e999', 1))
    assert "measurements.jsonl:1: the line is damaged: 1e999 is not a number that can be read" in said(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("caches", [1]), ("memory_bytes", "much"), ("gpus", 5), ("container", {"cpu.max": 5}), ("limits", {"a": 1}),
        ("limits", 0.0), ("limits", []),
    ],
)  # fmt: skip
def test_a_fact_of_the_machine_of_another_type_is_refused(folder, key, value):
    spoil(folder, "run.json", "machine", key, to=value)
    assert said(folder).startswith(f"{folder}/run.json: invalid file: machine.{key}")


def test_a_machine_whose_limits_are_null_has_a_report(folder):
    spoil(folder, "run.json", "machine", "limits", to=None)
    assert "GFLOP/s" not in markdown.render(summarise(read(folder)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("source",), {"heads": "many"}), (("source",), {"temperature": "hot"}), (("source",), {"notes": "one"}),
        (("sources",), {"student": {"train_queries": []}}), (("offers",), {"runtime eager": 3}),
        (("offers",), {"projector lda": {"family": 3}}),
    ],
)  # fmt: skip
def test_what_is_read_of_sources_and_offers_has_its_type(folder, path, value):
    spoil(folder, "run.json", *path, to=value)
    name = next(iter(value))
    assert said(folder).startswith(f"{folder}/run.json: invalid file: {path[0]}.{name}")


def test_a_suite_that_is_none_is_refused(folder):
    spoil(folder, "run.json", "suite", "batch_sizes", to="many")
    assert said(folder).startswith(f"{folder}/run.json: invalid file: suite.batch_sizes: ")


def test_the_unknown_keys_of_a_newer_suite_are_passed_over(folder):
    spoil(folder, "run.json", "suite", "newer", to={"x": 1})
    spoil(folder, "run.json", "suite", "races", 0, "newer", to=1)
    assert suite_of(read(folder).run).name == "synthetic"


def test_runs_with_keys_of_a_newer_suite_are_compared(folder, tmp_path_factory):
    honest = tmp_path_factory.mktemp("honest")
    for each in folder.iterdir():
        (honest / each.name).write_bytes(each.read_bytes())
    spoil(folder, "run.json", "suite", "contenders", "teacher", "newer", to={"x": 1})
    found = redefinition(read(honest), read(folder))
    assert (found.contenders, found.races) == ({}, {})


def test_a_race_with_a_contender_that_is_not_there_is_refused(folder):
    spoil(folder, "run.json", "suite", "races", 0, "challenger", to="nobody")
    assert ": suite.races: documented is with nobody, which is not a contender; " in said(folder)


def test_ratios_beyond_all_floats_are_infinite_and_no_error():
    huge = mean_over_launches([700.0, -700.0, 650.0])
    assert (huge.low, huge.high) == (0.0, float("inf"))
    assert not huge.known
    assert welch([0.0, -730.0, 20.0], [700.0, 1.0, 2.0], 0.95).high == float("inf")
    assert exponential(1.0) == pytest.approx(2.718281828)
    assert exponential(float("-inf")) == 0.0


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_json_is_refused(folder, text):
    (folder / "run.json").write_text(text)
    assert said(folder) == f"{folder}/run.json: it is not JSON: it is nested too deep"


@pytest.mark.parametrize("levels", [150, 400, 900])
@pytest.mark.parametrize("name", ["run.json", "crossovers.json", "report.json", "measurements.jsonl"])
def test_json_that_can_be_read_and_not_walked_through_is_refused(tmp_path, name, levels):
    written = {**runs.files(), "report.json": runs.report()}
    deep = "[" * levels + "]" * levels
    written[name] = written[name].replace("{", '{"later": ' + deep + ", ", 1)
    for each, text in written.items():
        (tmp_path / each).write_text(text)
    with pytest.raises(RecordsError, match="it is nested too deep"):
        verify(tmp_path)


def test_an_escape_sequence_in_a_key_reaches_no_terminal(folder):
    spoil(folder, "run.json", "machine", "caches", to={"\x1b[31m": "x"})
    assert "machine.caches.\\x1b[31m: " in said(folder)


def test_the_commit_is_that_of_the_folder_though_a_hook_names_another_repository(tmp_path, monkeypatch):
    import subprocess

    other = tmp_path / "other"
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        other.mkdir(exist_ok=True)
        subprocess.run(["git", "-C", str(other), *command], check=True)
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert commit(tmp_path / "mine") is None


def _with_a_later_key(value):
    """The same, with a key in every object that no version so far knows."""
    if isinstance(value, dict):
        return {**{name: _with_a_later_key(each) for name, each in value.items()}, "later": {"than": "this"}}
    return [_with_a_later_key(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ["measurements.jsonl", "fidelity.jsonl", "crossovers.json", "report.json", "run.json"])
def test_a_key_of_a_later_version_is_passed_over_in_every_file(tmp_path, name):
    written = {**runs.files(), "report.json": runs.report()}
    for each, text in written.items():
        (tmp_path / each).write_text(text)
    if name.endswith(".jsonl"):
        lines = [
            json.dumps({**json.loads(line), "later": {"than": "this"}}) + "\n" for line in written[name].splitlines()
        ]
        (tmp_path / name).write_text("".join(lines))
    elif name == "run.json":
        (tmp_path / name).write_text(json.dumps({**json.loads(written[name]), "later": {"than": "this"}}))
    else:
        (tmp_path / name).write_text(json.dumps(_with_a_later_key(json.loads(written[name]))))
    honest = tmp_path / "honest"
    honest.mkdir()
    for each, text in written.items():
        (honest / each).write_text(text)
    assert data.to_json(summarise(read(tmp_path))) == data.to_json(summarise(read(honest)))


def test_a_search_of_a_contender_that_the_suite_does_not_have_is_refused():
    maker = Maker().table(launches=2, rounds=2).searches()
    strange = dataclasses.replace(
        maker.located[0], case=dataclasses.replace(maker.located[0].case, baseline="\x1b[31m")
    )
    with pytest.raises(RecordsError, match=r"crossovers.json: documented at batch 1: the suite has no contender"):
        summarise(maker.evidence(), [strange, *maker.located[1:]])


def test_a_stored_suite_that_multiplies_is_refused(folder):
    spoil(folder, "run.json", "suite", "batch_sizes", to=list(range(1, 10_001)))
    assert "invalid file: suite: " in said(folder)
    assert "cells (contenders, N and batch sizes), and at most 100,000 are measured" in said(folder)
