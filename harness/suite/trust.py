"""Which Python files a suite may run: those in its folder, and those that the user has allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness import plain_file

if TYPE_CHECKING:
    from collections.abc import Sequence

ALLOWED_VARIABLE = "HARNESS_ALLOW_PLUGINS"  # files and folders, separated as PATH is
_LIST = "allowed-plugins"  # in the user's configuration: a file or folder a line
_SYSTEM = frozenset({  # whose functions do things to processes and files: `os:kill` would be called with n and the batch
    "_posixsubprocess", "_thread", "ctypes", "fcntl", "importlib", "mmap", "multiprocessing", "nt", "os", "posix", "pty",
    "resource", "runpy", "shutil", "signal", "socket", "subprocess", "sys",
})  # fmt: skip


def listed() -> Path:
    """The user's list of plugin files and folders that any suite may run."""
    import platformdirs

    return Path(platformdirs.user_config_dir("crossover-harness")) / _LIST


def permitted(file: Path, folder: Path, allowed: Sequence[Path] = ()) -> bool:
    """Whether a suite in a folder may run a file: links are followed, so that the file itself has to be there.

    Args:
        file: that the suite names.
        folder: of the suite.
        allowed: files and folders that were allowed on the command line.
    """
    real = file.resolve()
    return any(real.is_relative_to(each.resolve()) for each in (folder, *allowed, *_allowed_by_user()))


def reaches_the_system(text: str) -> bool:
    """Whether `module:function` names a function of a module that no suite needs, or of a module within another.

    Functions of installed modules are called as a suite says, also by `harness check`.
    """
    module, _, attribute = text.rpartition(":")
    inner = attribute.split(".")[:-1]  # classes, whose names begin with a capital letter
    return bool(module) and (module in _SYSTEM or any(not each[:1].isupper() for each in inner))


def _allowed_by_user() -> list[Path]:
    given = [each for each in os.environ.get(ALLOWED_VARIABLE, "").split(os.pathsep) if each]
    try:  # a user without a home has no list: it would be looked for below the current folder, which may be a stranger's
        text = plain_file.text(listed(), plain_file.MIB) if listed().is_absolute() else ""
    except (OSError, UnicodeDecodeError, RuntimeError):  # there is none
        text = ""
    lines = text.splitlines()
    given += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [path for each in given if (path := Path(os.path.expanduser(each))).is_absolute()]  # noqa: PTH111 - it never raises
