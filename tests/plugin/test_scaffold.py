from __future__ import annotations

import importlib.util
import sys
import tomllib

import pytest

from harness import testing
from harness.errors import UserError
from harness.plan.check import check_suite
from harness.plugin import scaffold
from harness.plugin.manager import BUILT_IN, Catalog
from harness.suite.loading import load


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_a_new_project_keeps_the_rules_and_its_suite_is_valid(kind, tmp_path, monkeypatch, answered_here):
    folder = tmp_path / "project"
    files = scaffold.write("my-own", kind, folder)
    module = folder / "harness_my_own.py"
    assert module in files
    (offered,) = (each for each in Catalog.load([module], without=BUILT_IN).offers)
    assert (offered.kind, offered.name) == (kind, "my-own")
    getattr(testing, f"check_{kind}")(offered.offer)
    if kind == "embedder":  # it is used by a command, and has no suite
        assert (folder / "questions.csv").read_text().startswith("question,topic,answer\n")
        assert "--embedder my-own --output heads.npz" in scaffold.next_steps(folder, "my-own", kind)
        return
    suite = folder / "suite.yaml"
    suite.write_text(suite.read_text() + f"plugins: [./{module.name}]\n")
    checked = check_suite(load(suite))
    assert checked.sweep.cells
    assert checked.broken == {}


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_its_own_test_is_the_conformance_check(kind, tmp_path, monkeypatch):
    folder = tmp_path / kind
    scaffold.write(f"own-{kind}", kind, folder)
    monkeypatch.syspath_prepend(str(folder))
    name = f"test_harness_own_{kind}"
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.test_it_keeps_the_rules()
    sys.modules.pop(f"harness_own_{kind}")


def test_the_project_declares_its_entry_point(tmp_path):
    scaffold.write("my-own", "projector", tmp_path / "p")
    project = tomllib.loads((tmp_path / "p" / "pyproject.toml").read_text())["project"]
    assert project["name"] == "harness-my-own"
    assert project["entry-points"]["crossover_harness"] == {"my-own": "harness_my_own"}


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        (
            "My Own",
            "projector",
            "'My Own' cannot name a plugin; use lower-case letters, digits and hyphens, starting with a letter",
        ),
        (
            "mine",
            "projection",
            "'projection' is not a kind of component; choose from projector, runtime, trainer, source, workload, embedder",
        ),
        ("json", "projector", "'json' is taken by Python or by the harness; choose another name"),
        ("lda", "projector", "there is a projector 'lda' already, and the first keeps its name; choose another name"),
    ],
)
def test_names_that_cannot_be_used_are_told(name, kind, sentence, tmp_path):
    with pytest.raises(UserError) as caught:
        scaffold.write(name, kind, tmp_path / "p", taken=["lda"])
    assert str(caught.value) == sentence
    assert not (tmp_path / "p").exists()


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty; name a new folder"):
        scaffold.write("mine", "projector", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
