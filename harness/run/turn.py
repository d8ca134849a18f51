"""Turns: two runs on one machine would measure each other, so that the second waits until the first has ended."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from harness import cache
from harness.errors import HarnessError
from harness.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK_VARIABLE = "HARNESS_LOCK"  # environment variable
_DAY_SECONDS = 86400.0
_LONGEST = 400  # characters that are read of who holds the lock


def place() -> Path:
    """The file that all runs of this machine lock; the environment variable HARNESS_LOCK names another."""
    named = os.environ.get(LOCK_VARIABLE)
    if named:
        return Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 - it never raises
    return Path(tempfile.gettempdir()) / "crossover-harness.lock"


@contextlib.contextmanager
def turn(what: str, say: Callable[[str], None], *, wait: bool = True) -> Iterator[bool]:
    """Holds the machine's lock, and waits for it where another run holds it.

    Args:
        what: this run in a few words, for others that wait for it.
        say: hears which run it waits for, and for how long it has waited.
        wait: without it, `say` only hears that another one is measuring.

    Yields:
        whether the lock is held: where it cannot be used at all, the run goes on and says so.
    """
    path = place()
    lock = FileLock(path, mode=0o666, thread_local=False)
    held = False
    try:
        try:
            lock.acquire(timeout=0)
            held = True
        except Timeout:
            holder = _holder(path)
            if wait:
                say(f"waiting: {holder} is measuring on this machine")
                began = time.monotonic()
                lock.acquire()
                held = True
                say(f"waited {time.monotonic() - began:.0f} s for {holder}, which was measuring on this machine")
            else:
                say(f"{holder} is also measuring on this machine: both will be slower and less certain")
        except OSError as error:
            say(f"runs on this machine do not wait for each other: {path}: {error.strerror or error}")
        if held:
            _sign(path, f"{what} (process {os.getpid()})")
        yield held
    finally:
        if held:
            lock.release()


def once(key: str, measure: Callable[[], Path]) -> Path:
    """The folder of a run that one of several processes measures, while the others wait for it and read it.

    Args:
        key: the same in all processes that share a run, and in no others; a file name.
        measure: makes the run.

    Raises:
        HarnessError: where the run was refused, here or in the process that tried it.
    """
    shared = cache.folder() / "shared-runs"
    cache.private(cache.folder(), shared)
    _forget_old(shared)
    answer = shared / f"{key}.json"
    with FileLock(shared / f"{key}.lock", thread_local=False):
        if answer.exists():
            known = json.loads(answer.read_text(encoding="utf-8"))
            if known.get("refused"):
                raise HarnessError(known["refused"])
            return Path(known["folder"])
        try:
            folder = measure().absolute()
        except HarnessError as error:
            answer.write_text(json.dumps({"refused": str(error)}), encoding="utf-8")
            raise
        answer.write_text(json.dumps({"folder": str(folder)}), encoding="utf-8")
        return folder


def _holder(path: Path) -> str:
    """Who has signed beside the lock; anybody on this machine may have."""
    try:
        descriptor = os.open(path.with_suffix(".holder"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            return one_line(file.read(_LONGEST)) or "another run"
    except OSError:
        return "another run"


def _sign(path: Path, what: str) -> None:
    """Writes who holds the lock beside it; never through a link, which another user may have put there."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path.with_suffix(".holder"), flags, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                file.truncate(0)
                file.write(what)


def _forget_old(folder: Path) -> None:
    for each in folder.iterdir():
        with contextlib.suppress(OSError):
            if each.stat().st_mtime < time.time() - _DAY_SECONDS:
                each.unlink()
