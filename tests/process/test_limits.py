"""The memory that children may take."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from harness.process import limits
from harness.process.child import Child, ChildFailed


def test_a_container_that_has_less_counts(tmp_path):
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert limits.free_bytes(tmp_path) == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert limits.free_bytes(tmp_path) > 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel counts it on Linux")
def test_memory_runs_out_in_a_child_before_it_does_in_the_machine():
    child = Child("tests.fixtures.odd_child", {})
    try:
        with pytest.raises(ChildFailed) as caught:
            child.ask({"do": "take", "bytes": psutil.virtual_memory().total}, stage="build", deadline=30)
        assert caught.value.failure.kind == "memory"
        most = child.ask({"do": "limits"}, stage="build", deadline=30)
        assert 2**24 < most["data"] < psutil.virtual_memory().total
        assert most["address_space"] == -1
    finally:
        child.close()


def test_what_the_suite_says_comes_first_and_a_driver_is_not_bound():
    for settings, wanted in (({"memory_limit_bytes": 2**32}, (2**32, -1)), ({"memory_unbound": True}, (-1, -1))):
        child = Child("tests.fixtures.odd_child", settings)
        try:
            most = child.ask({"do": "limits"}, stage="build", deadline=30)
        finally:
            child.close()
        assert (most["address_space"], most["data"]) == wanted


@pytest.mark.parametrize("stated", [2**40, 2**62, 2**63 - 1])
def test_a_lower_limit_of_the_shell_stays(stated):
    code = (
        "import resource, sys; from harness.process import limits\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**36, 2**36))\n"
        "limits.apply({'memory_limit_bytes': int(sys.argv[1])})\n"
        "print(resource.getrlimit(resource.RLIMIT_AS))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(stated)], capture_output=True, text=True, check=False)
    assert done.stdout == "(68719476736, 68719476736)\n", done.stderr
