"""Text that shows on a terminal as what it is, whoever wrote it: nothing in it moves the cursor or colours a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# controls but line feed and tab, lone surrogates, marks that turn the direction of writing or hide text, line ends
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    "\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    r"""The text with every character that a terminal would obey, or could not write, as its escape: `\x1b[31m`."""
    return _HIDDEN.sub(lambda found: _escaped(ord(found[0])), text)


def one_line(text: str, most: int = 200) -> str:
    """The start of a text, printable and on one line."""
    short = " ".join(printable(text[: most + 1]).split())
    return short if len(text) <= most else f"{short[:most]}…"


def encodable(value: Any) -> Any:
    """Plain data whose texts can be written as UTF-8: a file's name may hold bytes that are none, which are escaped."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {encodable(name): encodable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(encodable(each) for each in value)
    return value


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
