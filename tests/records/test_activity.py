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
    assert between(None, START) is None
    assert between(START, None) is None


def test_a_busy_loop_is_seen():
    before = activity()
    total = 0
    while (after := activity()).at < before.at + 0.3:
        total += sum(range(10_000))
    assert between(before, after).busy_cores > 0.5
