"""Functions found once, by file, whatever else has their module's name."""

from __future__ import annotations

import json
import random
import sys

import pytest

from harness.errors import ContenderError, UserError
from harness.functions.callee import as_callee, named


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("_raced_random", "mine_of_callee"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_a_module_named_like_one_that_python_has_is_the_users_own(folder):
    (folder / "random.py").write_text("def uniform(n):\n    return 'mine'\n")
    assert named("random:uniform").load()(1) == "mine"
    assert sys.modules["random"] is random


@pytest.mark.parametrize("name", ["_old", "größer", "g" * 70])
def test_any_name_that_python_allows_is_found(folder, name):
    (folder / "mine_of_callee.py").write_text(f"def {name}(n):\n    return n\n")
    assert named(f"mine_of_callee:{name}").load()(3) == 3
    sys.modules.pop("mine_of_callee")


def test_a_file_is_named_as_a_file(folder):
    (folder / "mine_of_callee.py").write_text("def conv(n):\n    return n\n")
    assert named("mine_of_callee.py:conv").load()(3) == 3
    with pytest.raises(UserError, match=r"there is no file .*other\.py; write module:function or file\.py:function"):
        named("other.py:conv")


def test_what_was_tried_is_what_is_timed(folder):
    (folder / "mine_of_callee.py").write_text("def f(n):\n    return n\n")
    found = named("mine_of_callee:f")
    (folder / "mine_of_callee.py").write_text("def f(n):\n    return 2 * n\n")
    with pytest.raises(ContenderError, match="has changed since the functions were tried"):
        found.load()


def test_a_function_object_is_named_where_it_can_be_and_travels_with_its_code_where_not():
    assert (as_callee(json.dumps).module, as_callee(json.dumps).pickled) == ("json", "")
    assert as_callee(sorted).module == "builtins"
    assert as_callee(lambda n: 2 * n).load()(4) == 8


def test_a_method_of_a_global_generator_stays_that_of_the_generator_which_is_seeded():
    import numpy as np

    for function in (np.random.rand, random.random):  # as `setup=numpy.random.rand`
        assert as_callee(function).pickled == ""
        assert as_callee(function).load() == function


def test_a_file_named_main_is_the_users_own_and_not_the_program_that_runs(folder, monkeypatch):
    (folder / "__main__.py").write_text("def f(n):\n    return 'mine'\n")
    monkeypatch.delitem(sys.modules, "_raced___main__", raising=False)
    running = sys.modules["__main__"]
    assert named("__main__:f").load()(1) == "mine"
    assert sys.modules["__main__"] is running
    sys.modules.pop("_raced___main__")
