"""Sleeps until something is written into a folder or a process ends; nothing wakes on the machine meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

_MODIFY, _MOVED_TO, _CREATE = 0x2, 0x80, 0x100  # <sys/inotify.h>
_OTHERWISE_SECONDS = 1.0  # between two looks, where the system has no inotify


class Watch:
    """A context manager."""

    def __init__(self, process: subprocess.Popen[Any], *folders: Path) -> None:
        self._process = process
        self._poll, self._open = None, list[int]()
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            changes = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            watched = [
                libc.inotify_add_watch(changes, os.fsencode(each), _MODIFY | _MOVED_TO | _CREATE) for each in folders
            ]
            if changes >= 0:
                self._open = [changes, os.pidfd_open(process.pid)]
            if changes >= 0 and min(watched) >= 0:
                self._poll = select.poll()
                for each in self._open:
                    self._poll.register(each, select.POLLIN)

    def wait(self) -> None:
        """Sleeps until there is something to look at."""
        if self._poll is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_OTHERWISE_SECONDS)
            return
        self._poll.poll()
        with contextlib.suppress(BlockingIOError):
            while os.read(self._open[0], 2**16):
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            os.close(each)
