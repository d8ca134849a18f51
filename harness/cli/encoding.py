"""Output in encodings other than UTF-8: characters that one lacks are spelled plainly, so that no command fails."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

_NAME = "harness-plain"
_SPELLINGS = {
    "→": "->", "…": "...", "\u00d7": "x", "\u2013": "-", "—": "-", "±": "+-", "≤": "<=", "≥": ">=", "·": "-", "µ": "u",
    "█": "#", "🔴": "(!)", "🟢": "(+)",
}  # fmt: skip


def tolerate(streams: Iterable[TextIO]) -> None:
    """Lets text streams write any character: as it is, in a plain spelling, or as an escape."""
    codecs.register_error(_NAME, _plain)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors=_NAME)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(
        _SPELLINGS.get(each) or each.encode("ascii", "backslashreplace").decode() for each in lacking
    ), error.end
