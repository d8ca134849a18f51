"""Tables and sentences of plain text as wide as a terminal: what is too long is wrapped between words."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BETWEEN = 2  # columns between two columns of a table
_BESIDE = 2  # columns that a heading takes beside its text
_PARTS = re.compile(r"\s+|[^\s\-._/]+[-._/]*|[-._/]+")  # of which names are made, and what is between them
_LEAST = 4  # columns of one whose words have to be broken, too


def grid(rows: Sequence[Sequence[str]], headers: Sequence[str], width: int | None = None) -> str:
    """A table."""
    titles, lines = list(headers), [list(row) for row in rows]
    if width is not None and rows:
        room = _room(titles, list(zip(*lines, strict=True)), width - _BETWEEN * (len(titles) - 1))
        titles = [_wrapped(title, most - _BESIDE) for title, most in zip(titles, room, strict=True)]
        lines = [[_wrapped(entry, most) for entry, most in zip(line, room, strict=True)] for line in lines]
    return tabulate(lines, headers=titles, tablefmt="simple", disable_numparse=True)


def sentence(text: str, width: int | None = None) -> str:
    """A line that begins with spaces goes on below its text."""
    if width is None:
        return text
    start = " " * (len(text) - len(text.lstrip()))
    return textwrap.fill(
        text.lstrip(), width, initial_indent=start, subsequent_indent=f"{start}  ", break_long_words=False,
        break_on_hyphens=False,
    ) or text  # fmt: skip


def _room(titles: Sequence[str], columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide each column may be: the widest one gives way first, and words are broken last."""
    taken = _widths(len, titles, columns)
    floors: tuple[Callable[[str], int], ...] = (_longest_word, _longest_part, lambda entry: min(len(entry), _LEAST))
    for floor in floors:
        least = _widths(floor, titles, columns)
        while sum(taken) > width:
            spare = [room - low for room, low in zip(taken, least, strict=True)]
            wide = max(range(len(taken)), key=lambda place: (spare[place] > 0, taken[place]))
            if spare[wide] <= 0:
                break
            taken[wide] -= 1
    return taken


def _widths(of: Callable[[str], int], titles: Sequence[str], columns: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(of(title) + _BESIDE, *(of(entry) for entry in column))
        for title, column in zip(titles, columns, strict=True)
    ]


def _longest_word(entry: str) -> int:
    return max((len(word) for word in entry.split()), default=0)


def _longest_part(entry: str) -> int:
    return max((len(part) for part in _PARTS.findall(entry) if part.strip()), default=0)


def _wrapped(entry: str, width: int) -> str:
    """Between words where that is enough, else within names, else anywhere."""
    if width < _longest_word(entry):
        return "\n".join(_Parting(width).wrap(entry)) or entry
    return "\n".join(textwrap.wrap(entry, width, break_on_hyphens=False, break_long_words=False)) or entry


class _Parting(textwrap.TextWrapper):
    """Wraps also behind hyphens, dots, strokes and underscores, as names have them."""

    def _split(self, text: str) -> list[str]:
        return _PARTS.findall(text)
