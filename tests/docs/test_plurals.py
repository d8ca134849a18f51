"""One of everything is written in the singular: a report of one contender, race, launch and cell, and one of two."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from harness.analysis.summary import summarise
from harness.report import markdown, terminal
from harness.units import counted
from tests.synthetic import Maker

WRONG = re.compile(r"(?<![\d,.])\b1 (?!(?:is|was|has|this|its|us|ms|s|less|across|plus|minus)\b)[a-z]+(?<!s)s\b")


def test_a_number_is_written_with_its_noun():
    assert [counted(each, "launch") for each in (0, 1, 2)] == ["0 launches", "1 launch", "2 launches"]
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(1_200, "entry", "entries") == "1,200 entries"


@pytest.mark.parametrize("launches", [1, 2])
def test_a_report_says_one_launch_and_two_launches(launches):
    made = Maker().table(launches, launches).self_check().searches()
    summary = summarise(made.evidence(), made.located)
    page = markdown.render(summary)
    console = Console(width=200, record=True, file=io.StringIO())
    terminal.render(summary, console)
    assert WRONG.findall(page) == []
    assert WRONG.findall(console.export_text()) == []
