"""A suite runs the Python files in its own folder, and others only where its user allows them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.errors import SuiteError
from harness.suite import loading, trust
from tests.command_line import called

SUITE = """
name: sent
plugins: [{name}]
source: {{use: playbook}}
heads: {{values: [4]}}
batch_sizes: [1]
contenders:
  one: {{projector: lda, runtime: python}}
"""


@pytest.fixture
def sent(tmp_path, monkeypatch):
    monkeypatch.delenv(trust.ALLOWED_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "suites").mkdir()
    for place in ("outside.py", "suites/inside.py"):
        (tmp_path / place).write_text(f"open({str(tmp_path / 'executed')!r}, 'w').close()")
    (tmp_path / "suites" / "link.py").symlink_to(tmp_path / "outside.py")

    def write(name):
        path = tmp_path / "suites" / "sent.yaml"
        path.write_text(SUITE.format(name=name))
        return path

    return write


def collected(suite, folder):
    """What pytest says of a suite, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", str(suite)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize(
    ("name", "way"),
    [("../outside.py", "check"), ("{folder}/outside.py", "check"), ("link.py", "check"), ("link.py", "pytest")],
)
def test_a_file_outside_of_the_suites_folder_is_not_run(sent, tmp_path, name, way):
    suite = sent(name.format(folder=tmp_path))
    done = called("check", suite, cwd=tmp_path) if way == "check" else collected(suite, tmp_path)
    assert done.returncode != 0
    told = " ".join((done.stdout + done.stderr).split())
    assert "lies outside of the suite's folder, and it would be run; read it, then allow it with --allow-plugin" in told
    assert not (tmp_path / "executed").exists()


def test_check_says_what_it_runs(sent, tmp_path):
    done = called("check", sent("./inside.py"))
    assert done.returncode == 0, done.stderr
    assert f"running {tmp_path / 'suites' / 'inside.py'}, which the suite names" in done.stderr
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("way", ["argument", "folder", "variable", "list"])
def test_what_is_allowed_is_accepted(sent, tmp_path, monkeypatch, way):
    suite, allowed = sent("../outside.py"), []
    if way in ("argument", "folder"):
        allowed = [tmp_path / "outside.py" if way == "argument" else tmp_path]
    elif way == "variable":
        monkeypatch.setenv(trust.ALLOWED_VARIABLE, os.pathsep.join(["/nowhere", str(tmp_path / "outside.py")]))
    else:
        trust.listed().parent.mkdir(parents=True)
        trust.listed().write_text(f"# mine\n{tmp_path / 'outside.py'}\n")
    assert loading.load(suite, allowed=allowed).suite.plugins == ("../outside.py",)


def test_the_line_is_named(sent):
    with pytest.raises(SuiteError, match=r"sent.yaml:3: plugins\[0\]: '../outside.py' lies outside"):
        loading.load(sent("../outside.py"))


FUNCTIONS = """
name: sent
{more}
sizes: {{values: [4]}}
contenders:
  one: {{function: "{one}"}}
  two: {{function: "inside:f", setup: "inside.py:f"}}
"""


@pytest.mark.parametrize(
    ("one", "more", "place"),
    [
        ("../outside.py:f", "", "contenders.one.function"),
        ("{folder}/outside.py:f", "", "contenders.one.function"),
        ("link.py:f", "", "contenders.one.function"),
        ("link:f", "", "contenders.one.function"),
        ("inside:f", "setup: ../outside.py:f", "setup"),
        ("inside:f", "equal: link:f", "equal"),
    ],
)
def test_a_function_of_a_file_outside_of_the_suites_folder_is_not_called(sent, tmp_path, one, more, place):
    suite = sent("./inside.py")
    suite.write_text(FUNCTIONS.format(one=one.format(folder=tmp_path), more=more))
    with pytest.raises(SuiteError, match=rf"{place}: '.*' lies outside of the suite's folder, and it would be run"):
        loading.load(suite)
    assert loading.load(suite, allowed=[tmp_path / "outside.py"]).suite.name == "sent"


def test_a_name_that_is_none_of_a_module_leads_to_no_file(sent, tmp_path):
    suite = sent("./inside.py")
    for one in ("../outside:f", f"{tmp_path}/outside:f", ".:f", "x" * 300 + ".py:f", "loop.py:f", "math:sqrt"):
        (tmp_path / "suites" / "loop.py").unlink(missing_ok=True)
        (tmp_path / "suites" / "loop.py").symlink_to("loop.py")
        suite.write_text(FUNCTIONS.format(one=one, more=""))
        assert loading.load(suite).runs == (one, str(tmp_path / "suites" / "inside.py"))


@pytest.mark.parametrize("one", ["os:kill", "posix:kill", "shutil:rmtree", "tempfile:_os.kill", "glob:os.kill"])
@pytest.mark.parametrize("place", ["contenders.one.function", "setup", "equal"])
def test_what_does_things_to_processes_and_files_is_no_function_of_a_suite(sent, one, place):
    suite = sent("./inside.py")
    more = "" if "." in place else f"{place}: {one}"
    suite.write_text(FUNCTIONS.format(one="inside:f" if more else one, more=more))
    with pytest.raises(SuiteError, match=rf"{place}: '{one}' is not a function that a suite may name; call it in"):
        loading.load(suite)


@pytest.mark.parametrize(
    "one", ["math:sqrt", "builtins:sorted", "os.path:join", "collections:Counter.fromkeys", "numpy.linalg:norm"]
)
def test_functions_of_other_modules_are(sent, one):
    suite = sent("./inside.py")
    suite.write_text(FUNCTIONS.format(one=one, more=""))
    assert loading.load(suite).runs[0] == one
