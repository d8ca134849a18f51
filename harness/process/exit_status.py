"""How a process ended, in words, and texts of other processes as text that can be written down."""

from __future__ import annotations

import contextlib
import re
import signal

_LONGEST = 2000
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters and lone surrogates


def signal_name(number: int) -> str:
    """`SIGSEGV`; `SIGRTMIN+3` for a real-time signal, which Python names only at both ends of their range."""
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    first = getattr(signal, "SIGRTMIN", None)
    return f"SIGRTMIN+{number - first}" if first is not None and number > first else f"signal {number}"


def ended(code: int) -> str:
    """`was killed by SIGSEGV` or `exited with code 3`, by what `Popen.returncode` holds."""
    return f"was killed by {signal_name(-code)}" if code < 0 else f"exited with code {code}"


def writable(text: str, longest: int = _LONGEST) -> str:
    r"""A text of another process: cut, and what no file or terminal should be given is written as `\udc80` or `\x1b`."""
    return _UNWRITABLE.sub(lambda found: ascii(found.group())[1:-1], text[:longest])
