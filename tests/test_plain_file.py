"""What is read of files that somebody sent: nothing that has no end, and no more than there is room for."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness import dispatch, plain_file
from harness.errors import RecordsError, SuiteError
from harness.records.reader import LARGEST_BYTES, read
from harness.report import verification
from harness.report.site import build
from harness.suite import loading
from tests.command_line import called
from tests.fuzz import runs

SMOKE = Path(__file__).parents[1] / "suites" / "smoke.yaml"


@pytest.fixture
def odd(tmp_path):
    """Makes things that are no plain files, by their names."""

    def make(kind, path):
        path.unlink(missing_ok=True)
        match kind:
            case "a pipe":
                os.mkfifo(path)
            case "a device":
                path.symlink_to("/dev/zero")
            case "a socket":
                with socket.socket(socket.AF_UNIX) as one:
                    one.bind(str(path))
            case "a folder":
                path.mkdir()
            case "a link to itself":
                path.symlink_to(path.name)
            case "large":
                with path.open("wb") as file:
                    file.truncate(LARGEST_BYTES + 1)  # sparse: it takes no room
        return path

    return make


ODD = {
    "a pipe": "it is a pipe, not a regular file",
    "a device": "it is a device, not a regular file",
    "a socket": "No such device or address",
    "large": "it has more than",
    "a folder": "Is a directory",
    "a link to itself": "Too many levels of symbolic links",
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_plain_file_is_refused_at_once(odd, tmp_path, kind):
    with pytest.raises(OSError, match=ODD[kind]):
        plain_file.content(odd(kind, tmp_path / "x"), LARGEST_BYTES)


def test_a_plain_file_is_read_and_may_be_as_large_as_allowed(tmp_path):
    (tmp_path / "x").write_bytes(b"\xc3\xa9")
    assert plain_file.text(tmp_path / "x", 2) == "é"
    with pytest.raises(OSError, match="it has more than 0 MiB, the most that is read"):
        plain_file.content(tmp_path / "x", 1)


@pytest.mark.parametrize("kind", [*ODD])
def test_a_suite_that_is_none_is_a_sentence(odd, tmp_path, kind):
    with pytest.raises(SuiteError, match=r"cannot be read|is a folder") as caught:
        loading.load(odd(kind, tmp_path / "x.yaml"))
    assert len(str(caught.value)) < 500


@pytest.fixture
def sent(tmp_path):
    """A run's folder, as an honest run leaves it."""
    folder = tmp_path / "results" / "sent"
    folder.mkdir(parents=True)
    for name, text in {**runs.files(), "report.json": runs.report()}.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("kind", [*ODD])
@pytest.mark.parametrize("name", ["run.json", "measurements.jsonl", "fidelity.jsonl", "crossovers.json", "report.json"])
def test_a_runs_file_that_is_none_is_a_sentence(odd, sent, name, kind):
    odd(kind, sent / name)
    with pytest.raises(RecordsError) as caught:
        verification.verify(sent)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["run.json", "crossovers.json", "report.json"])
def test_what_is_one_object_may_be_less_large(sent, name):
    with (sent / name).open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(RecordsError, match="it has more than 64 MiB, the most that is read"):
        verification.verify(sent)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "large"])
def test_a_site_names_the_run_and_shows_the_others(odd, sent, tmp_path, kind):
    import shutil

    shutil.copytree(sent, tmp_path / "results" / "honest")
    odd(kind, sent / "report.json")
    built = build(tmp_path / "results", tmp_path / "site")
    assert (built.runs, len(built.broken)) == (1, 1), built.broken
    assert "sent" in built.broken[0]


@pytest.mark.parametrize(
    "report",
    [
        {"cells": "x"}, {"cells": [1]}, {"documented": [None]}, {"crossovers": {"a": 1}}, {"self_check": []},
        {"unchecked": 5}, {"cells": [{"call": {"launches": 3}}]},
    ],
)  # fmt: skip
def test_a_report_of_another_shape_is_named_and_left_out_of_the_site(sent, tmp_path, report):
    (sent / "report.json").write_text(json.dumps(report))
    built = build(tmp_path / "results", tmp_path / "site")
    assert (built.runs, len(built.broken)) == (0, 1)
    assert "its files are invalid" in built.broken[0]


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a socket", "a folder", "a link to itself"])
def test_records_of_a_running_run_that_are_no_file_are_not_waited_for(odd, sent, tmp_path, kind):
    run = json.loads((sent / "run.json").read_text())
    (sent / "run.json").write_text(json.dumps({**run, "status": "running"}))
    odd(kind, sent / "measurements.jsonl")
    built = build(tmp_path / "results", tmp_path / "site")
    assert built.runs + len(built.broken) == 1


def test_a_running_run_whose_last_line_is_odd_is_no_end_of_the_site(sent, tmp_path):
    run = json.loads((sent / "run.json").read_text())
    (sent / "run.json").write_text(json.dumps({**run, "status": "running"}))
    (sent / "measurements.jsonl").write_text("[1, 2]\n")
    built = build(tmp_path / "results", tmp_path / "site")
    assert built.runs + len(built.broken) == 1


@pytest.mark.parametrize(
    "found",
    [
        {}, {"races": 1}, {"races": [1]}, {"races": [{"race": "r"}]}, [],
        {"races": [{"race": "r", "baseline": "a", "challenger": 5, "entries": []}]},
        {"races": [{"race": "r", "baseline": "a", "challenger": "\ud800", "entries": []}]},
        {"races": [{"race": "r", "baseline": "a", "challenger": "b", "entries": [], "mean_regret": float("nan")}]},
        {"races": [{"race": "r", "baseline": "a", "challenger": "b", "entries": [
            {"batch_size": "x", "below": "a", "changes": []}]}]},
        {"races": [{"race": "r", "baseline": "a", "challenger": "b", "entries": [
            {"batch_size": 1, "below": "a", "changes": [{"heads": None, "use": "b"}]}]}]},
    ],
)  # fmt: skip
def test_a_table_of_another_shape_is_a_sentence(tmp_path, found):
    path = tmp_path / "dispatch.json"
    path.write_text(json.dumps(found))
    with pytest.raises(RecordsError, match="not a dispatch table"):
        dispatch.load(path)
    path.write_text("[" * 100_000)
    with pytest.raises(RecordsError, match="not a dispatch table"):
        dispatch.load(path)


def test_a_suite_is_read_from_standard_input():
    command = [sys.executable, "-m", "harness", "check", "/dev/stdin"]
    done = subprocess.run(command, input=SMOKE.read_text(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "smoke" in done.stdout


def test_a_run_whose_documents_name_what_it_has_not_is_a_sentence(sent):
    run = json.loads((sent / "run.json").read_text())
    run["suite"]["documented"]["figures"][0]["race"] = "another"
    (sent / "run.json").write_text(json.dumps(run))
    with pytest.raises(RecordsError, match="suite: there is no race another"):
        read(sent)


def test_many_problems_are_a_short_message(tmp_path):
    suite = {**yaml.safe_load(SMOKE.read_text()), **{f"unknown{number}": 1 for number in range(500)}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(suite))
    with pytest.raises(SuiteError) as caught:
        loading.load(tmp_path / "x.yaml")
    assert str(caught.value).splitlines()[-1].startswith("and 480 more problems")
    assert len(caught.value.problems) == 500


def test_a_long_value_of_an_option_is_cut(tmp_path):
    (tmp_path / "x.yaml").write_text(SMOKE.read_text())
    with pytest.raises(SuiteError) as caught:
        loading.load(tmp_path / "x.yaml", overrides=[f"heads={'x' * 200_000}"])
    assert len(str(caught.value)) < 10_000


def test_a_name_that_is_no_utf8_is_measured_and_recorded(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    (folder / "mine.py").write_text("def f(n):\n    return sum(range(n))\ndef g(n):\n    return n\n")
    suite = {
        "name": "odd", "sizes": {"values": [10]}, "races": [],
        "contenders": {"f": {"function": "mine:f"}, "g": {"function": "mine:g"}},
        "measurement": {"launches": 2, "rounds": 2, "latency_calls": 3, "min_sample_seconds": 0.0003, "self_check": False,
                        "max_warm_up_seconds": 0.05, "limits": False},
    }  # fmt: skip
    (folder / "odd.yaml").write_text(yaml.safe_dump(suite))
    out = folder / "\udcfe"
    done = called("run", "odd.yaml", "--output", out, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert {each.outcome for each in read(out).measurements} == {"measured"}
    assert "\\udcff" in read(out).run.command
    for words in (("verify",), ("report",), ("export", "--to", "parquet"), ("export", "--to", "pytest-benchmark")):
        done = called(words[0], out, *words[1:], cwd=folder)
        assert done.returncode == 0, (words, done.stderr)


def test_only_a_file_is_there(tmp_path, odd):
    assert plain_file.is_there(SMOKE)
    for kind in ("a pipe", "a folder", "a link to itself"):
        assert not plain_file.is_there(odd(kind, tmp_path / kind.replace(" ", "-")))
    assert not plain_file.is_there(tmp_path / ("x" * 300))
