"""Committed runs, and one that never took place, say what they said: every statistic and verdict, derived again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report import markdown
from harness.report.verification import verify
from tests.baselines import FOLDER
from tests.report.test_markdown import answered

SYNTHETIC = Path(__file__).parents[1] / "fixtures" / "reports" / "synthetic.md"
RUNS = sorted(each.parent.name for each in FOLDER.rglob("run.json"))


@pytest.mark.parametrize("suite", RUNS)
def test_the_committed_runs_follow_from_their_raw_seconds(suite):
    found = verify(FOLDER / suite)
    assert found.agrees, found.sentences[:10]


def test_a_run_that_never_took_place_says_what_it_said():
    assert markdown.render(answered()) == SYNTHETIC.read_text(encoding="utf-8")
