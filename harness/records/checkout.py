"""The commit of a checkout and whether it was changed, found without running anything that the checkout itself names.

`git status` runs what the repository's own configuration says (fsmonitor, filters, submodules), which may have been
sent with it. So HEAD is read as the file that it is, and git compares files through a repository made for the purpose,
which has a configuration of its own and of the other only the index and the objects.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness import plain_file

DIRTY, UNKNOWN = "-dirty", "-unknown"  # suffixes of a commit that was changed, or of which that is not known
_ABBREVIATED = 12  # hexadecimal digits
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LONGEST = 2**26  # bytes of packed-refs that are read
_LARGEST_INDEX = 2**29  # of millions of files
_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class _Checkout:
    """Where the parts of a checkout lie."""

    root: Path
    own: Path  # what belongs to this working tree: HEAD and the index
    shared: Path  # what all working trees of the repository share


def commit(folder: Path) -> str | None:
    """The commit of the checkout that holds a folder, `-dirty` where it was changed; None outside of one.

    `-unknown` follows where it cannot be found out whether it was changed. Variables such as GIT_DIR do not count.
    """
    try:
        found = _checkout(folder.resolve())
        head = _head(found) if found else None
    except (OSError, ValueError, RuntimeError):
        return None
    if found is None or head is None:
        return None
    changed = _changed(found, head)
    return head[:_ABBREVIATED] + (UNKNOWN if changed is None else DIRTY if changed else "")


def root(folder: Path) -> Path | None:
    """The top of the checkout that holds a folder; None outside of one."""
    try:
        found = _checkout(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return None
    return found.root if found else None


def head(top: Path) -> dict[str, str]:
    """`id`, the whole hash that is checked out, `branch`, and the commit's `time` and `author_time`, as far as they are known."""
    try:
        found = _checkout(top)
        name = _text(found.own / "HEAD").strip() if found else ""
        hash_ = _head(found) if found else None
    except (OSError, ValueError, RuntimeError):
        return {}
    if found is None or hash_ is None:
        return {}
    branch = name.removeprefix("ref: ").strip().removeprefix("refs/heads/") if name.startswith("ref: ") else ""
    times = _git_output(found, hash_, "show", "-s", "--no-show-signature", "--pretty=format:%cI %aI", hash_) or ""
    facts = dict(zip(("time", "author_time"), times.split(), strict=False))
    return {"id": hash_, "branch": branch or "(detached head)", **facts}


def configuration(top: Path) -> str:
    """The repository's own configuration as a text; empty where it cannot be read."""
    try:
        found = _checkout(top)
        return _text(found.shared / "config") if found else ""
    except (OSError, ValueError, RuntimeError):
        return ""


def _checkout(folder: Path) -> _Checkout | None:
    for root in (folder, *folder.parents):
        place = root / ".git"
        if place.is_file():
            named = _text(place).partition("gitdir:")[2].strip()
            place = root / named
            if not named or not place.is_dir():
                return None
        if place.is_dir() and (place / "HEAD").is_file():
            common = place / "commondir"
            return _Checkout(root=root, own=place, shared=place / _text(common).strip() if common.is_file() else place)
    return None


def _head(found: _Checkout) -> str | None:
    """The hash that HEAD names."""
    text = _text(found.own / "HEAD").strip()
    if _HASH.fullmatch(text):
        return text
    name = text.removeprefix("ref: ").strip()
    if not name.startswith("refs/") or ".." in name.split("/"):
        return None
    for place in (found.own, found.shared):
        if (place / name).is_file() and _HASH.fullmatch(known := _text(place / name).strip()):
            return known
    packed = found.shared / "packed-refs"
    for line in _text(packed).splitlines() if packed.is_file() else ():
        value, _, of = line.partition(" ")
        if of.strip() == name and _HASH.fullmatch(value):
            return value
    return None


def _changed(found: _Checkout, head: str) -> bool | None:
    """Whether tracked files differ from the commit; None where git cannot say."""
    said = _git_output(found, head, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
    return None if said is None else bool(said.strip())


def _git_output(found: _Checkout, head: str, *command: str) -> str | None:
    """What git answers through a repository made for the purpose; None where it cannot."""
    with tempfile.TemporaryDirectory(prefix="harness-git-") as made:
        place = Path(made)
        try:
            for name in ("refs", "objects"):
                (place / name).mkdir()
            (place / "HEAD").write_text(f"{head}\n", encoding="ascii")
            if command[0] == "status":
                (place / "index").write_bytes(plain_file.content(found.own / "index", _LARGEST_INDEX))
            clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
            done = subprocess.run(
                ["git", *command],  # noqa: S607 - on the path
                cwd=found.root,
                env={
                    **clean,
                    "GIT_DIR": str(place),
                    "GIT_WORK_TREE": str(found.root),
                    "GIT_OBJECT_DIRECTORY": str((found.shared / "objects").resolve()),
                    "GIT_CONFIG_NOSYSTEM": "1",
                    "GIT_CONFIG_GLOBAL": os.devnull,
                    "GIT_OPTIONAL_LOCKS": "0",
                    "GIT_TERMINAL_PROMPT": "0",
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _text(path: Path) -> str:
    return plain_file.content(path, _LONGEST).decode(errors="replace")
