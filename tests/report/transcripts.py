"""The end of a run as terminals of several widths show it: `python -m tests.report.transcripts` writes them down."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness.analysis.summary import summarise
from harness.report import terminal
from tests.synthetic import Maker

if TYPE_CHECKING:
    from harness.analysis.summary import Summary

FOLDER = Path(__file__).parents[1] / "fixtures" / "transcripts"
WIDTHS = (60, 80, 120, 200)


class _Screen(io.StringIO):
    encoding = "utf-8"


def shown(summary: Summary, width: int, *, verbose: bool = False, is_terminal: bool = True) -> str:
    """What is on the screen, without colours."""
    screen = _Screen()
    console = Console(file=screen, width=width, force_terminal=is_terminal, color_system=None)
    terminal.render(summary, console, Path("results/synthetic"), verbose=verbose)
    return "\n".join(line.rstrip() for line in screen.getvalue().splitlines()) + "\n"


def made() -> Summary:
    """The synthetic run of the reports' tests."""
    maker = Maker().table().self_check().searches().fail("student-eager", 16384, 32)
    return summarise(maker.evidence(), maker.located)


if __name__ == "__main__":
    summary = made()
    for width in WIDTHS:
        (FOLDER / f"{width}.txt").write_text(shown(summary, width), encoding="utf-8")
