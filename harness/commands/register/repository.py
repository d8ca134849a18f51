"""A branch of a git repository, read and added to without running anything that the repository itself names.

As in `harness.records.checkout`, git works through a repository made for the purpose, which has a configuration of its own: no
hook, filter, attribute, submodule or setting of the other one is read. Of one on this machine only the objects are shared, and
the branch is moved as git moves it, by a lock file beside it; others are fetched and pushed to, where the other side does what
it does with every push.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands.register.entry import LARGEST, NAME
from harness.errors import ResourceError, UserError
from harness.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "git+"
_REMOTE = re.compile(r"(https|ssh)://[^\s-]\S*")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_HASH = re.compile(r"[0-9a-f]{40}")
_PROTOCOLS = "https:ssh"
_SECONDS = 300
_MOST_BYTES = 2**31  # of a register's files that are looked through
_NOBODY = "crossover-harness", "noreply@localhost"


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Of a repository; `opened` makes it."""

    address: str
    branch: str
    made: Path  # the repository that git works through
    local: Path | None  # the repository's own folder, where it is on this machine
    head: str | None  # its commit; None where there is none yet

    def export(self, folder: Path) -> None:
        """Writes the entries of a register that are regular files of bounded size; nothing else leaves the repository."""
        folder.mkdir()
        if self.head is None:
            return
        total = 0
        for line in self._git("ls-tree", "-r", "-l", "-z", "--full-tree", self.head).split("\0"):
            about, _, path = line.partition("\t")
            parts, facts = path.split("/"), about.split()
            if len(parts) != 2 or not NAME.fullmatch(parts[0]) or parts[1] not in LARGEST:
                continue
            if facts[0] != "100644" or not facts[3].isdigit() or int(facts[3]) > LARGEST[parts[1]]:
                continue
            total += int(facts[3])
            if total > _MOST_BYTES:
                raise ResourceError("the register is larger than 2 GiB", where=self.address)
            (folder / parts[0]).mkdir(exist_ok=True)
            (folder / parts[0] / parts[1]).write_bytes(self._bytes("cat-file", "blob", facts[2]))

    def add(self, files: Mapping[str, Path], message: str) -> str:
        """Commits files beside what the branch holds; the new commit.

        Raises:
            ResourceError: where git or the repository refuses, or another push has moved the branch meanwhile.
        """
        if self.head is not None:
            self._git("read-tree", self.head)
        for path, file in files.items():
            blob = self._git("hash-object", "-w", "--no-filters", str(file)).strip()
            self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        tree = self._git("write-tree").strip()
        parents = ["-p", self.head] if self.head else []
        commit = self._git("commit-tree", tree, *parents, text=message).strip()
        if self.local is not None:
            _move(self.local, self.branch, self.head, commit)
        else:
            self._git("push", "--quiet", "--no-verify", self.address, f"{commit}:refs/heads/{self.branch}")
        return commit

    def _git(self, *command: str, text: str = "") -> str:
        return self._bytes(*command, text=text).decode(errors="replace")

    def _bytes(self, *command: str, text: str = "") -> bytes:
        return _run(self.made, self.local, *command, text=text)


@contextlib.contextmanager
def opened(to: str, scratch: Path) -> Iterator[Branch]:
    """The branch that an address names: `git+PATH`, `git+https://…`, `git+ssh://…`, each with `#branch` where wanted.

    Raises:
        UserError: where it is no such address, or the branch cannot be added to.
        ResourceError: where git cannot reach it.
    """
    address, _, branch = to.removeprefix(PREFIX).partition("#")
    if branch and (not _BRANCH.fullmatch(branch) or ".." in branch or branch.endswith((".lock", "."))):
        raise UserError(
            f"{one_line(branch, 80)!r} is not the name of a branch", next_step="use letters, digits, . _ - and /"
        )
    local = None if "://" in address else _found(Path(address))
    if local is None and not _REMOTE.fullmatch(address):
        raise UserError(
            f"{one_line(address, 120)!r} is not the address of a repository",
            next_step="give git+PATH, git+https://… or git+ssh://…",
        )
    made = scratch / "git"
    for name in ("refs", "objects"):
        (made / name).mkdir(parents=True)
    (made / "HEAD").write_text("ref: refs/heads/made\n", encoding="ascii")
    if local is not None:
        name = branch or _own_remote_name(local)
        _refuse_checked_out(local, name)
        yield Branch(address=address, branch=name, made=made, local=local, head=_at(local, name))
        return
    name = branch or _own_remote(made, address)
    known = _run(made, None, "ls-remote", "--quiet", address, f"refs/heads/{name}").decode(errors="replace").split()
    head = known[0] if known and _HASH.fullmatch(known[0]) else None
    if head:
        _run(
            made, None, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
            address, f"refs/heads/{name}",
        )  # fmt: skip
    yield Branch(address=address, branch=name, made=made, local=None, head=head)


def _found(path: Path) -> Path:
    """The git folder of a repository on this machine."""
    for place in (path / ".git", path):
        if place.is_dir() and not place.is_symlink() and (place / "HEAD").is_file() and (place / "objects").is_dir():
            if (place / "reftable").exists():
                raise UserError(
                    "the repository keeps its branches in a reftable", where=str(path), next_step="clone it"
                )
            return place.resolve()
    raise UserError("there is no git repository here", where=str(path), next_step="make one with `git init --bare`")


def _own_remote_name(local: Path) -> str:
    """The branch that HEAD names."""
    name = (local / "HEAD").read_text(encoding="utf-8", errors="replace").strip().removeprefix("ref: refs/heads/")
    if not _BRANCH.fullmatch(name) or _HASH.fullmatch(name):
        raise UserError("its HEAD is detached", where=str(local), next_step="name one: git+PATH#branch")
    return name


def _own_remote(made: Path, address: str) -> str:
    said = _run(made, None, "ls-remote", "--quiet", "--symref", address, "HEAD").decode(errors="replace")
    found = re.match(r"ref: refs/heads/(\S+)\s", said)
    if found is None or not _BRANCH.fullmatch(found[1]):
        raise UserError(
            "its HEAD names no branch with commits", where=address, next_step="name one: git+ADDRESS#branch"
        )
    return found[1]


def _refuse_checked_out(local: Path, branch: str) -> None:
    """A branch that is checked out is not moved below the files that show it; a bare repository shows none."""
    trees = [local] if local.name == ".git" else []
    trees += [each for each in (local / "worktrees").glob("*") if each.is_dir()]
    for tree in trees:
        with contextlib.suppress(OSError):
            if (tree / "HEAD").read_text(encoding="utf-8", errors="replace").strip() == f"ref: refs/heads/{branch}":
                raise UserError(
                    f"branch {branch} is checked out there",
                    where=str(local),
                    next_step="name another branch with git+PATH#branch, or the folder itself without git+ and commit it",
                )


def _at(local: Path, branch: str) -> str | None:
    """The commit of a branch."""
    path = local / "refs" / "heads" / branch
    if path.is_file() and not path.is_symlink():
        found = path.read_text(encoding="ascii", errors="replace").strip()
        if not _HASH.fullmatch(found):
            raise UserError(f"branch {branch} holds no commit", where=str(local))
        return found
    packed = local / "packed-refs"
    for line in packed.read_text(encoding="utf-8", errors="replace").splitlines() if packed.is_file() else ():
        value, _, name = line.partition(" ")
        if name.strip() == f"refs/heads/{branch}" and _HASH.fullmatch(value):
            return value
    return None


def _move(local: Path, branch: str, before: str | None, commit: str) -> None:
    """Moves a branch as git does: a lock file beside it, looked at under the lock, renamed over it."""
    path = local / "refs" / "heads" / branch
    lock = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.resolve().is_relative_to(local / "refs"):
            raise UserError("its branches are behind a link", where=str(local))
        with lock.open("x", encoding="ascii") as file:
            file.write(f"{commit}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise ResourceError("another process is moving the branch", where=str(lock), next_step="submit again") from None
    except OSError as error:
        raise ResourceError(f"the branch cannot be moved: {error.strerror}", where=str(local)) from error
    try:
        if _at(local, branch) != before:
            raise ResourceError("the branch has moved in the meantime", where=str(local), next_step="submit again")
        lock.replace(path)
    finally:
        lock.unlink(missing_ok=True)


def _run(made: Path, local: Path | None, *command: str, text: str = "") -> bytes:
    """What git prints, through the repository made for the purpose.

    Only where another machine is asked may it read the user's own configuration, for access to it.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    author, address = (_configured(name) or other for name, other in zip(("name", "email"), _NOBODY, strict=True))
    own = {
        "GIT_DIR": str(made), "GIT_INDEX_FILE": str(made / "index"), "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS, "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1",
        "GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": address,
        "GIT_COMMITTER_NAME": author, "GIT_COMMITTER_EMAIL": address,
    }  # fmt: skip
    if local is not None:
        own |= {
            "GIT_OBJECT_DIRECTORY": str(local / "objects"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
        }  # fmt: skip
    try:
        done = subprocess.run(
            ["git", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", *command],  # noqa: S607 - on the path
            cwd=made,
            env={**clean, **own},
            input=text.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ResourceError(f"git could not be run: {one_line(str(error))}", where=str(local or made)) from error
    if done.returncode != 0:
        said = one_line(done.stderr.decode(errors="replace"), 300)
        raise ResourceError(f"git {command[0]} failed: {said}", where=str(local or command[-2]))
    return done.stdout


def _configured(name: str) -> str:
    """What the user's own configuration calls them."""
    try:
        done = subprocess.run(
            ["git", "config", "--global", "--get", f"user.{name}"],  # noqa: S607 - on the path
            cwd=os.sep, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
