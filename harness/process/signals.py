"""Ctrl-C held back while something must come to its end."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Deferred:
    """Whether Ctrl-C was received meanwhile."""

    received: bool = False


@contextmanager
def defer_signals() -> Iterator[Deferred]:
    """Notes SIGINT and SIGTERM instead of raising, for as long as the block takes; the block itself must be short.

    Signals reach the main thread alone: in another thread nothing is changed.
    """
    note = Deferred()
    if threading.current_thread() is not threading.main_thread():
        yield note
        return

    def press(*_: object) -> None:
        note.received = True

    # one that was not set from Python, as in a program that embeds it, cannot be put back: it stays
    ours = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not None]
    before = {number: signal.signal(number, press) for number in ours}
    try:
        yield note
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
