"""The lock of this machine: two runs on it would measure each other, so the second waits until the first has ended."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from harness.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCK_VARIABLE = "HARNESS_LOCK"  # environment variable
_LONGEST = 400  # characters that are read of who holds the lock


def lock_file() -> Path:
    """The file that all runs of this machine lock; the environment variable HARNESS_LOCK names another."""
    named = os.environ.get(LOCK_VARIABLE)
    if named:
        return Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 - it never raises
    return Path(tempfile.gettempdir()) / "crossover-harness.lock"


@contextlib.contextmanager
def machine_lock(what: str, say: Callable[[str], None], *, wait: bool = True) -> Iterator[bool]:
    """Holds the machine's lock, and waits for it where another run holds it.

    Args:
        what: this run in a few words, for others that wait for it.
        say: hears which run it waits for, and for how long it has waited.
        wait: without it, `say` only hears that another one is measuring.

    Yields:
        whether the lock is held: where it cannot be used at all, the run goes on and says so.
    """
    path = lock_file()
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
            sign(path.with_suffix(".holder"), f"{what} (process {os.getpid()})")
        yield held
    finally:
        if held:
            lock.release()


def _holder(path: Path) -> str:
    """Who has signed beside the lock; anybody on this machine may have."""
    try:
        descriptor = os.open(path.with_suffix(".holder"), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            return one_line(file.read(_LONGEST)) or "another run"
    except OSError:
        return "another run"


def sign(path: Path, what: str) -> None:
    """Writes who holds a lock beside it; never through a link, which another user may have put there."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                file.truncate(0)
                file.write(what)
