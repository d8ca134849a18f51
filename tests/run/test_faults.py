"""Every way in which a contender's process can fail leaves a record, and the others are measured all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from harness.records.writer import read
from tests import warm
from tests.command_line import called

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "faulty.py"


def suite(folder: Path, faults, **more) -> Path:
    one = {"projector": "product", "runtime": "faulty"}
    text = yaml.safe_dump(
        {
            "name": "faults",
            "plugins": [str(PLUGIN)],
            "source": {"use": "small"},
            "heads": {"values": [4, 16]},
            "batch_sizes": [3],
            "contenders": {name: {**one, "runtime_options": {"fault": name}} for name in faults},
            "measurement": {
                "launches": 2,
                "rounds": 2,
                "min_sample_seconds": 0.0005,
                "deadline_seconds": 1.0,
                "latency_calls": 5,
                "memory_limit_bytes": 4 * 2**30,
                "self_check": False,
                "max_warm_up_seconds": 0.05,
            },
            **more,
        }
    )
    path = folder / "faults.yaml"
    path.write_text(text)
    return path


EXPECTED = {
    "segfault": ("signal", "SIGSEGV"),
    "endless": ("deadline", "no answer within 1 s"),
    "hungry": ("memory", "memory ran out"),
    "leaves": ("exit", "exited with code 3"),
    "says_exit": ("error", "a plugin says good-bye"),
    "wrong_row": ("parity", "row 2"),
    "not_a_number": ("parity", "row 0 of the output is not finite"),
    "closes_pipe": ("exit", "exited with code"),
    "babbles": ("protocol", "neither a value nor an error"),
    "drifts": ("parity", "its own answer before the timing"),
    "recurses": ("error", "RecursionError"),
    "leaks": ("error", "Too many open files"),
}

ODD = ("fine", "floods", "floods_stderr", "surroundings", "deletes", "closes_output", "forks")


@pytest.fixture(scope="module")
def faulty_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    done = called("run", suite(folder, (*ODD, *EXPECTED)), "--output", folder / "out")
    return done, read(folder / "out")


def test_the_others_are_measured_and_the_exit_code_says_that_something_failed(faulty_run):
    done, evidence = faulty_run
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    for name in ODD:
        outcomes = [record.outcome for record in evidence.measurements if record.contender == name]
        assert outcomes == ["measured"] * 4, name


@pytest.mark.parametrize("name", EXPECTED)
def test_each_fault_is_a_record_that_says_what_happened(faulty_run, name):
    _, evidence = faulty_run
    records = [record for record in evidence.measurements if record.contender == name]
    assert records
    assert {record.outcome for record in records} == {"failed"}
    assert all(not record.sampled for record in records)
    kind, words = EXPECTED[name]
    assert records[0].failure.kind == kind
    assert words in records[0].failure.what + str(records[0].failure.signal)


def test_each_launch_is_a_fresh_process(faulty_run):
    _, evidence = faulty_run
    seen = {}
    for record in evidence.measurements:
        if record.outcome == "measured":
            seen.setdefault((record.contender, record.launch), set()).add((record.process_id, record.process_started))
    assert all(len(each) == 1 for each in seen.values())
    assert len({next(iter(each)) for each in seen.values()}) == len(seen) == 2 * len(ODD)


def test_the_processes_of_a_launch_start_before_anything_is_timed(faulty_run):
    _, evidence = faulty_run
    measured = [record for record in evidence.measurements if record.outcome == "measured" and record.launch == 1]
    first = min(min(record.sampled.started) for record in measured)
    assert max(record.process_started for record in measured) < first


def test_what_kills_a_contender_in_some_cells_leaves_it_its_others(tmp_path):
    path = suite(tmp_path, ("dies_when_large",), batch_sizes=[2, 3], heads={"values": [4, 8, 16]})
    done = called("run", path, "--output", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    outcomes = {}
    for record in read(tmp_path / "out").measurements:
        outcomes.setdefault((record.batch_size, record.outcome), set()).add((record.heads, record.launch))
    everywhere = {(heads, launch) for heads in (4, 8, 16) for launch in (1, 2)}
    assert outcomes[2, "measured"] == everywhere
    assert {heads for heads, _ in outcomes[3, "failed"]} == {4, 8, 16}  # each tried, none given up unseen


def test_what_failed_is_tried_again_where_that_is_asked_for(tmp_path):
    path, out = suite(tmp_path, ("broken_today", "fine")), tmp_path / "out"
    first = called("run", path, "--output", out, env={"BROKEN_TODAY": "1"})
    assert first.returncode == 1, first.stderr
    assert called("run", path, "--resume", out).returncode == 1  # what failed has failed
    again = called("run", path, "--resume", out, "--retry-failed")
    assert again.returncode == 0, again.stderr
    outcomes = [(each.contender, each.outcome) for each in read(out).measurements]
    assert outcomes.count(("broken_today", "measured")) == outcomes.count(("fine", "measured")) == 4
    assert outcomes.count(("broken_today", "failed")) >= 1  # what was recorded stays recorded


def started(folder: Path, faults) -> tuple[subprocess.Popen, Path]:
    out = folder / "out"
    run = warm.opened(
        [sys.executable, "-m", "harness", "run", str(suite(folder, faults)), "--output", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    ends = time.monotonic() + 60
    records = out / "measurements.jsonl"
    while time.monotonic() < ends and not (records.exists() and records.stat().st_size):
        time.sleep(0.02)
    return run, out


def gone(processes: set[int], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if not any(psutil.pid_exists(each) and psutil.Process(each).status() != "zombie" for each in processes):
            return True
        time.sleep(0.02)
    return False


def test_no_child_survives_a_parent_that_is_killed(tmp_path):
    run, _ = started(tmp_path, ("fine", "endless"))
    family = warm.family(run.pid)
    assert family
    run.send_signal(signal.SIGKILL)
    run.wait(10)
    assert gone(family, 5.0)


def test_an_interrupt_ends_the_children_keeps_the_records_and_writes_the_report(tmp_path):
    run, out = started(tmp_path, ("fine", "endless"))
    family = warm.family(run.pid)
    os.kill(run.pid, signal.SIGINT)
    assert gone(family, 2.0)
    output, errors = run.communicate(timeout=30)
    assert run.returncode == 130, output + errors
    assert "Traceback" not in errors
    evidence = read(out)
    assert evidence.run.status == "interrupted"
    assert evidence.measurements
    assert (out / "report.md").exists()
