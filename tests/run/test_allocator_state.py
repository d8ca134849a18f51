"""A threshold that depends on what the allocator remembers is told as one."""

from __future__ import annotations

import dataclasses

from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord
from harness.run import allocator_state
from harness.search.result import Crossing, Decision, Location, Pair

CASE = SearchCase(
    race="polynomial", baseline="python", challenger="numpy", batch_size=1, low=1, high=1_000_000, counts="n"
)
DECISION = Decision(6300, 6700, 0.04, "baseline", "challenger", 0.95)
LOCATION = Location(
    status="crossing", crossings=(Crossing(6520, 6300, 6700, "challenger", 0.95, "smooth"),), samples=0, probes=(),
    notes=(), low=1, high=1_000_000, decision=DECISION,
)  # fmt: skip
FOUND = SearchRecord(case=CASE, location=LOCATION)


def seen(*ratios):
    return [Pair(ratio, 1.0) for ratio in ratios]


def test_it_is_asked_at_both_ends_of_the_decision():
    assert allocator_state.places(FOUND) == (6300, 6700)
    assert (
        allocator_state.places(dataclasses.replace(FOUND, location=dataclasses.replace(LOCATION, decision=None))) == ()
    )


def test_another_leader_there_is_told():
    """N* is 6,520 or 125,000, depending on it."""
    said = allocator_state.describe(FOUND, 6700, seen(*[0.6] * 8, 1.1))
    assert said.startswith("polynomial: in a fresh process")
    assert "python leads at n = 6,700 (by 67%): the threshold depends on the state of memory" in said


def test_the_same_leader_a_slight_lead_and_an_unsure_one_are_not():
    assert allocator_state.describe(FOUND, 6700, seen(*[1.4] * 9)) == ""
    assert allocator_state.describe(FOUND, 6300, seen(*[0.7] * 9)) == ""
    assert allocator_state.describe(FOUND, 6700, seen(*[0.98] * 9)) == ""
    assert allocator_state.describe(FOUND, 6700, seen(*[0.6] * 6, 1.2, 1.3, 1.4)) == ""
