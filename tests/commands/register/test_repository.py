"""A register in a git repository: a commit on a branch, and nothing that the repository names is run."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from harness.commands.register import repository
from harness.commands.register.checking import verified
from harness.commands.register.entry import name_of, names
from harness.commands.register.submitting import submit
from harness.errors import RecordsError, ResourceError, UserError
from tests.commands.register.conftest import copied

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *command):
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def bare(tmp_path):
    folder = tmp_path / "register.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
    return folder


def trap(folder, log):
    """Everything by which a repository can have something run: hooks, filters, attributes, programs of its configuration."""
    for name in (
        "pre-commit",
        "post-commit",
        "reference-transaction",
        "pre-receive",
        "update",
        "post-receive",
        "pre-push",
    ):
        hook = folder / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {log}\n")
        hook.chmod(0o755)
    for name in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process", "core.sshCommand", "gpg.program",
                 "core.editor", "credential.helper", "core.alternateRefsCommand"):  # fmt: skip
        git(folder, "config", name, f"echo {name} >> {log}")
    git(folder, "config", "commit.gpgSign", "true")
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info" / "attributes").write_text("* filter=evil\n")


def test_runs_are_committed_one_after_the_other_to_an_empty_repository(bare, made_run, other_run, tmp_path):
    for each in (made_run, other_run):
        assert submit(each, f"git+{bare}").added
    assert not submit(made_run, f"git+{bare}").added
    git(tmp_path, "clone", "--quiet", str(bare), "clone")
    assert [each.accepted for each in verified(tmp_path / "clone")] == [True, True]
    assert git(bare, "log", "--format=%s", "main").splitlines() == [
        f"Add {name_of(other_run)}",
        f"Add {name_of(made_run)}",
    ]
    git(bare, "fsck", "--strict")


def test_what_is_there_stays_and_packed_branches_are_read(bare, made_run, tmp_path):
    git(tmp_path, "clone", "--quiet", str(bare), "clone")
    (tmp_path / "clone" / "README.md").write_text("Our machines\n")
    git(tmp_path / "clone", "checkout", "--quiet", "-b", "main")
    git(tmp_path / "clone", "add", "README.md")
    git(tmp_path / "clone", "commit", "--quiet", "-m", "begin")
    git(tmp_path / "clone", "push", "--quiet", "origin", "main")
    git(bare, "gc", "--quiet")
    git(bare, "pack-refs", "--all")
    submit(made_run, f"git+{bare}#main")
    assert git(bare, "show", "main:README.md") == "Our machines\n"
    assert len(git(bare, "log", "--format=%h", "main").split()) == 2


def test_nothing_that_the_repository_names_is_run(bare, made_run, other_run, tmp_path):
    log = tmp_path / "log"
    submit(made_run, f"git+{bare}")
    trap(bare, log)
    log.unlink(missing_ok=True)
    submit(other_run, f"git+{bare}")
    assert not log.exists()
    stored = git(bare, "-c", "core.hooksPath=/dev/null", "show", f"main:{name_of(other_run)}/measurements.jsonl")
    assert stored.encode() == (other_run / "measurements.jsonl").read_bytes()


def test_a_branch_that_is_checked_out_is_not_moved(made_run, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(clone))
    with pytest.raises(UserError, match="branch main is checked out there; name another branch with git"):
        submit(made_run, f"git+{clone}")
    added = submit(made_run, f"git+{clone}#runs/ours")
    assert added.place.startswith(f"{clone}, branch runs/ours, commit ")
    assert names(clone) == [".git"]
    assert name_of(made_run) in git(clone, "ls-tree", "--name-only", "runs/ours")


def test_a_branch_that_moved_meanwhile_or_is_locked_is_left(bare, made_run, tmp_path):
    submit(made_run, f"git+{bare}")
    head = git(bare, "rev-parse", "main").strip()
    with pytest.raises(ResourceError, match="the branch has moved in the meantime"):
        repository._move(bare, "main", "0" * 40, head)
    lock = bare / "refs" / "heads" / "main.lock"
    assert not lock.exists()
    lock.write_text("")
    with pytest.raises(ResourceError, match="another process is moving the branch"):
        repository._move(bare, "main", head, head)


def test_links_and_other_files_of_a_hostile_repository_stay_in_it(bare, made_run, other_run, tmp_path):
    """A tree that holds links, and paths that a checkout would write elsewhere, is read only where it holds entries."""
    name = name_of(made_run)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(bare), str(clone))
    git(clone, "checkout", "--quiet", "-b", "main")
    (clone / name).mkdir()
    (clone / name / "run.json").symlink_to("/etc/passwd")
    (clone / ".gitattributes").write_text("* text eol=crlf\n")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "hostile")
    git(clone, "push", "--quiet", "origin", "main")
    submit(other_run, f"git+{bare}")
    stored = git(bare, "show", f"main:{name_of(other_run)}/run.json")
    assert stored.encode() == (other_run / "run.json").read_bytes()


def test_a_remote_is_fetched_and_pushed_to(bare, made_run, other_run, tmp_path, monkeypatch):
    monkeypatch.setattr(repository, "_REMOTE", repository.re.compile(r"file://\S+"))  # in place of a server
    monkeypatch.setattr(repository, "_PROTOCOLS", "file")
    with pytest.raises(UserError, match="its HEAD names no branch with commits; name one: git"):
        submit(made_run, f"git+file://{bare}")
    for each in (made_run, other_run):
        assert submit(each, f"git+file://{bare}#main").added
    assert len(git(bare, "log", "--format=%h", "main").split()) == 2
    assert not submit(made_run, f"git+file://{bare}").added


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("git+ext::sh -c whoami", "there is no git repository here"),
        ("git+ext://sh", "is not the address of a repository"),
        ("git+http://example.org/x.git", "is not the address of a repository"),
        ("git+ssh://-oProxyCommand=whoami/x", "is not the address of a repository"),
        ("git+{bare}#../../hooks", "is not the name of a branch"),
        ("git+{bare}#--force", "is not the name of a branch"),
        ("git+{bare}#main.lock", "is not the name of a branch"),
    ],
)
def test_addresses_that_would_run_something_are_refused(address, sentence, bare, made_run):
    with pytest.raises(UserError, match=sentence):
        submit(made_run, address.format(bare=bare))


def test_a_doctored_run_does_not_reach_the_repository(bare, made_run, tmp_path):
    run = copied(made_run, tmp_path / "doctored")
    with (run / "measurements.jsonl").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(RecordsError, match=r"the run is refused: measurements\.jsonl has changed"):
        submit(run, f"git+{bare}")
    assert not list((bare / "refs" / "heads").iterdir())
