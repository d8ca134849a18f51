"""The examples of the README and of the pages do what they say."""

from __future__ import annotations

import math
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.analysis.compare.latencies import judge
from harness.plan.sweep import sweep
from harness.suite import loading
from tests import warm
from tests.command_line import called

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("subject.md", "records.md", "regression.md", "tutorial.md")
TEXT = README + "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in PAGES)
OWN = re.sub(r"<!-- include .*?<!-- /include -->", "", TEXT, flags=re.DOTALL)  # included files have tests of their own
EXAMPLES = re.findall(r"```python\n(.*?)```", OWN, flags=re.DOTALL)
BRIEFLY = "import functools, harness; harness.race = functools.partial(harness.race, seconds=6)\n"  # maybe undecided
PLUGIN = ROOT / "tests" / "fixtures" / "plugins" / "faulty.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a finished run in it."""
    folder = tmp_path_factory.mktemp("readme")
    suite = {
        "name": "readme",
        "plugins": [str(PLUGIN)],
        "source": {"use": "small"},
        "heads": {"values": [4, 16]},
        "batch_sizes": [2],
        "contenders": {name: {"projector": "product", "runtime": "faulty"} for name in ("one", "two")},
        "measurement": {
            "launches": 2,
            "rounds": 2,
            "self_check": False,
            "min_sample_seconds": 0.0003,
            "max_warm_up_seconds": 0.05,
        },
    }
    (folder / "readme.yaml").write_text(yaml.safe_dump(suite))
    (folder / "mine.py").write_text(next(re.finditer(r"```py\n(.*?)```", OWN, flags=re.DOTALL))[1])
    done = called("run", "readme.yaml", "--output", "RUN", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("code", EXAMPLES, ids=[code.split("\n")[1][:40] for code in EXAMPLES])
def test_an_example_runs(code, folder):
    done = warm.ran([sys.executable, "-c", BRIEFLY * ("harness.race" in code) + code], cwd=folder, timeout=170)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_five_lines_find_the_crossing():
    scope = {}
    exec(next(code for code in EXAMPLES if "harness.locate" in code), scope)
    found = scope["found"]
    assert found.status == "crossing"
    assert found.crossings[0].low <= 411 <= found.crossings[0].high


def test_the_front_page_is_short():
    assert len(README.splitlines()) <= 200


def test_every_local_link_leads_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def workflow():
    """The steps of the workflow for GitHub, and its shell lines."""
    found = yaml.safe_load(re.findall(r"```yaml\n(name: crossovers.*?)```", OWN, flags=re.DOTALL)[0])
    steps = found["jobs"]["compare"]["steps"]
    return steps, [line for step in steps for line in step.get("run", "").splitlines()]


def test_the_workflow_fetches_the_branch_that_it_checks_out():
    steps, lines = workflow()
    checkout = next(step for step in steps if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["fetch-depth"] == 0
    refs = [shlex.split(line)[-1] for line in lines if line.startswith("git checkout")]
    assert refs == ["origin/${{ github.base_ref }}", "${{ github.sha }}"]
    assert (ROOT / "constraints.txt").exists()


def test_the_workflow_runs_commands_that_exist():
    _, lines = workflow()
    commands = [shlex.split(line.partition(" >>")[0]) for line in lines if line.startswith("harness ")]
    assert [words[1] for words in commands] == ["run", "run", "compare"]
    for words in commands:
        told = called(words[1], "--help", env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert told.returncode == 0
        assert not [word for word in words if word.startswith("--") and word not in told.stdout]


def test_the_suite_of_the_workflow_is_valid_and_has_launches_enough_to_see_30_percent():
    _, lines = workflow()
    for line in lines:
        if not line.startswith("harness run "):
            continue
        words = shlex.split(line)[2:]
        words = words[: words.index("--output")]
        done = called("check", *words, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        launches = next(int(word.partition("=")[2]) for word in words if word.startswith("measurement.launches="))
        suite = loading.load(ROOT / words[0]).suite
        cells = len(sweep(suite).cells)
        spread = 0.05 * np.array([-1.2, -0.7, -0.2, 0.2, 0.7, 1.2])
        assert len(spread) == launches
        assert judge(spread, spread + math.log(1.3), 0.10, cells=cells)[-1] == "slower"


def test_every_named_command_exists():
    import typer

    from harness.cli import app

    known = set(typer.main.get_command(app).list_commands(None))
    named = set(re.findall(r"`harness ([a-z]+)", TEXT))
    assert named <= known


def test_files_and_commands_of_the_project_that_pages_name_exist():
    pages = "\n".join(each.read_text(encoding="utf-8") for each in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
    files = set(re.findall(r"\b(?:tests|suites|results/baseline|harness|plugins)/[\w/.-]*\w", pages))
    modules = {each.replace(".", "/") for each in re.findall(r"python -m (tests(?:\.\w+)+)", pages)}
    assert len(files) > 20
    assert len(modules) > 10
    known = {"results/baseline/SUITE"}
    assert {each for each in files - known if not (ROOT / each).exists()} == set()
    assert {each for each in modules if not (ROOT / f"{each}.py").exists() and not (ROOT / each).is_dir()} == set()
