"""A run that is killed at random moments and resumed: a short version of `tests.benchmarks.kills`."""

from __future__ import annotations

import random

import pytest

from harness.records.store import read
from tests.benchmarks.kills import LONGEST_SECONDS, Story, check_finished, start_and_kill, undisturbed
from tests.test_session import written

KILLS = 2


@pytest.mark.timeout(600)  # many starts, on a machine that may be shared
def test_a_run_that_is_killed_again_and_again_loses_nothing_and_measures_nothing_twice(tmp_path):
    suite = written(tmp_path, heads={"from": 2, "to": 64, "points": 2}, search={"budget_samples": 60})
    seconds, expected = undisturbed(suite, tmp_path / "whole", warm=False)
    generator, story, out = random.Random(4), Story(), tmp_path / "out"
    for _ in range(KILLS):
        # from where there may be something to lose, to shortly before the end of what is left
        start_and_kill(suite, out, generator.uniform(0.2, 0.7) * seconds, story)
    start_and_kill(suite, out, LONGEST_SECONDS, story)
    check_finished(out, expected, story)
    assert story.problems == []
    assert story.kills
    assert read(out).torn == ()


def test_what_a_killed_run_left_beside_its_files_is_removed(tmp_path):
    suite = written(tmp_path, batch_sizes=[2], search={"budget_samples": 20}, heads={"from": 2, "to": 32, "points": 2})
    out = tmp_path / "out"
    out.mkdir()
    (out / ".run.json.abcd1234").write_text("{")  # killed while it wrote its very first file
    story = Story()
    assert not start_and_kill(suite, out, LONGEST_SECONDS, story)
    assert story.problems == []
    assert not (out / ".run.json.abcd1234").exists()
