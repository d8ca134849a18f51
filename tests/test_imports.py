"""What a command imports: help at once, and records readable where torch is not installed."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.run.test_session import written

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"torch", "onnxruntime", "onnx", "scipy", "pandas", "altair", "numpy"}
RUNTIMES = {"torch", "onnxruntime", "onnx"}


def imported(*arguments, codes=(0,)) -> set[str]:
    """The top-level modules that a command imports, and `harness` modules by their full name."""
    command = [sys.executable, "-X", "importtime", "-m", "harness", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in codes, done.stdout + done.stderr[-2000:]
    names = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s*(\S+)$", done.stderr, re.MULTILINE)
    assert "typer" in names
    return {name if name.startswith("harness.") else name.partition(".")[0] for name in names}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, set[str]]:
    """The folder of a small run, and what the process that scheduled it imported."""
    folder = tmp_path_factory.mktemp("imports")
    suite = written(folder, batch_sizes=[2], search={"budget_samples": 20}, heads={"from": 2, "to": 32, "points": 2})
    return folder / "out", imported("run", suite, "--output", folder / "out")


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(arguments):
    assert imported(*arguments) & HEAVY == set()


@pytest.mark.parametrize("command", ["report", "verify", "compare"])
def test_what_was_measured_is_read_without_any_runtime(finished, command):
    folders = (finished[0],) * (2 if command == "compare" else 1)
    codes = (0, 3) if command == "compare" else (0,)  # 3: too few launches to judge
    assert imported(command, *folders, codes=codes) & RUNTIMES == set()


def test_a_run_on_this_machine_needs_nothing_of_fleets_and_leaves_what_it_always_left(finished):
    folder, names = finished
    assert names & {"distributed", "dask", "submitit", "asyncssh", "tornado"} == set()
    assert [each for each in sorted(names) if each.startswith("harness.fleet")] == []
    assert {each.name for each in folder.iterdir() if not each.name.startswith(".")} == {
        "crossovers.json", "dispatch.json", "measurements.jsonl", "report.html", "report.json", "report.md", "run.json",
    }  # fmt: skip


def test_a_run_keeps_the_runtimes_out_of_the_process_that_schedules(finished):
    assert finished[1] & RUNTIMES == set()
