"""The commit of a checkout is read, and nothing that the checkout names is run."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace

import pytest

from harness.records.checkout import commit
from harness.records.project import describe
from harness.report.pytest_benchmark import _commit


@pytest.fixture
def checkout(tmp_path):
    place = tmp_path / "checkout"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    (place / "file").write_text("one\n")
    (place / "below").mkdir()
    git(place, "add", "file")
    git(place, "commit", "-q", "-m", "first")
    return place


def git(place, *arguments):
    names = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(place), *arguments], capture_output=True, text=True, check=True, env={**clean, **names}
    )
    return done.stdout.strip()


def test_a_clean_checkout_and_a_changed_one(checkout):
    head = git(checkout, "rev-parse", "HEAD")[:12]
    assert commit(checkout) == commit(checkout / "below") == head
    (checkout / "untracked").write_text("x")
    assert commit(checkout) == head
    (checkout / "file").write_text("two\n")
    assert commit(checkout) == f"{head}-dirty"
    assert git(checkout, "diff", "--name-only") == "file"  # its own index is as it was


def test_packed_references_worktrees_and_detached_heads(checkout, tmp_path):
    head = git(checkout, "rev-parse", "HEAD")[:12]
    git(checkout, "pack-refs", "--all")
    assert commit(checkout) == head
    git(checkout, "worktree", "add", "-q", str(tmp_path / "other"))
    assert commit(tmp_path / "other") == head
    (tmp_path / "other" / "file").write_text("two\n")
    assert commit(tmp_path / "other") == f"{head}-dirty"
    git(checkout, "checkout", "-q", "--detach")
    assert commit(checkout) == head


def test_nothing_that_its_configuration_names_is_run(checkout, tmp_path):
    head, trap = git(checkout, "rev-parse", "HEAD")[:12], f"touch {tmp_path / 'executed'}; cat"
    (checkout / ".gitattributes").write_text("* filter=trap diff=trap\n")
    with (checkout / ".git" / "config").open("a") as file:
        file.write(f'[core]\n\tfsmonitor = "{trap}"\n\tsshCommand = "{trap}"\n')
        file.write(f'[filter "trap"]\n\tclean = "{trap}"\n\tprocess = "{trap}"\n[diff "trap"]\n\ttextconv = "{trap}"\n')
    os.utime(checkout / "file", (0, 0))  # so that its content is looked at
    assert commit(checkout) == head
    (checkout / "file").write_text("two\n")
    assert commit(checkout) == f"{head}-dirty"
    assert not (tmp_path / "executed").exists()


def test_variables_of_a_hook_do_not_count(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(checkout / ".git"))
    (tmp_path / "elsewhere").mkdir()
    assert commit(tmp_path / "elsewhere") is None


def test_what_git_cannot_tell_is_unknown(checkout):
    head = git(checkout, "rev-parse", "HEAD")[:12]
    (checkout / ".git" / "index").write_bytes(b"no index")
    assert commit(checkout) == f"{head}-unknown"
    for suffix, dirty in (("-unknown", None), ("-dirty", True), ("", False)):
        assert _commit(SimpleNamespace(run=SimpleNamespace(commit=head + suffix, project={})))["dirty"] is dirty


@pytest.mark.parametrize("head", ["ref: ../../secret", "ref: refs/../../secret", "ref: refs/heads/none", "", "x" * 50])
def test_a_head_that_names_no_commit(checkout, head):
    (checkout.parent / "secret").write_text("0" * 40)
    (checkout / ".git" / "HEAD").write_text(head)
    assert commit(checkout) is None


@pytest.mark.parametrize("name", ["config", "index", "HEAD", "packed-refs"])
@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_nothing_without_an_end_is_waited_for(checkout, name, kind):
    git(checkout, "pack-refs", "--all")
    path = checkout / ".git" / name
    path.unlink()
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    found = commit(checkout)
    assert (found is None) == (name in ("HEAD", "packed-refs"))
    assert found is None or found.endswith("-unknown") == (name == "index")
    assert describe(checkout / "suite.yaml")["name"] == "checkout"
