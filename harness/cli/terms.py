"""What all commands share: exit codes, and the console that they print on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

DONE, FAILED, MISTAKEN, INCONCLUSIVE, INTERRUPTED = 0, 1, 2, 3, 130


def console() -> Console:
    """Standard output, with colour where it is a terminal."""
    from rich.console import Console

    return Console()
