"""Which commit brought a new level: a project of eight commits, of which one moves N* and one does not run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import UserError
from harness.plan.sweep import sweep
from harness.records.crossovers import dump
from harness.records.writer import LOCATED, Store
from tests.synthetic import Maker, linear

SUITE = {
    "name": "tiny",
    "source": {"use": "playbook"},
    "heads": {"values": [16]},
    "batch_sizes": [1],
    "contenders": {
        "loop": {"projector": "lda-loop", "runtime": "python"},
        "teacher": {"projector": "lda", "runtime": "python"},
    },
    "races": [{"name": "race", "baseline": "loop", "challenger": "teacher", "heads": {"from": 1, "to": 1000}}],
}
# Copies the run that belongs to the level in a file of the project.
MEASURE = """
import pathlib, shutil, sys
level = pathlib.Path("level.txt").read_text().strip()
if level == "broken":
    sys.exit("it does not build")
shutil.copytree(pathlib.Path({runs!r}) / level, sys.argv[1])
"""
LEVELS = ["slow", "slow", "slow", "slow", "broken", "slow", "fast", "fast"]
GIT = {
    "GIT_AUTHOR_NAME": "An Author", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "An Author",
    "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_DATE": "2026-01-02T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-02T00:00:00Z",
}  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path


def made(folder: Path, fixed: float, seed: int, **info) -> None:
    maker = Maker(SUITE, {"loop": linear(5, 1), "teacher": linear(fixed, 0.5)}, seed=seed)
    for case in sweep(maker.suite).cases:
        maker.search(case)
    with Store.create(folder, maker.evidence(folder, **info).run) as store:
        store.append(*maker.measurements)
        store.write(LOCATED, dump(maker.located))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project's folder, its commits, and a folder with runs of its first and last ones."""
    place = tmp_path_factory.mktemp("find")
    root, runs = place / "project", place / "runs"
    root.mkdir()
    made(runs / "slow", 105, 0)
    made(runs / "fast", 55, 1)
    environment = {**os.environ, **GIT}

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=root, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q", "-b", "main")
    (root / "measure.py").write_text(MEASURE.format(runs=str(runs)))
    commits = []
    for number, level in enumerate(LEVELS):
        (root / "level.txt").write_text(f"{level}\n")
        (root / "number.txt").write_text(f"{number}\n")
        git("add", ".")
        git("commit", "-q", "-m", f"change {number}")
        commits.append(git("rev-parse", "HEAD"))
    git("checkout", "-q", "-b", "side", commits[3])
    for level in ("broken", "fast"):
        (root / "level.txt").write_text(f"{level}\n")
        git("commit", "-q", "-a", "-m", f"{level} on the side")
    git("checkout", "-q", "main")
    for number, at in enumerate((0, 1, 2, 7)):
        info = {"commit": commits[at][:12], "started": f"2026-01-0{number + 1}T00:00:00+00:00"}
        made(place / "results" / f"run-{number}", 55 if LEVELS[at] == "fast" else 105, 10 + number, **info)
    return root, commits, sorted((place / "results").iterdir())


def asked(root, runs, *arguments, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner().invoke(app, ["history", *map(str, runs), *arguments], catch_exceptions=False)


COMMAND = f"{sys.executable} measure.py {{output}}"


def test_the_commit_that_brought_a_new_level_is_found_and_one_that_fails_is_passed_over(project, monkeypatch):
    root, commits, runs = project
    done = asked(root, runs, "--race", "race", "--find", COMMAND, monkeypatch=monkeypatch)
    assert done.exit_code == 0, done.output
    assert f"{commits[6][:7]} change 6 (An Author, 2026-01-02) changed it from " in done.stdout
    assert f"{commits[4][:12]}: skipped, the command exited with code 1: it does not build" in done.output
    tried = [each for each in done.output.splitlines() if each[:12] in {one[:12] for one in commits}]
    assert len(tried) <= 4  # of six commits in between
    assert subprocess.run(
        ["git", "worktree", "list"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.count("\n") == 1  # fmt: skip


def test_commits_can_be_named_without_any_run(project, monkeypatch):
    root, commits, _ = project
    arguments = ("--race", "race", "--find", COMMAND, "--between", f"{commits[3]}..HEAD")
    done = asked(root, [], *arguments, monkeypatch=monkeypatch)
    assert done.exit_code == 0, done.output
    assert f"{commits[6][:7]} change 6" in done.stdout


def test_where_a_commit_fails_beside_it_the_range_is_told(project, monkeypatch):
    root, commits, _ = project
    done = asked(
        root, [], "--race", "race", "--find", COMMAND, "--between", f"{commits[3]}..side", monkeypatch=monkeypatch
    )
    assert done.exit_code == 1
    assert "one of 2 commits up to " in done.stdout
    assert "fast on the side (An Author, 2026-01-02) changed it from " in done.stdout
    assert "the command fails at 1 commit before it" in done.stdout


def test_ends_that_do_not_differ_and_ends_that_fail_are_told(project, monkeypatch):
    root, commits, _ = project
    done = asked(
        root,
        [],
        "--race",
        "race",
        "--find",
        COMMAND,
        "--between",
        f"{commits[0]}..{commits[2]}",
        monkeypatch=monkeypatch,
    )
    assert done.exit_code == 1
    assert "the two ends do not differ: " in done.stdout
    with pytest.raises(UserError, match="the command fails at an end of the range; name others with --between"):
        asked(
            root, [], "--race", "race", "--find", COMMAND, "--between", f"{commits[0]}..{commits[4]}",
            monkeypatch=monkeypatch,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--find", "harness run x.yaml"), "the command has no {output}"),
        (("--race", "nosuch", "--find", COMMAND), "no quantity changed level, of none"),
        (("--between", "a..b"), "--between needs --find"),
        (("--find", COMMAND, "--between", "main"), "--between 'main' is not a range; write OLD..NEW"),
        (("--find", COMMAND, "--between", "HEAD..HEAD~1"), "HEAD~1 does not come after HEAD"),
        (("--find", COMMAND, "--between", "nosuch..HEAD"), "git rev-parse: "),
    ],
)
def test_what_cannot_be_searched_is_told(project, monkeypatch, arguments, sentence):
    root, _, runs = project
    with pytest.raises(UserError) as caught:
        asked(root, runs, *arguments, monkeypatch=monkeypatch)
    assert sentence in str(caught.value)


def test_history_is_of_a_suite_and_a_race(project, monkeypatch):
    root, commits, runs = project
    done = asked(root, runs, "--suite", "tiny", "--race", "race", monkeypatch=monkeypatch)
    assert done.stdout.startswith("tiny: N* of race at batch 1\n")
    assert f"commit: {commits[2][:12]} -> {commits[7][:12]}" in done.stdout  # beside the new level
    with pytest.raises(UserError, match="no run of the suite 'other'; choose from tiny"):
        asked(root, runs, "--suite", "other", monkeypatch=monkeypatch)
