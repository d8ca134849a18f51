"""Summaries of the committed runs: made once in a process, for all tests that look at them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from harness.analysis.summary import Summary, summarise
from harness.records.reader import read

FOLDER = Path(__file__).parents[1] / "results" / "baseline"


@cache
def baseline(suite: str) -> Summary:
    """Of the last committed run of a suite."""
    return summarise(read(FOLDER / suite))
