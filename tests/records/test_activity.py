"""What the cores did between two moments."""

from __future__ import annotations

import dataclasses

import pytest

from harness.records.activity import Activity, activity, between

START = Activity(at=100.0, cores=4, busy=50.0, stolen=1.0)


def test_busy_cores_and_the_share_of_other_guests():
    found = between(START, dataclasses.replace(START, at=110.0, busy=65.0, stolen=3.0))
    assert (found.busy_cores, found.stolen_share) == (pytest.approx(1.5), pytest.approx(0.05))


def test_no_time_or_an_unknown_moment_says_nothing():
    assert between(START, START) is None
    assert between(START, dataclasses.replace(START, at=100.1, busy=50.1)) is None
    assert between(None, START) is None
    assert between(START, None) is None


def test_what_is_counted_in_ticks_is_never_more_than_there_is():
    found = between(START, dataclasses.replace(START, at=100.2, busy=51.0, stolen=3.0))
    assert (found.busy_cores, found.stolen_share) == (4.0, 1.0)


def test_a_busy_loop_is_seen():
    before = activity()
    total = 0
    while (after := activity()).at < before.at + 0.3:
        total += sum(range(10_000))
    assert between(before, after).busy_cores > 0.5


def test_a_platform_that_does_not_count_its_cores_has_one_at_least(monkeypatch):
    monkeypatch.setattr("psutil.cpu_count", lambda: None)
    assert activity().cores == 1
