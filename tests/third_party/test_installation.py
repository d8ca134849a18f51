from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.third_party.environments import CHECKOUT, Environment, wheel

pytestmark = pytest.mark.timeout(600)  # processes that import torch, many of them, on a machine that may be busy
PROJECT = Path(__file__).parent / "project"
NAMES = {"teacher", "sparse", "double", "random", "student"}
BRIEFLY = ["--set", "measurement.limits=false"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The harness and the plugin, both from wheels."""
    environment, project = made(tmp_path_factory.mktemp("wheel"))
    environment.install(wheel(CHECKOUT, environment.folder / "harness"), wheel(project, environment.folder / "plugin"))
    return environment


@pytest.fixture(scope="module")
def editable(tmp_path_factory):
    """Both editable."""
    environment, project = made(tmp_path_factory.mktemp("editable"))
    environment.install("-e", str(CHECKOUT), "-e", str(project))
    return environment


def made(folder: Path) -> tuple[Environment, Path]:
    """An environment, and the stranger's project in its folder."""
    shutil.copytree(PROJECT, folder / "project")
    return Environment.create(folder), folder / "project"


@pytest.mark.parametrize("how", ["installed", "editable"])
def test_the_plugin_is_listed_with_its_origin(how, request):
    told = request.getfixturevalue(how).run("harness", "plugins")
    for kind, name, module in [
        ("projector", "random", "random = harness_random"),
        ("projector", "sparse", "sparse = harness_sparse"),
        ("runtime", "double", "sparse = harness_sparse"),
        ("trainer", "sgd", "sparse = harness_sparse"),
        ("source", "circle", "sparse = harness_sparse"),
        ("workload", "count", "sparse = harness_sparse"),
    ]:
        (line,) = (line.split() for line in told.splitlines() if line.split()[:2] == [kind, name])
        assert f"harness-random 0.3.0 ({module})" in " ".join(line)
    assert "failed:" not in told


def test_its_command_is_listed_and_its_help_is_its_own(installed):
    listed = " ".join(installed.run("harness", "--help").replace("│", " ").split())
    assert "race-random A plugin for crossover-harness: one projector, one runtime, one trainer, one source" in listed
    assert "Time the random map beside the teacher at one N." in installed.run("harness", "race-random", "--help")


def test_its_options_are_shown(installed):
    told = installed.run("harness", "plugins", "show", "sparse")
    assert "Routes each query over the k nearest heads only." in told
    assert ["k", "integer", "4"] in [line.split() for line in told.splitlines()]


def test_it_keeps_the_rules_by_its_own_tests(installed):
    assert "5 passed" in by_pytest(installed, "project")


def test_it_races_against_the_built_ins(installed):
    folder = installed.folder / "run"
    installed.run("harness", "run", "project/suite.yaml", "--output", str(folder), *BRIEFLY)
    records = [json.loads(line) for line in (folder / "measurements.jsonl").read_text().splitlines()]
    assert {record["outcome"] for record in records} == {"measured"}
    cells = {(record["contender"], record["heads"]) for record in records if record["purpose"] == "table"}
    assert cells == {(name, heads) for name in NAMES for heads in (4, 64)}
    run = json.loads((folder / "run.json").read_text())
    assert run["versions"]["harness-random"] == "0.3.0"
    assert run["offers"]["projector random"]["version"] == "0.3.0"


def test_a_new_plugin_takes_four_commands(editable):
    told = editable.run("harness", "plugins", "new", "low-rank", "--kind", "projector", "low-rank")
    assert "harness run low-rank/suite.yaml" in told
    editable.install("-e", str(editable.folder / "low-rank"))
    assert "1 passed" in by_pytest(editable, "low-rank")
    settings = [*BRIEFLY, "--set", "heads.points=1", "--set", "heads.to=4", "--set", "search.budget_samples=60"]
    told = editable.run("harness", "run", "low-rank/suite.yaml", "--output", "measured", *settings)
    assert "against-the-teacher" in told
    records = (editable.folder / "measured" / "measurements.jsonl").read_text().splitlines()
    assert {json.loads(line)["outcome"] for line in records} == {"measured"}


def by_pytest(environment: Environment, project: str) -> str:
    """What pytest says of a project in an environment."""
    return environment.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", project)
