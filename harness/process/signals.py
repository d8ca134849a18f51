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
    """Whether Ctrl-C was pressed meanwhile."""

    pressed: bool = False


@contextmanager
def held() -> Iterator[Deferred]:
    """Notes SIGINT and SIGTERM instead of raising, for as long as the block takes; the block itself must be short.

    Signals reach the main thread alone: in another thread nothing is changed.
    """
    note = Deferred()
    if threading.current_thread() is not threading.main_thread():
        yield note
        return

    def press(*_: object) -> None:
        note.pressed = True

    before = {number: signal.signal(number, press) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield note
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
