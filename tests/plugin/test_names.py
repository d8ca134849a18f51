"""The core names no plugin: what it does with a suite, it learns from what plugins declare."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.plugin.manager import BUILT_IN, Catalog

CORE = Path(__file__).parents[2] / "harness"
ELSEWHERE = {"python", "onnx", "resampled", "synthetic"}  # a language, a format of files, kinds of provenance
MAY = {
    "harness/plugin/built_in.py": "the built-in plugins",
    "harness/causes.py": "libraries that warn, whose names some runtimes share",
}


def words(source: str) -> set[str]:
    """The strings of a module that are not docstrings."""
    tree = ast.parse(source)
    prose = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    return {
        each.value
        for each in ast.walk(tree)
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in prose
    }


def named(texts: set[str], names: set[str]) -> set[str]:
    """Those that are an offer's name, or name the package of the built-ins."""
    return {each for each in texts if each in names or "harness_plugins" in each}


@pytest.fixture(scope="module")
def names():
    """Of every offer of the built-in plugins, and of their modules."""
    return {each.name for each in Catalog.load([]).offers} | set(BUILT_IN)


def test_no_module_of_the_core_names_an_offer_of_a_built_in_plugin(names):
    assert {"lda", "transformer", "onnxruntime", "distillation", "playbook"} < names
    found = {
        str(path.relative_to(CORE.parent)): sorted(known)
        for path in CORE.rglob("*.py")
        if (known := named(words(path.read_text(encoding="utf-8")), names - ELSEWHERE))
    }
    assert {path: found[path] for path in found.keys() - MAY.keys()} == {}
    assert MAY.keys() - found.keys() == set()  # no exception that is not needed


def test_a_name_in_code_is_seen_and_one_in_a_docstring_is_not():
    assert words('"""lda"""\nteacher = "lda"') == {"lda"}
    assert words('def f():\n    """lda"""') == set()
