"""What all commands share: exit codes, and the console that they print on."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

from harness.printable import printable

_PIPE = 10**6  # columns of what is no terminal: nothing is wrapped there
DONE, FAILED, MISTAKEN, INCONCLUSIVE, INTERRUPTED = 0, 1, 2, 3, 130


def console() -> Console:
    """Standard output, with colour where it is a terminal."""
    from rich.console import Console

    return Console()


def width() -> int | None:
    """Columns of the terminal, or what COLUMNS says; None in a pipe, where each row stays on one line."""
    columns = shutil.get_terminal_size((_PIPE, 24)).columns
    return None if columns >= _PIPE else columns


def put(text: str) -> None:
    """Writes a document as it is into a pipe or a file, and what a terminal would not obey to a terminal."""
    if sys.stdout is not None:  # it was closed
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)


def say(text: object, *, error: bool = False) -> None:
    """Prints a line with control characters escaped; all commands print through it."""
    stream = sys.stderr if error else sys.stdout
    if stream is not None:
        print(printable(str(text)), file=stream, flush=True)
