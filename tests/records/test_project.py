"""The project of a suite: its root as pytest finds it, and its name, branch and commit as pytest-benchmark writes them."""

from __future__ import annotations

import os
import subprocess

import pytest

from harness.records.project import describe, rootdir

GIT = {
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+00:00",
    "GIT_AUTHOR_DATE": "2026-01-01T03:04:05+00:00",
}  # fmt: skip


@pytest.fixture
def suite(tmp_path):
    """A suite two folders below the root of a project."""
    folder = tmp_path / "project" / "bench" / "suites"
    folder.mkdir(parents=True)
    (folder / "tiny.yaml").write_text("")
    return folder / "tiny.yaml"


@pytest.mark.parametrize(
    ("files", "root"),
    [
        ({"pytest.ini": ""}, "."),
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "."),
        ({"tox.ini": "[pytest]\n", "bench/tox.ini": "[tox]\n"}, "."),
        ({"setup.cfg": "[tool:pytest]\n", "bench/setup.py": ""}, "."),
        ({"pytest.ini": "", "bench/pyproject.toml": "[project]\n"}, "."),
        ({"setup.py": "", "bench/pyproject.toml": "[project]\n"}, "bench"),
        ({"bench/pytest.ini": "", "pytest.ini": ""}, "bench"),
    ],
)
def test_the_root_is_the_one_that_pytest_finds(suite, files, root, monkeypatch):
    from _pytest.config.findpaths import determine_setup

    project = suite.parents[2]
    for name, text in files.items():
        (project / name).write_text(text)
    assert rootdir(suite.parent) == (project / root).resolve()
    theirs = determine_setup(
        inifile=None, override_ini=None, args=[str(suite)], rootdir_cmd_arg=None, invocation_dir=project
    )[0]
    assert rootdir(suite.parent) == theirs
    assert describe(suite)["suite"] == suite.relative_to(theirs).as_posix()


def test_without_a_configuration_it_is_the_top_of_the_checkout_and_without_one_the_present_folder(suite, monkeypatch):
    project = suite.parents[2]
    monkeypatch.chdir(project)
    assert rootdir(suite.parent) == project
    monkeypatch.chdir("/")
    subprocess.run(["git", "init", "-q", str(project / "bench")], check=True, env={**os.environ, **GIT})
    assert rootdir(suite.parent) == project / "bench"


def test_name_branch_and_commit_are_those_of_the_repository(suite):
    project = suite.parents[2]

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=project, check=True, capture_output=True, text=True, env={**os.environ, **GIT}
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "work/in-progress")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert describe(suite) == {
        "suite": "bench/suites/tiny.yaml", "name": "project", "branch": "work/in-progress",
        "id": git("rev-parse", "HEAD"), "time": "2026-01-02T03:04:05+00:00", "author_time": "2026-01-01T03:04:05+00:00",
    }  # fmt: skip
    git("remote", "add", "origin", "git@example.com:us/their-project.git")
    git("checkout", "-q", "--detach")
    assert describe(suite)["name"] == "their-project"
    assert describe(suite)["branch"] == "(detached head)"


def test_what_no_project_holds_is_passed_over(suite):
    project = suite.parents[2]
    (project / "bench" / "pyproject.toml").write_text(f"a = {'[' * 5000}")
    os.mkfifo(project / "pytest.ini")
    os.mkfifo(project / "bench" / "tox.ini")
    assert rootdir(suite.parent) == project / "bench"
