"""Questions and answers of a search as data: what they say of themselves, and what they are where nothing is said."""

from __future__ import annotations

import dataclasses

import pytest

from harness.search.result import Crossing, Location, Pair, Unmeasurable


def test_a_pair_may_be_two_seconds_alone():
    pair = Pair(1.0, 2.0)
    assert (pair.baseline, pair.challenger, pair.order, pair.started) == (1.0, 2.0, "", 0.0)
    assert tuple(pair[:2]) == (1.0, 2.0)


def test_what_cannot_be_measured_says_why():
    error = Unmeasurable(2000, "memory ran out", "baseline", True)
    assert str(error) == "N = 2,000 cannot be measured: memory ran out"
    assert (error.heads, error.contender, error.settles_larger) == (2000, "baseline", True)
    bare = Unmeasurable(3)
    assert str(bare) == "N = 3 cannot be measured: no reason was given"
    assert (bare.contender, bare.settles_larger) == ("", False)


def test_an_answer_is_data_that_does_not_change():
    found = Location("tie", (), 10, (), (), 1, 100)
    assert (found.bracket, found.decision, found.measured, found.margin, found.failures) == (None, None, None, None, ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.status = "above"
    with pytest.raises(dataclasses.FrozenInstanceError):
        Crossing(10, 9, 11, "challenger", 0.95, "smooth").heads = 11
