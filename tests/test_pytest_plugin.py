"""Suites under pytest: a benchmark per cell, pytest-benchmark's own gate, and ours on crossovers."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import harness.pytest_plugin as plugin
from harness.plan.sweep import sweep
from harness.process.failure import TOO_SLOW, Failure
from harness.pytest_plugin import Replay
from harness.records.crossovers import dump
from harness.records.writer import LOCATED, Store, read
from harness.suite.schema import Suite
from tests.synthetic import Maker, linear

pytest_plugins = ("pytester",)

INSTALLED = any(each.name == "harness" for each in entry_points(group="pytest11"))
EXTRA = () if INSTALLED else (plugin,)

SUITE = """
name: tiny
source: {use: playbook}
heads: {values: [16, 64]}
batch_sizes: [1]
contenders:
  loop: {projector: lda-loop, runtime: python}
  teacher: {projector: lda, runtime: python}
races:
  - {name: race, baseline: loop, challenger: teacher, heads: {from: 1, to: 1000}}
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with one suite, whose runs are made up and in this process; real runs are tested elsewhere."""
    pytester.makefile(".yaml", tiny=SUITE)

    def planned(path, *, quick):
        suite = Suite.model_validate(yaml.safe_load(path.read_text()))
        return SimpleNamespace(suite=suite, sweep=sweep(suite))

    monkeypatch.setattr(plugin, "planned", planned)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # pytest-benchmark measures nothing inside of xdist
    monkeypatch.setattr("pytest_benchmark.plugin.get_cpu_info", dict)  # it starts a process, and takes seconds

    outputs = []

    def run(*arguments, slowed=1.0, gain=1.0, seed=0, broken=False, raises=None, failing=None):
        costs = {"loop": linear(5, 1), "teacher": linear(55, 0.5 / gain)}

        def measured(plan, output):
            outputs.append(output)
            if raises is not None:
                raise raises
            maker = Maker(yaml.safe_load(SUITE), costs, seed=seed, slowed={"teacher": slowed}).table()
            if broken:
                maker.fail("teacher", 64, 1)
            for leg in plan.sweep.legs:
                maker.search(leg)
            if failing is not None:
                maker.measurements = [failing(each) for each in maker.measurements]
            folder = Path(output or "run")
            with Store.create(folder, maker.evidence(folder).run) as store:
                store.append(*maker.measurements)
                store.write(LOCATED, dump(maker.located))
            return read(folder)

        monkeypatch.setattr(plugin, "measured", measured)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments, plugins=EXTRA)

    run.inline = lambda *arguments: pytester.inline_genitems("-p", "no:cacheprovider", *arguments)
    run.path, run.outputs = pytester.path, outputs
    return run


def test_one_benchmark_per_cell_and_one_test_per_search(project):
    found = project("tiny.yaml", "--benchmark-only", "--benchmark-autosave", "-v")
    found.assert_outcomes(passed=5)
    found.stdout.fnmatch_lines(["*tiny.yaml::teacher?N=64-B=1? PASSED*", "*tiny.yaml::crossover?race-B=1? PASSED*"])
    found.stdout.fnmatch_lines(["*benchmark 'N=64 B=1': 2 tests*"])
    saved = next(project.path.glob(".benchmarks/*/0001_*.json"))
    benchmarks = {each["name"]: each for each in json.loads(saved.read_text())["benchmarks"]}
    assert len(benchmarks) == 4
    teacher = benchmarks["teacher[N=64-B=1]"]
    assert teacher["params"] == {"contender": "teacher", "heads": 64, "batch_size": 1}
    assert teacher["stats"]["rounds"] == 32
    assert teacher["stats"]["median"] == pytest.approx(87e-6, rel=0.05)
    assert teacher["options"]["timer"] == "replay"


def test_pytest_benchmarks_own_gate_sees_a_slowed_contender(project):
    project("tiny.yaml", "--benchmark-only", "--benchmark-autosave").assert_outcomes(passed=5)
    gate = ("tiny.yaml", "--benchmark-only", "--benchmark-compare", "--benchmark-compare-fail=median:10%")
    same = project(*gate, "--harness-output=again", seed=1)
    assert same.ret == 0
    slower = project(*gate, "--harness-output=slower", seed=1, slowed=1.3)
    assert slower.ret != 0  # 1 in a process of its own; pytester reports what pytest-benchmark raises as 3
    assert "Performance has regressed" in slower.stderr.str()


@pytest.mark.parametrize("gain", [0.6, 1.6])
def test_our_own_gate_sees_a_crossover_that_moves_either_way(project, gain):
    project("tiny.yaml", "--benchmark-only").assert_outcomes(passed=5)
    gate = ("tiny.yaml", "--benchmark-only", "--harness-compare=run")
    again = project(*gate, "--harness-output=again", seed=1).parseoutcomes()
    assert again["passed"] + again.get("skipped", 0) == 5  # skipped where the two cannot be told apart
    moved = project(*gate, f"--harness-output=moved{gain}", seed=1, gain=gain)
    assert moved.ret == 1
    moved.stdout.fnmatch_lines(["*race at batch 1: the crossover *: * before, * now*"])


def test_a_failed_cell_is_a_failed_test_with_its_reason(project):
    found = project("tiny.yaml", "--benchmark-only", broken=True)
    found.assert_outcomes(passed=4, failed=1)
    found.stdout.fnmatch_lines(["*parity: it answers NaN*"])


def without_latency(record, outcome, **failure):
    return record.model_copy(
        update={"outcome": outcome, "sampled": None, "call_seconds": (), "failure": Failure(stage="build", **failure)}
    )


def test_a_race_whose_contender_fails_is_a_failed_test_with_the_contenders_own_error_and_line(project):
    def failing(record):
        broken = record.contender == "teacher" and record.heads >= 64
        return without_latency(record, "failed", what="RuntimeError: too many (mine.py:7)") if broken else record

    found = project("tiny.yaml", "--benchmark-only", failing=failing)
    found.assert_outcomes(passed=3, failed=2)
    found.stdout.fnmatch_lines(
        ["*race at batch 1: teacher at N = *, batch 1: build: RuntimeError: too many (mine.py:7)*"]
    )
    found.stdout.fnmatch_lines(["teacher at N = 64, batch 1: build: RuntimeError: too many (mine.py:7)*"])


def test_a_cell_that_only_a_search_has_tried_fails_with_its_error_too(project):
    def failing(record):  # once it has failed in a search, the table does not try it again
        if record.cell == ("teacher", 64, 1) and record.purpose == "table":
            return without_latency(record, "failed", what="ValueError: odd").model_copy(update={"purpose": "search"})
        return record

    found = project("tiny.yaml", "--benchmark-only", failing=failing)
    found.assert_outcomes(passed=4, failed=1)
    found.stdout.fnmatch_lines(["*teacher at N = 64, batch 1: build: ValueError: odd*"])


@pytest.mark.parametrize(
    ("kind", "outcomes"), [(TOO_SLOW, {"passed": 4, "skipped": 1}), ("memory", {"passed": 4, "failed": 1})]
)
def test_a_cell_that_was_left_out_is_skipped_where_it_is_slow_and_fails_where_it_would(project, kind, outcomes):
    def failing(record):
        if record.cell == ("teacher", 64, 1) and record.purpose == "table":
            return without_latency(record, "skipped", what="it would", kind=kind)
        return record

    project("tiny.yaml", "--benchmark-only", failing=failing).assert_outcomes(**outcomes)


def test_a_run_that_breaks_is_not_measured_again_by_every_test(project):
    found = project("tiny.yaml", "--benchmark-only", raises=RuntimeError("the disk fell off"))
    found.assert_outcomes(failed=5)
    assert len(project.outputs) == 1
    found.stdout.fnmatch_lines(["*nothing was measured: RuntimeError: the disk fell off*"])


def test_several_suites_have_a_folder_each(project):
    (project.path / "other.yaml").write_text(SUITE.replace("name: tiny", "name: other"))
    found = project("tiny.yaml", "other.yaml", "--benchmark-only", "--harness-output=both")
    found.assert_outcomes(passed=10)
    assert {Path(each).name for each in project.outputs} == {"tiny", "other"}
    assert (project.path / "both" / "tiny" / "run.json").exists()
    gate = ("tiny.yaml", "other.yaml", "--benchmark-only", "--harness-compare=both", "--harness-output=again")
    again = project(*gate, seed=1).parseoutcomes()
    assert again["passed"] + again.get("skipped", 0) == 10


@pytest.mark.parametrize(("threshold", "failed"), [("200%", None), ("5%", 1), ("0.05", 1), ("90%", 0)])
def test_the_threshold_is_written_as_people_write_it(project, threshold, failed):
    project("tiny.yaml", "--benchmark-only").assert_outcomes(passed=5)
    gate = ("tiny.yaml", "--benchmark-only", "--harness-compare=run", f"--harness-threshold={threshold}")
    found = project(*gate, f"--harness-output=moved{threshold[0]}", seed=1, gain=1.6)
    if failed is None:
        assert f"--harness-threshold '{threshold}' is not a share; write it as 5% or 0.05" in found.stdout.str()
    else:
        assert found.parseoutcomes().get("failed", 0) == failed


def test_no_limit_of_time_holds_for_a_test_that_measures_a_whole_suite(project):
    (project.path / "pytest.ini").write_text("[pytest]\ntimeout = 180\n")
    found = project("tiny.yaml", "--benchmark-only", "-p", "no:randomly", "--collect-only", "-q")
    assert found.ret == 0
    items, _ = project.inline("tiny.yaml")
    assert {each.get_closest_marker("timeout").args for each in items} == {(0,)}


def test_suites_in_the_ini_file_are_collected(project):
    (project.path / "pytest.ini").write_text("[pytest]\nharness_suites = tiny.yaml\n")
    project("--benchmark-only").assert_outcomes(passed=5)


def test_other_yaml_files_and_suites_that_nobody_named_are_left_alone(project):
    (project.path / "other.yaml").write_text("answer: 42\n")
    (project.path / "test_one.py").write_text("def test_one(): pass\n")
    project().assert_outcomes(passed=1)
    project("other.yaml").assert_outcomes()


def test_a_bad_suite_is_told_without_a_traceback(pytester):
    pytester.makefile(".yaml", bad="name: bad\ncontenders: {}\n")
    found = pytester.runpytest_inprocess("-p", "no:cacheprovider", "bad.yaml", plugins=EXTRA)
    assert "bad.yaml:1" in found.stdout.str()
    assert "Traceback" not in found.stdout.str()


def test_the_replayed_timer_gives_each_duration_once():
    timer = Replay()
    timer.load([0.5, 0.25])
    assert [timer() for _ in range(4)] == [0.0, 0.5, 0.0, 0.25]
    assert timer.__name__ == "replay"


def test_the_plugin_costs_nothing_until_a_suite_is_collected():
    """It is loaded by every pytest of an environment that has the harness."""
    script = (
        "import sys, pytest; before = set(sys.modules); import harness.pytest_plugin; print(set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name for name in eval(done.stdout) if name.startswith("harness")}
    assert loaded == {"harness", "harness.pytest_plugin"}
    assert "numpy" not in done.stdout
    assert "pydantic" not in done.stdout
