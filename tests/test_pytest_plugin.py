"""Suites under pytest: a benchmark per cell, pytest-benchmark's own gate, and ours on crossovers."""

from __future__ import annotations

import copy
import functools
import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest
import yaml

import harness.pytest_plugin as plugin
from harness.plan.sweep import sweep
from harness.process.failure import TOO_SLOW, Failure
from harness.pytest_plugin import Replay
from harness.records import machine
from harness.records.crossovers import SearchSettings, dump
from harness.records.project import describe
from harness.records.writer import LOCATED, Store, read
from harness.report.pytest_benchmark import export
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


@functools.cache
def searched_with(slowed, gain, seed, cases, asked):
    """A made-up run, which takes the time: made once for all tests."""
    costs = {"loop": linear(5, 1), "teacher": linear(55, 0.5 / gain)}
    maker = Maker(yaml.safe_load(SUITE), costs, seed=seed, slowed={"teacher": slowed}).table()
    for case in cases:
        maker.search(case, asked)
    return maker


def made_of(*arguments):
    """The same, as a copy that a test may change."""
    maker = copy.copy(searched_with(*arguments))
    maker.measurements, maker.located = list(maker.measurements), list(maker.located)
    return maker


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with one suite, whose runs are made up and in this process; real runs are tested elsewhere."""
    pytester.makefile(".yaml", tiny=SUITE)

    out, away = {}, {}  # contenders whose plugin is broken, or whose device is absent

    def planned(path, *, quick):
        suite = Suite.model_validate(yaml.safe_load(path.read_text()))
        return SimpleNamespace(suite=suite, sweep=sweep(suite, broken={**out, **away}), broken=out, absent=away)

    monkeypatch.setattr(plugin, "planned", planned)
    monkeypatch.setenv("HARNESS_LOCK", str(pytester.path / "lock"))  # others may be measuring on this machine
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # pytest-benchmark measures nothing inside of xdist
    monkeypatch.setattr("pytest_benchmark.plugin.get_cpu_info", dict)  # it starts a process, and takes seconds

    outputs = []

    def run(
        *arguments, slowed=1.0, gain=1.0, seed=0, broken=False, raises=None, failing=None, searched=True, asked=None
    ):
        def measured(plan, output):
            outputs.append(output)
            if raises is not None:
                raise raises
            cases = plan.sweep.cases if searched else ()
            maker = made_of(slowed, gain, seed, cases, asked)
            if broken:
                maker.fail("teacher", 64, 1)
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
    run.path, run.outputs, run.broken, run.absent = pytester.path, outputs, out, away
    return run


def test_one_benchmark_per_cell_and_one_test_per_search(project):
    found = project("tiny.yaml", "--benchmark-only", "--benchmark-autosave", "-v")
    found.assert_outcomes(passed=5)
    found.stdout.fnmatch_lines(["*tiny.yaml::teacher?N64-B1? PASSED*", "*tiny.yaml::crossover?race-B1? PASSED*"])
    found.stdout.fnmatch_lines(["*benchmark 'N=64 B=1': 2 tests*"])
    saved = next(project.path.glob(".benchmarks/*/0001_*.json"))
    benchmarks = {each["name"]: each for each in json.loads(saved.read_text())["benchmarks"]}
    assert len(benchmarks) == 4
    teacher = benchmarks["teacher[N64-B1]"]
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


BAD = {
    "misspelt.yaml": ("name: tiny\nsource: {use: playbook}\nheads: {values: [4]}\ncontendrs: {}\n",
                      "misspelt.yaml:4: contendrs: unknown key; did you mean `contenders`?"),
    "lacking.yaml": ("name: tiny\nsource: {use: playbook}\nheads: {values: [4]}\n", "lacking.yaml:1: contenders: is missing"),
    "empty.yaml": ("", "empty.yaml:1: suite: is empty"),
    "syntax.yaml": (f"{SUITE}  - [", "syntax.yaml:11: suite: not YAML"),
    "name.yaml": (SUITE.replace("challenger: teacher", "challenger: teachr"),
                  "name.yaml:10: races[0].challenger: no contender 'teachr'; did you mean 'teacher'?"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("test", ["", "::teacher[N16-B1]"])
def test_a_named_suite_with_a_mistake_answers_with_its_own_error(pytester, name, test):
    text, sentence = BAD[name]
    (pytester.path / name).write_text(text)
    found = pytester.runpytest_inprocess("-p", "no:cacheprovider", f"{name}{test}", plugins=EXTRA)
    assert sentence in found.stdout.str()
    assert found.ret != 0
    assert "Traceback" not in found.stdout.str()
    if not test:  # pytest itself adds a line about a test that was named and is in no collected file
        assert "no collectors" not in found.stdout.str() + found.stderr.str()


def test_a_bad_suite_is_told_without_a_traceback(pytester):
    pytester.makefile(".yaml", bad="name: bad\ncontenders: {}\n")
    found = pytester.runpytest_inprocess("-p", "no:cacheprovider", "bad.yaml", plugins=EXTRA)
    assert "bad.yaml:1" in found.stdout.str()
    assert "Traceback" not in found.stdout.str()


def test_one_test_can_be_selected_by_its_n_and_batch_size(project):
    found = project("tiny.yaml", "--benchmark-only", "-k", "N16-B1 and teacher", "-v")
    found.assert_outcomes(passed=1, deselected=4)
    found.stdout.fnmatch_lines(["*tiny.yaml::teacher?N16-B1? PASSED*"])
    project("tiny.yaml", "--benchmark-only", "-k", "race-B1", "--harness-output=other").assert_outcomes(
        passed=1, deselected=4
    )


@pytest.mark.parametrize(
    ("option", "reason"),
    [("--benchmark-disable", "nothing is measured (--benchmark-disable active)"), ("--benchmark-skip", "active")],
)
def test_nothing_is_measured_where_benchmarks_are_disabled_or_skipped(project, option, reason):
    found = project("tiny.yaml", option, "-rs")
    found.assert_outcomes(skipped=5)
    assert project.outputs == []
    assert reason in found.stdout.str()


def test_a_race_without_an_answer_fails_and_one_that_lacks_samples_is_skipped_with_the_reason(project):
    found = project("tiny.yaml", "--benchmark-only", searched=False)
    found.assert_outcomes(passed=4, failed=1)
    found.stdout.fnmatch_lines(["*race at batch 1: the search gave no answer*"])
    few = SearchSettings(budget=8, launches=8)
    found = project("tiny.yaml", "--benchmark-only", "-rs", "--harness-output=few", asked=few)
    found.assert_outcomes(passed=4, skipped=1)
    found.stdout.fnmatch_lines(["SKIPPED * race at batch 1: *unresolved*"])


def test_what_a_broken_plugin_leaves_out_fails_and_what_an_absent_device_does_is_skipped(project):
    project.broken["teacher"] = "its plugin cannot be imported: ImportError: no (mine.py:1)"
    found = project("tiny.yaml", "--benchmark-only")
    found.assert_outcomes(passed=2, failed=3)  # two cells and the race
    found.stdout.fnmatch_lines(["*teacher: its plugin cannot be imported: ImportError: no (mine.py:1)*"])
    project.absent["teacher"] = project.broken.pop("teacher") and "there is no device cuda"
    found = project("tiny.yaml", "--benchmark-only", "-rs", "--harness-output=absent")
    found.assert_outcomes(passed=2, skipped=3)
    found.stdout.fnmatch_lines(["*there is no device cuda*"])


def test_the_summary_names_each_crossover_with_its_interval_and_the_report(project):
    lines = project("tiny.yaml", "--benchmark-only").stdout.lines
    start = next(number for number, line in enumerate(lines) if " crossovers " in line)
    told = [line for line in lines[start + 1 :] if line][:2]
    answer = r"tiny\.yaml: race: teacher is faster above about \d+ heads \(95 % CI \d+ to \d+\) at batch 1"
    assert re.fullmatch(answer, told[0]), told
    assert told[1] == "report: run"


def test_no_summary_without_suites(project):
    (project.path / "test_one.py").write_text("def test_one(): pass\n")
    assert " crossovers " not in project("test_one.py").stdout.str()


@pytest.mark.parametrize(("slowed", "failed"), [(1.0, 0), (1.3, 2)])
def test_our_own_gate_judges_cells_too(project, slowed, failed):
    project("tiny.yaml", "--benchmark-only").assert_outcomes(passed=5)
    gate = ("tiny.yaml", "--benchmark-only", "--harness-compare=run", f"--harness-output=new{slowed}", "-k", "teacher")
    found = project(*gate, seed=1, slowed=slowed)
    assert found.parseoutcomes().get("failed", 0) == failed
    if failed:
        found.stdout.fnmatch_lines(["teacher at N = 64, batch 1: slower: 1.3* times the seconds of run (*"])


def test_json_and_junit_carry_crossovers_launches_and_parity(project):
    found = project("tiny.yaml", "--benchmark-only", "--benchmark-json=out.json", "--junit-xml=out.xml")
    found.assert_outcomes(passed=5)
    benchmarks = {each["name"]: each for each in json.loads((project.path / "out.json").read_text())["benchmarks"]}
    info = benchmarks["teacher[N64-B1]"]["extra_info"]
    located = json.loads((project.path / "run" / "crossovers.json").read_text())["located"][0]["location"]
    (crossing,) = located["crossings"]
    assert (info["suite"], info["launches"]) == ("tiny.yaml", 8)
    assert info["parity_error"] >= 0
    (race,) = info["crossovers"]
    assert (race["race"], race["crossover"], race["crossover_low"], race["crossover_high"]) == (
        "race", crossing["heads"], crossing["low"], crossing["high"],
    )  # fmt: skip
    properties = {
        (case.get("name"), each.get("name")): each.get("value")
        for case in ET.parse(project.path / "out.xml").iter("testcase")
        for each in case.iter("property")
    }
    assert properties["teacher[N64-B1]", "launches"] == "8"
    assert float(properties["teacher[N64-B1]", "parity_error"]) == info["parity_error"]
    assert properties["crossover[race-B1]", "crossover"] == str(crossing["heads"])
    assert properties["crossover[race-B1]", "crossover_low"] == str(crossing["low"])


def test_a_baseline_that_matches_no_test_fails(project):
    project("tiny.yaml", "--benchmark-only", "--benchmark-autosave").assert_outcomes(passed=5)
    (saved,) = project.path.glob(".benchmarks/*/0001_*.json")
    saved.write_text(saved.read_text().replace("tiny.yaml::", "elsewhere.yaml::"))
    gate = ("tiny.yaml", "--benchmark-only", "--benchmark-compare", "--benchmark-compare-fail=median:10%")
    found = project(*gate, "--harness-output=again", seed=1)
    assert found.parseoutcomes()["failed"] == 4
    found.stdout.fnmatch_lines(
        ["the baseline *0001_*.json has no benchmark of this suite: it has 4, such as 'elsewhere.yaml::*"]
    )


@pytest.mark.parametrize(("slowed", "code"), [(1.0, 0), (10.0, 1)])
def test_an_exported_baseline_matches_the_tests_wherever_it_was_measured(project, monkeypatch, slowed, code):
    (project.path / "pytest.ini").write_text("[pytest]\n")
    (project.path / "suites").mkdir()
    (project.path / "tiny.yaml").rename(project.path / "suites" / "tiny.yaml")
    maker = Maker(yaml.safe_load(SUITE), {"loop": linear(5, 1), "teacher": linear(55, 0.5)}).table()
    monkeypatch.chdir(project.path / "suites")  # where `harness run tiny.yaml` was started
    facts = {"suite_path": "tiny.yaml", "project": describe(Path("tiny.yaml")), "machine": machine.describe()}
    monkeypatch.chdir(project.path)
    monkeypatch.setattr("cpuinfo.get_cpu_info", dict)  # as in `project`
    export(maker.evidence(project.path / "run", **facts), project.path / ".benchmarks")
    gate = ("suites/tiny.yaml", "--benchmark-only", "--benchmark-compare", "--benchmark-compare-fail=median:100%")
    found = project(*gate, "--harness-output=again", seed=1, slowed=slowed)
    text = found.stdout.str() + found.stderr.str()
    assert ("Performance has regressed" in text) is bool(code), text
    assert "has no benchmark of this suite" not in text
    assert "machine_info is different" not in text


CONFTEST = """
import os, sys
sys.path.insert(0, {root!r})
import pytest
from pathlib import Path
import harness.pytest_plugin as plugin
from tests.test_pytest_plugin import made_run, planned_tiny

def measured(plan, output):
    with open("measured.txt", "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
    return made_run(plan, Path("run"))

plugin.planned, plugin.measured = planned_tiny, measured
"""


def planned_tiny(path, *, quick):
    suite = Suite.model_validate(yaml.safe_load(path.read_text()))
    return SimpleNamespace(suite=suite, sweep=sweep(suite), broken={}, absent={})


def made_run(plan, folder):
    maker = Maker(yaml.safe_load(SUITE), {"loop": linear(5, 1), "teacher": linear(55, 0.5)}).table()
    for case in plan.sweep.cases:
        maker.search(case)
    with Store.create(folder, maker.evidence(folder).run) as store:
        store.append(*maker.measurements)
        store.write(LOCATED, dump(maker.located))
    return read(folder)


def test_two_workers_measure_a_suite_once(pytester, monkeypatch):
    pytester.makefile(".yaml", tiny=SUITE)
    pytester.makeconftest(CONFTEST.format(root=str(Path(__file__).parents[1])))
    monkeypatch.setenv("HARNESS_LOCK", str(pytester.path / "lock"))
    monkeypatch.setenv("HARNESS_CACHE", str(pytester.path / "cache"))
    found = pytester.runpytest_subprocess("-p", "no:cacheprovider", "tiny.yaml", "-n2", "--dist=each", timeout=100)
    found.assert_outcomes(passed=10)  # every test in both workers
    assert len((pytester.path / "measured.txt").read_text().split()) == 1
    assert found.stdout.str().count("report: ") == 1


def test_every_option_is_in_the_documentation():
    class Options:
        def __init__(self):
            self.found = []

        def addini(self, name, *rest, **more):
            self.found.append(name)

        def getgroup(self, *rest):
            return self

        def addoption(self, name, **more):
            self.found.append(name)

    options = Options()
    plugin.pytest_addoption(options)
    assert len(options.found) == 5
    page = (Path(__file__).parents[1] / "docs" / "regression.md").read_text()
    assert [each for each in options.found if f"`{each}" not in page] == []


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


def test_what_a_run_says_is_not_obeyed_by_a_terminal():
    for end, kind in ((plugin._skip, pytest.skip.Exception), (plugin._fail, pytest.fail.Exception)):
        with pytest.raises(kind) as caught:
            end("torch was \x1b[31m")
        assert str(caught.value) == "torch was \\x1b[31m"


def test_what_is_no_plain_file_is_no_suite(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    assert not any(plugin._is_suite(tmp_path / name) for name in ("pipe.yaml", "device.yaml", "absent.yaml"))
