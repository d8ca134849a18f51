"""The gates that guard a project, as its CI sees them: exit codes of real commands, on real and on made-up runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.plan.sweep import sweep
from harness.records.crossovers import dump
from harness.records.writer import LOCATED, Store
from tests import warm
from tests.command_line import called
from tests.synthetic import COSTS, Maker, linear

PLUGINS = Path(__file__).parent / "fixtures" / "plugins"
GATE = ("--benchmark-compare", "--benchmark-compare-fail=median:300%")  # far beyond what a shared machine does


def gated(folder: Path, *arguments: str, slower: int = 1) -> subprocess.CompletedProcess[str]:
    """`pytest` on the tiny suite, in a process of its own."""
    environment = {**os.environ, "TIMES_SLOWER": str(slower)}
    environment.pop("PYTEST_XDIST_WORKER", None)  # pytest-benchmark measures nothing inside of xdist
    environment["PYTEST_ADDOPTS"] = ""
    code = "import sys, pytest; sys.exit(pytest.main())"
    command = [sys.executable, "-c", code, "-p", "no:cacheprovider", "tiny.yaml", "--benchmark-only", *arguments]
    return warm.ran(command, cwd=folder, env=environment, timeout=160)


@pytest.mark.timeout(600)  # three runs, on a machine that may be shared
def test_pytest_benchmarks_gate_lets_an_a_a_pass_and_stops_a_slowdown(tmp_path):
    suite = {
        "name": "tiny",
        "plugins": [str(PLUGINS / "faulty.py"), str(PLUGINS / "slowed.py")],
        "source": {"use": "small"},
        "heads": {"values": [4]},
        "batch_sizes": [2],
        "contenders": {"counting": {"projector": "counting", "runtime": "slow"}},
        "measurement": {
            "launches": 2, "rounds": 3, "min_sample_seconds": 0.0003, "latency_calls": 0, "self_check": False,
        },
    }  # fmt: skip
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(suite))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    first = gated(tmp_path, "--benchmark-autosave", "--harness-output=first")
    assert first.returncode == 0, first.stdout + first.stderr
    same = gated(tmp_path, *GATE, "--harness-output=same")
    assert same.returncode == 0, same.stdout + same.stderr
    slower = gated(tmp_path, *GATE, "--harness-output=slower", slower=10)
    assert "Performance has regressed" in slower.stdout + slower.stderr
    assert slower.returncode == 1


def made(folder: Path, factor: float, seed: int) -> Path:
    """The folder of a made-up run whose N* is moved by a factor."""
    costs = COSTS | {"student": linear(8 + 172 * factor, 0, 0.5 + 59.5 * factor)}
    maker = Maker(costs=costs, seed=seed)
    for case in sweep(maker.suite).cases:
        if case.race == "best":
            maker.search(case)
    with Store.create(folder, maker.evidence(folder).run) as store:
        store.append(*maker.measurements)
        store.write(LOCATED, dump(maker.located))
    return folder


@pytest.mark.parametrize(("factor", "code"), [(1.0, 0), (1.5, 1), (0.5, 1)])
def test_compare_exits_with_1_where_a_crossover_moved_either_way(tmp_path, factor, code):
    old, new = made(tmp_path / "old", 1.0, 0), made(tmp_path / "new", factor, 1)
    done = called("compare", old, new)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("the crossover moved by" in done.stdout) is bool(code)


def tabled(folder: Path, seed: int, launch_sigma: float) -> Path:
    """The folder of a made-up run of cells alone, of three launches."""
    maker = Maker(seed=seed, launch_sigma=launch_sigma).table(launches=3)
    with Store.create(folder, maker.evidence(folder).run) as store:
        store.append(*maker.measurements)
    return folder


@pytest.mark.parametrize(
    ("launch_sigma", "arguments", "code", "verdict"),
    [
        (0.3, (), 3, "inconclusive: "),
        (0.001, (), 0, "no regression: "),
        (0.001, ("--threshold", "0.1%", "--fail-on-inconclusive"), 3, ""),
    ],
)
def test_compare_exits_with_3_where_it_cannot_judge(tmp_path, launch_sigma, arguments, code, verdict):
    runs = [str(tabled(tmp_path / str(seed), seed, launch_sigma)) for seed in (0, 1)]
    done = called("compare", *runs, *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert verdict in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_output_that_is_not_utf_8_kills_no_command(tmp_path, encoding):
    runs = [str(tabled(tmp_path / str(seed), seed, 0.001)) for seed in (0, 1)]
    command = [sys.executable, "-m", "harness", "compare", *runs, "--markdown"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "`0` -> `1`" in done.stdout.decode(encoding)
    assert done.stderr == b""
