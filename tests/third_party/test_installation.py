from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.third_party.environments import CHECKOUT, Environment, wheel

pytestmark = pytest.mark.timeout(600)  # processes that import torch, many of them, on a machine that may be busy
PROJECT = Path(__file__).parent / "project"
NAMES = ["teacher", "sparse", "double", "random", "student"]


@pytest.fixture(scope="module", params=["wheel", "editable"])
def environment(request, tmp_path_factory):
    """The harness and the plugin, both from wheels, or both editable."""
    folder = tmp_path_factory.mktemp(request.param)
    environment = Environment.create(folder)
    project = folder / "project"
    shutil.copytree(PROJECT, project)
    if request.param == "wheel":
        environment.install(wheel(CHECKOUT, folder / "harness"), wheel(project, folder / "plugin"))
    else:
        environment.install("-e", str(CHECKOUT), "-e", str(project))
    return environment


def test_the_plugin_is_listed_with_its_origin(environment):
    told = environment.run("harness", "plugins")
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


def test_its_command_is_listed_and_its_help_is_its_own(environment):
    listed = " ".join(environment.run("harness", "--help").replace("│", " ").split())
    assert "race-random A plugin for crossover-harness: one projector, one runtime, one trainer, one source" in listed
    assert "Time the random map beside the teacher at one N." in environment.run("harness", "race-random", "--help")


def test_its_options_are_shown(environment):
    told = environment.run("harness", "plugins", "show", "sparse")
    assert "Routes each query over the k nearest heads only." in told
    assert ["k", "integer", "4"] in [line.split() for line in told.splitlines()]


def test_it_keeps_the_rules_by_its_own_tests(environment):
    if environment.folder.name.startswith("editable"):
        pytest.skip("its rules do not depend on how it was installed")
    told = environment.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(environment.folder / "project")
    )
    assert "5 passed" in told


def test_it_races_against_the_built_ins(environment):
    names = ["teacher", "random"] if environment.folder.name.startswith("editable") else NAMES
    only = [word for name in names for word in ("--only", name)]
    folder = environment.folder / "run"
    environment.run(
        "harness", "run", str(environment.folder / "project" / "suite.yaml"), "--output", str(folder), *only
    )
    records = [json.loads(line) for line in (folder / "measurements.jsonl").read_text().splitlines()]
    assert {record["outcome"] for record in records} == {"measured"}
    cells = {(record["contender"], record["heads"]) for record in records if record["purpose"] == "table"}
    assert cells == {(name, heads) for name in names for heads in (4, 64)}
    run = json.loads((folder / "run.json").read_text())
    assert run["versions"]["harness-random"] == "0.3.0"
    assert run["offers"]["projector random"]["version"] == "0.3.0"


def test_a_new_plugin_takes_four_commands(environment):
    if not environment.folder.name.startswith("editable"):
        pytest.skip("the project does not depend on how the harness was installed")
    told = environment.run("harness", "plugins", "new", "low-rank", "--kind", "projector", "low-rank")
    assert "harness run low-rank/suite.yaml" in told
    environment.install("-e", str(environment.folder / "low-rank"))
    assert "1 passed" in environment.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "low-rank")
    settings = ["--set", "heads.points=1", "--set", "heads.to=4", "--set", "search.budget_samples=60"]
    told = environment.run("harness", "run", "low-rank/suite.yaml", "--output", "measured", *settings)
    assert "against-the-teacher" in told
