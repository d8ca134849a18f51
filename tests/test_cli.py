"""The command line as a user meets it: exit codes, and sentences where something is wrong."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.records.writer import read
from tests.run.test_session import written


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a suite; the cache that its run fills is its own."""
    folder = tmp_path_factory.mktemp("cli")
    written(folder, batch_sizes=[2], search={"budget_samples": 40}, heads={"from": 2, "to": 32, "points": 2})
    return folder


@pytest.fixture
def said(place, monkeypatch, capsys):
    """Runs a command in this process, in the folder with the suite: (exit code, output, errors)."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("HARNESS_CACHE", str(place / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    before = signal.getsignal(signal.SIGTERM)

    def say(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, errors = capsys.readouterr()
        assert "Traceback" not in out + errors
        return left.value.code, out, errors

    yield say
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def finished(said, place):
    """The folder of one small run, made once."""
    if not (place / "out" / "run.json").exists():
        code, out, errors = said("run", "small.yaml", "--output", "out")
        assert code == 0, out + errors
        assert "report: out" in out
        assert re.search(r"^  launch 2 of 2: .* done, about .* left$", out, re.MULTILINE)  # of the whole run
    return "out"


BAD = {
    "run missing.yaml": "there is no such file",
    "run small.yaml --set nonsense": "--set nonsense: is not an assignment; write --set key=value",
    "run small.yaml --set heads.to=x": "--set heads.to: 'x' is not a whole number; write it as 6400, 6.4k or 1e6",
    "run small.yaml --set measurement.lanches=3": "unknown key; did you mean `launches`?",
    "run small.yaml --only nobody": "--only nobody: no contender 'nobody'; choose from one, two",
    "run small.yaml --resume nowhere": "nowhere: there is no such folder",
    "locate a:b c:d --range 9:3": "the range '9:3' is empty; LOW must be smaller than HIGH",
    "locate a:b c:d --range lots": "'lots' is not a range; write LOW:HIGH, such as 1:1e6",
    "locate a:b c:d --precision 2": "--precision 2 is not between 0 and 1; 0.05 asks for 5 %",
    "locate a:b c:d --steps 4,x": "'x' is not a whole number",
    "locate a:b c:d --range 0:10": "--range 0:10 begins at 0; n starts at 1",
    "locate a:b c:d --precision 0": "--precision 0 is not between 0 and 1; 0.05 asks for 5 %",
    "locate a:b c:d --seconds 0": "--seconds 0 leaves no time; give more than 0",
    "locate nosuch:b c:d": "'nosuch:b' cannot be imported: No module named 'nosuch'; name it as module:function",
    "locate ab c:d": "'ab' does not name a callable; write module:function",
    "report nowhere": "nowhere: there is no such folder; name the folder that a run has written",
    "verify nowhere": "nowhere: there is no such folder",
    "export nowhere": "nowhere: there is no such folder",
    "history": "there are no runs below results/; name folders that `harness run` wrote",
    "plugins show ldaa": "no plugin offers 'ldaa'; did you mean 'lda'?",
}


@pytest.mark.parametrize("command", BAD)
def test_a_mistake_is_told_in_a_sentence_and_leaves_with_two(said, command):
    code, out, errors = said(*command.split())
    assert code == 2
    assert errors.startswith("error: ")
    assert BAD[command] in errors
    assert out == ""


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("compare out out --threshold lots", "--threshold 'lots' is not a share; write it as 5% or 0.05"),
        ("compare out out --threshold 500%", "--threshold '500%' is not a share; write it as 5% or 0.05"),
        ("compare out nowhere", "nowhere: there is no such folder"),
        ("advise out --heads 8", "batch 1 is outside the measured batch sizes: 2"),
        ("advise out --heads 8 --batch 2 --require x", "--require 'x' is not a score and a number, `=` is missing"),
        (
            "advise out --heads 8 --batch 2 --require top1=0.9",
            "unknown score 'top1'; did you mean 'top1_agreement'?",
        ),
        ("advise out --heads 8 --batch 2 --memory lots", "'lots' is not a size; write it as 64MB or 1GiB"),
        ("run small.yaml --output out", "there is a run in this folder already; name another folder, or continue it"),
    ],
)
def test_a_mistake_about_a_run_is_told_too(said, finished, command, sentence):
    code, _, errors = said(*command.split())
    assert code == 2
    assert sentence in errors


def test_options_that_are_not_there_are_told_by_the_parser(said):
    for command in (
        "run small.yaml --quik",
        "report out --format xml",
        "locate a:b c:d --budget 1",
        "rnu x",
        "run",
        "locate a:b c:d --launches 1",
        "locate a:b c:d --gap -1",
    ):
        code, _, errors = said(*command.split())
        assert code == 2
        assert "Error" in errors


def test_advice_outside_of_what_was_measured_says_so(said, finished):
    code, out, errors = said("advise", finished, "--heads", "1000000", "--batch", "2")
    assert code == 0, errors
    assert "N = 1,000,000 was not measured: the run covers N = 2 to 32" in out


def test_a_run_agrees_with_its_own_raw_seconds(said, finished):
    code, out, _ = said("verify", finished)
    assert code == 0
    assert out.startswith("agrees: ")


def test_a_run_compared_with_itself_has_not_regressed(said, finished):
    code, out, _ = said("compare", finished, finished)
    assert code in (0, 3)  # 3 where two launches are too few to judge any cell
    assert "regressed" not in out
    code, out, _ = said("compare", finished, finished, "--markdown")
    assert code in (0, 3)
    assert out.startswith(("### no regression", "### inconclusive"))


def test_a_report_is_printed_in_each_format(said, finished):
    code, out, _ = said("report", finished, "--format", "json")
    assert code == 0
    assert {each["contender"] for each in json.loads(out)["cells"]} == {"one", "two"}
    code, out, _ = said("report", finished, "--format", "csv")
    assert code == 0
    assert out.startswith("contender,heads,batch_size,")
    assert len(out.splitlines()) >= 5
    code, out, _ = said("report", finished, "--format", "markdown")
    assert code == 0
    assert "small" in out


def test_a_resumed_run_that_lacks_nothing_measures_nothing(said, finished, place):
    before, ended = (place / "out" / "measurements.jsonl").read_bytes(), read(place / "out").run.finished
    code, out, errors = said("run", "small.yaml", "--resume", "out")
    assert code == 0, out + errors
    assert (place / "out" / "measurements.jsonl").read_bytes() == before
    assert (read(place / "out").run.status, read(place / "out").run.finished) == ("complete", ended)


def test_an_export_names_its_file(said, finished, place):
    code, out, _ = said("export", finished, "--storage", "kept")
    assert code == 0
    path = place / out.strip()
    assert path.is_relative_to(place / "kept")
    assert all(each["stats"] for each in json.loads(path.read_text())["benchmarks"])


def test_an_export_holds_the_raw_samples_only_where_they_are_asked_for(said, finished, place):
    for more, kept in (((), False), (("--data",), True)):
        _, out, _ = said("export", finished, "--storage", f"kept-{kept}", *more)
        stats = json.loads((place / out.strip()).read_text())["benchmarks"][0]["stats"]
        assert ("data" in stats) is kept


def test_history_finds_runs_wherever_they_are_below_results(said, finished, monkeypatch, tmp_path):
    for name in ("one", "baseline/two"):
        folder = tmp_path / "results" / name
        shutil.copytree(Path(finished).resolve(), folder)
    monkeypatch.chdir(tmp_path)
    code, out, _ = said("history")
    assert code == 0
    assert ": 2 runs" in out


def test_history_shows_what_it_is_asked_for(said, finished):
    code, out, _ = said("history", finished, "--only", "two at N")
    assert code == 0
    assert "two at N = 2, batch 2" in out
    assert "one at N" not in out


def test_what_would_run_is_printed(said):
    code, out, _ = said("check", "small.yaml", "--set", "heads.to=16")
    assert code == 0
    assert out.startswith("small: 4 cells at batch 2, 2 launches")
    assert "2 to 16" in out


def test_a_local_plugin_is_listed_with_its_file_and_its_options(said):
    from tests.run.test_session import PLUGIN

    code, out, _ = said("plugins", "--plugin", PLUGIN)
    assert code == 0
    assert "faulty.py" in out
    code, out, _ = said("plugins", "show", "faulty", "--plugin", PLUGIN)
    assert code == 0
    assert out.startswith("runtime faulty: Calls the NumPy form")
    assert "fault " in out
    assert "'fine'" in out or "fine" in out


def test_the_cache_is_listed_and_cleared(said, finished, place):
    code, out, _ = said("cache", "list")
    assert code == 0
    assert "product for faulty" in out
    assert str(place / "cache") in out
    code, out, _ = said("cache", "clear")
    assert (code, out.split()[0]) == (0, "freed")
    code, out, _ = said("cache", "list")
    assert code == 0
    assert "0 entries" in out


def test_an_interrupt_leaves_with_130(said, monkeypatch):
    from harness.records import writer

    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "read", interrupted)
    code, _, _ = said("compare", "one", "two")
    assert code == 130


def test_the_version_is_printed(said):
    code, out, _ = said("--version")
    assert code == 0
    assert out.startswith("crossover-harness ")


@pytest.mark.parametrize(
    "command",
    ["plugins", "plugins show transformer", "check small.yaml", "compare out out", "history out", "cache list"],
)
def test_tables_fit_80_columns_and_use_more_where_there_is_more(said, finished, monkeypatch, command):
    found = {}
    for width in (80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        code, out, errors = said(*command.split())
        assert code in (0, 3), errors
        found[width] = out.splitlines()
        assert max(map(len, found[width])) <= width
    assert len(found[200]) <= len(found[80])
    if len(found[200]) < len(found[80]):  # what was wrapped has its line
        assert max(map(len, found[200])) > 80
    parts = [set(re.split(r"[\s._/-]+", " ".join(lines))) - {""} for lines in found.values()]
    assert parts[0] == parts[1]  # words are whole; names are parted where they have a hyphen, a dot or the like


@pytest.mark.parametrize("number", ["inf", "nan", "0", "-3"])
def test_queries_per_day_that_are_no_number_are_refused_before_anything_is_read(said, number):
    code, _, errors = said("advise", "nowhere", "--heads", "5", f"--queries-per-day={number}")
    assert code == 2
    assert "--queries-per-day must be a positive, finite number" in errors
