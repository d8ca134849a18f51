"""Children of tests start warm: that nothing slows all of them down unseen."""

from __future__ import annotations

import importlib.util
import os
import sys

import pytest

from harness.process import allocator
from harness.process.child import environment
from tests import warm


@pytest.mark.parametrize("state", [{}, allocator.THRESHOLDS, allocator.OTHER, allocator.variables({})], ids=str)
@pytest.mark.parametrize("module", ["harness.measure.worker", "harness.functions.trial_child"])
def test_a_child_of_any_kind_may_start_warm(module, state):
    command = [sys.executable, "-P", "-m", module, "3"]
    assert warm._wanted(command, {**os.environ, **environment(2), **state}) is not None


def test_other_interpreters_and_other_settings_of_libraries_may_not():
    assert warm._wanted(["/usr/bin/python3", "-m", "harness"], None) is None
    assert warm._wanted([sys.executable, "-m", "harness"], {**os.environ, "PYTHONOPTIMIZE": "2"}) is None
    assert warm._wanted([sys.executable, "-m", "harness"], {**os.environ, "MALLOC_ARENA_MAX": "1"}) is None


def test_what_a_warm_process_imports_is_there():
    assert [name for name in warm.IMPORTED if importlib.util.find_spec(name) is None] == []


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked by a system call of Linux")
def test_a_warm_process_has_what_it_was_asked_to_have(tmp_path):
    code = "import os, sys; print(os.getcwd(), sys.argv[1:], os.environ['ITS_OWN'], 'torch' in sys.modules)"
    environment = {**os.environ, "ITS_OWN": "7", "HARNESS_LAUNCH": "a mark"}
    wait = f"{code}; print(open('/proc/self/environ').read().count('HARNESS_LAUNCH=a mark '))"
    done = warm.ran([sys.executable, "-P", "-c", wait, "one"], cwd=tmp_path, env=environment)
    assert done.stdout.split("\n")[:2] == [f"{tmp_path} ['one'] 7 True", "1"], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked by a system call of Linux")
def test_the_children_of_a_warm_process_start_warm():
    told = "import sys; print('torch' in sys.modules)"
    code = f"import sys; print(sys.modules['tests.warm'].ran([sys.executable, '-c', {told!r}]).stdout)"
    assert warm.ran([sys.executable, "-c", code]).stdout.split() == ["True"]
