"""Ctrl-C at every stage of a run: children end, what was measured is kept and reported, and the exit code is 130."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from harness.records.writer import read
from tests import warm
from tests.benchmarks.interruptions import check_folder, interrupt

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "faulty.py"


def suite(folder: Path) -> Path:
    one = {"projector": "product", "runtime": "faulty"}
    text = {
        "name": "long",
        "plugins": [str(PLUGIN)],
        "source": {"use": "small"},
        "heads": {"from": 4, "to": 16, "points": 3},
        "search": {"budget_samples": 60, "regret": False},
        "batch_sizes": [2],
        "contenders": {
            "plain": {**one, "runtime_options": {"fault": "fine"}},
            "slow": {**one, "runtime_options": {"fault": "slow"}},
        },
        "races": [{"name": "race", "baseline": "plain", "challenger": "slow"}],
        "measurement": {
            "launches": 2,
            "rounds": 10,
            "min_sample_seconds": 0.004,
            "max_warm_up_seconds": 0.05,
            "self_check": False,
        },
    }
    path = folder / "long.yaml"
    path.write_text(yaml.safe_dump(text))
    return path


def until(run: subprocess.Popen, words: str) -> None:
    """Reads what a run prints until it says these words."""
    ends = time.monotonic() + 90
    for line in run.stdout:
        if words in line:
            return
        assert time.monotonic() < ends, f"it never said {words!r}"
    pytest.fail(f"it ended without saying {words!r}: {run.stderr.read()}")


@pytest.mark.parametrize(
    ("words", "measured"),
    [("loading the source", False), ("launch 0: exploring", False), ("launch 1 of 2: the table", True),
     ("launch 2 of 2: the table", True)],
)  # fmt: skip
def test_a_run_that_is_interrupted(words, measured, tmp_path):
    out = tmp_path / "out"
    run = warm.opened(
        [sys.executable, "-m", "harness", "run", str(suite(tmp_path)), "--output", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    until(run, words)
    printed, problems = interrupt(run)
    problems += check_folder(out)
    assert problems == []
    if measured:
        assert read(out).measurements
        table = printed[printed.index("N* when the run was interrupted") :]  # the answers so far
        assert re.search(r"^race +2  \S", table, re.MULTILINE)


def test_an_interrupt_while_the_report_is_written_lets_it_be_written(tmp_path):
    """The records say that all was measured; the report is there, and the exit code tells of the interrupt."""
    code = (
        "import os, signal, sys\n"
        "from harness.report import writing\n"
        "from harness.cli import main\n"
        "write = writing.write\n"
        "def interrupted(folder):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return write(folder)\n"
        "writing.write = interrupted\n"
        "sys.argv = ['harness', *sys.argv[1:]]\n"
        "main()\n"
    )
    path, out = suite(tmp_path), tmp_path / "out"
    settings = ["--set", "races=[]", "--set", "measurement.rounds=1", "--set", "measurement.self_check=false"]
    done = warm.ran([sys.executable, "-c", code, "run", str(path), "--output", str(out), *settings], timeout=120)
    assert done.returncode == 130, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert (out / "report.html").exists()
    assert read(out).run.status == "complete"


@pytest.mark.parametrize(
    "arguments",
    [("doctor", "--heads", "4096", "--launches", "20"), ("locate", "math:pow", "math:pow", "--range", "1:1e6")],
)
def test_other_commands_that_measure_are_interrupted_too(arguments, tmp_path):
    run = warm.opened(
        [sys.executable, "-m", "harness", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1, cwd=tmp_path,
    )  # fmt: skip
    until(run, "…")
    _, problems = interrupt(run)
    assert problems == []
