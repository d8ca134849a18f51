"""The processes that a child has started, wherever they went, and their end together with it.

A process group does not hold a daemon, which opens a session of its own. Three things do: the child adopts what its
children leave behind (a subreaper), so that all of it stays below the child for as long as the child lives; every
process inherits a mark in its environment, by which it is found after the child has died; and whoever clears its
environment is still found below one that did not.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psutil

MARK = "HARNESS_LAUNCH"  # environment variable: what this process was started by, the outermost first
_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
_ROUNDS = 20  # of looking again: something that is being killed may start another
_PATIENCE_SECONDS = 5.0  # a killed process may be in the middle of a read that cannot be interrupted


def marked(mark: str) -> dict[str, str]:
    """The environment variable that marks a child and whatever it starts; a harness within a harness has both marks."""
    return {MARK: ":".join(filter(None, (os.environ.get(MARK), mark)))}


def new_mark() -> str:
    """A mark of its own."""
    return secrets.token_hex(8)


def adopt() -> None:
    """Makes this process, on Linux, the parent of whatever its descendants leave behind."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def below(child: subprocess.Popen[Any]) -> set[psutil.Process]:
    """What runs below a child, as long as it lives."""
    return _below(child.pid) if child.poll() is None else set()


def end(child: subprocess.Popen[Any], mark: str, known: Iterable[psutil.Process] = ()) -> None:
    """Kills a child and whatever it has started, and waits for them, but never without a limit.

    Args:
        child: the process.
        mark: of its environment.
        known: what ran below it before it was asked to leave.
    """
    known = {*known, *below(child)}
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_PATIENCE_SECONDS)
    for _ in range(_ROUNDS):
        known |= _carrying(mark)
        known |= {each for one in known for each in _below(one.pid)}
        known = {each for each in known if _runs(each)}
        if not known:
            return
        _kill(known)


def _kill(processes: Iterable[psutil.Process]) -> None:
    import psutil

    for each in processes:
        with contextlib.suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(list(processes), timeout=_PATIENCE_SECONDS / _ROUNDS)


def _runs(process: psutil.Process) -> bool:
    """Whether it is there and not only waiting for its parent to note its end."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _below(process_id: int) -> set[psutil.Process]:
    import psutil

    try:
        return set(psutil.Process(process_id).children(recursive=True))
    except psutil.Error:
        return set()


def _carrying(mark: str) -> set[psutil.Process]:
    """The processes whose environment names the mark; only Linux shows the environment of others."""
    import psutil

    found = set()
    wanted = mark.encode()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, psutil.Error):
            if wanted in (place / "environ").read_bytes():
                found.add(psutil.Process(int(place.name)))
    return found - {psutil.Process()}
