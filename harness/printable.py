"""Text that shows on a terminal as what it is, whoever wrote it: nothing in it moves the cursor or colours a line."""

from __future__ import annotations

import re

# controls but line feed and tab, lone surrogates, marks that turn the direction of writing, other line separators
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""The text with every character that a terminal would obey, or could not write, as its escape: `\x1b[31m`."""
    return _HIDDEN.sub(lambda found: _escaped(ord(found[0])), text)


def one_line(text: str, most: int = 200) -> str:
    """The start of a text, printable and on one line."""
    short = " ".join(printable(text[: most + 1]).split())
    return short if len(text) <= most else f"{short[:most]}…"


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
