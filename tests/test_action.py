"""The GitHub Action: its shell steps, run in order on a repository of two commits, with a `harness run` that is made up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness.records.writer import Store
from tests.synthetic import Maker

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
SUITE = "suites/tiny.yaml"
# `harness run` copies the run that the checkout names; everything else is the real command.
HARNESS = """#!{python}
import pathlib, shutil, sys
if sys.argv[1] == "run":
    print(*sys.argv[1:], "in", pathlib.Path("speed.txt").read_text(), file=open({log!r}, "a"))
    shutil.copytree(pathlib.Path({runs!r}) / pathlib.Path("speed.txt").read_text().strip(), sys.argv[4])
    sys.exit(0)
from harness.cli import main
main()
"""
RECORDED = """#!{python}
import os, sys
print({name!r}, *sys.argv[1:], file=open({log!r}, "a"))
if {name!r} == "gh" and "--jq" in sys.argv and os.environ["FIRST"].startswith("<!-- crossover-harness: suites/tiny.yaml"):
    print(open({known!r}).read(), end="")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Made-up runs: two alike and a slower one."""
    place = tmp_path_factory.mktemp("runs")
    for name, seed, slowed in (("fast", 0, 1.0), ("again", 1, 1.0), ("slow", 2, 1.5)):
        maker = Maker(seed=seed, slowed={"teacher": slowed}).table()
        with Store.create(place / name, maker.evidence(place / name).run) as store:
            store.append(*maker.measurements)
    elsewhere = maker.evidence(place / "elsewhere", machine={"processor": "<img src=x> @team [a](b)"}).run
    with Store.create(place / "elsewhere", elsewhere) as store:
        store.append(*maker.measurements)
    return place


class Job:
    """One job of a runner: a checkout whose base and head measure at given speeds."""

    def __init__(self, place: Path, runs: Path, base: str, head: str, known: str = "") -> None:
        self.root, self.log = place / "checkout", place / "log.txt"
        self.temp, self.summary, self.output = place / "temp", place / "summary.md", place / "output.txt"
        tools = place / "bin"
        for folder in (self.root / "suites", self.temp, tools):
            folder.mkdir(parents=True)
        for each in (self.log, self.summary, self.output):
            each.write_text("")
        (place / "known.txt").write_text(known)
        facts = {"python": sys.executable, "log": str(self.log), "runs": str(runs), "known": str(place / "known.txt")}
        scripts = {"harness": HARNESS.format(**facts), "gh": RECORDED.format(**facts, name="gh")}
        scripts["python"] = RECORDED.format(**facts, name="python")
        for name, text in scripts.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
            "GITHUB_STEP_SUMMARY": str(self.summary), "GITHUB_OUTPUT": str(self.output),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }  # fmt: skip
        self.git("init", "-q")
        for speed in (base, head):
            if speed != "nothing":
                (self.root / SUITE).write_text("name: tiny\n")
            (self.root / "speed.txt").write_text(speed)
            self.git("add", ".")
            self.git("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "-m", speed)
        self.base = self.git("rev-parse", "HEAD~1")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def run(self, **inputs: str) -> int:
        """The exit code of the first step that fails, as a runner runs them; 0 where none does."""
        given = {name: each.get("default", "") for name, each in ACTION["inputs"].items()}
        given |= {"suite": SUITE, "base": self.base, "token": "a token"}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        facts = {f"inputs.{name}": value for name, value in given.items()} | {
            "runner.temp": str(self.temp), "github.action_path": str(ROOT), "github.repository": "me/mine",
            "github.event.pull_request.number": "7",
        }  # fmt: skip
        for step in ACTION["runs"]["steps"]:
            if "run" not in step:
                continue
            assert "${{" not in step["run"], "an expression in a script is code of whoever named the branch"
            assert step["shell"] == "bash"
            facts |= {f"steps.compare.outputs.{name}": value for name, value in self.outputs().items()}
            variables = {name: evaluated(text, facts) for name, text in step.get("env", {}).items()}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],  # as runners do
                cwd=self.root, env={**self.environment, **variables}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                self.failed = f"{step['name']}: {done.stdout}{done.stderr}"
                return done.returncode
        return 0

    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())

    def lines(self, start: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if line.startswith(start)]


def evaluated(text: str, facts: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: facts[found[1]], text)


def test_nothing_slower_passes_and_is_told(tmp_path, runs):
    job = Job(tmp_path, runs, "fast", "again")
    assert job.run(setup="echo set up >> installed.txt", arguments="--set measurement.launches=8") == 0
    assert job.outputs()["verdict"] == "no regression"
    temp = job.temp / "crossover-harness"
    assert job.lines("run") == [
        f"run {SUITE} --output {temp}/head --set measurement.launches=8 in again",
        f"run {SUITE} --output {temp}/base --set measurement.launches=8 in fast",
    ]
    assert (job.root / "installed.txt").exists()
    assert (temp / "checkout" / "installed.txt").exists()  # each checkout installs its own
    assert job.lines("python") == [f"python -m pip install --quiet -c {ROOT}/constraints.txt {ROOT}"]
    told = (temp / "comparison.md").read_text()
    assert told.startswith(f"<!-- crossover-harness: {SUITE} -->\n### no regression: cells: 0 slower, ")
    assert job.summary.read_text() == told
    assert job.lines("gh")[-1] == f"gh api --method POST repos/me/mine/issues/7/comments -F body=@{temp}/comparison.md"


def test_a_regression_fails_after_it_was_told_and_a_comment_is_kept_up_to_date(tmp_path, runs):
    job = Job(tmp_path, runs, "fast", "slow", known="123\n456\n")
    assert job.run() == 1
    assert job.failed.startswith("Judge: regression")
    assert job.outputs()["verdict"] == "regression"
    assert "slower" in job.summary.read_text()
    assert job.lines("gh")[-1].startswith("gh api --method PATCH repos/me/mine/issues/comments/123 ")


def test_a_suite_that_is_new_has_no_baseline_and_passes_without_a_comment_if_asked(tmp_path, runs):
    job = Job(tmp_path, runs, "nothing", "fast")
    assert job.run(comment="false") == 0
    assert job.outputs()["verdict"] == "no baseline"
    assert job.lines("gh") == []
    assert len(job.lines("run")) == 1


def test_what_cannot_be_compared_is_told_as_code_so_that_no_name_is_markup(tmp_path, runs):
    job = Job(tmp_path, runs, "fast", "elsewhere")
    assert job.run() == 1
    assert job.outputs()["verdict"] == "incomparable"
    (line,) = (line for line in job.summary.read_text().splitlines() if "@team" in line)
    assert line.startswith("    error: the runs cannot be compared: processor: A Processor -> <img src=x> @team [a](b)")


def test_every_input_is_in_the_documentation_and_every_step_has_a_name():
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert [name for name in ACTION["inputs"] if f"| `{name}` |" not in page] == []
    assert all(step["name"] for step in ACTION["runs"]["steps"])
    assert ACTION["runs"]["using"] == "composite"
