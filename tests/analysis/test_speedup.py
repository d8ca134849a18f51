"""How many times as fast: pairs of one visit first, launches that both took part in otherwise."""

from __future__ import annotations

import math

import pytest

from harness.analysis.speedup import log_ratios, relatives, slowdown
from tests.synthetic import Maker


def made(seconds, launch=1, visit=1, contender="teacher"):
    """A record with these seconds, of rounds 0, 1, 2, ..."""
    record = Maker().visit([contender], 18, 1, launch, len(seconds))[0]
    sampled = record.sampled.model_copy(update={"seconds": tuple(seconds)})
    return record.model_copy(update={"sampled": sampled, "visit": visit})


def test_ratios_are_challenger_over_baseline_of_the_same_launch_and_visit():
    baseline = [made([1.0, 2.0]), made([5.0], launch=2, visit=2)]
    challenger = [made([2.0, 8.0]), made([5.0], launch=2, visit=3)]
    found = log_ratios(baseline, challenger)
    assert found.keys() == {1}
    assert found[1] == pytest.approx([math.log(2), math.log(4)])


def test_a_record_is_no_partner_of_itself():
    record = made([1.0])
    assert log_ratios([record], [record]) == {}


def cells(**records):
    return {(name, 18, 1): each for name, each in records.items()}


def test_pairs_of_shared_visits_decide_and_launches_are_the_unit():
    """Every launch says 2, so does the answer, and its interval has no width."""
    known = cells(
        a=[made([1.0, 1.0], launch=launch, visit=launch) for launch in (1, 2, 3)],
        b=[made([2.0, 2.0], launch=launch, visit=launch) for launch in (1, 2, 3)],
    )
    found = slowdown(known, "a", "b", 18, 1)
    assert (found.value, found.low, found.high, found.launches) == pytest.approx((2.0, 2.0, 2.0, 3))
    assert slowdown(known, "b", "a", 18, 1).value == pytest.approx(0.5)


def test_without_a_shared_visit_medians_of_the_launches_that_both_took_part_in_count():
    """Launch 1: median 3 over median 2; launch 2 has one of them alone."""
    known = cells(
        a=[made([1.0, 2.0, 9.0], launch=1, visit=1), made([7.0], launch=2, visit=2)],
        b=[made([3.0, 3.0, 90.0], launch=1, visit=5)],
    )
    found = slowdown(known, "a", "b", 18, 1)
    assert (found.value, found.launches) == (pytest.approx(1.5), 1)
    assert not found.known
    apart = cells(a=[made([1.0], launch=1, visit=1)], b=[made([1.0], launch=2, visit=2)])
    assert slowdown(apart, "a", "b", 18, 1) is None
    assert slowdown({}, "a", "b", 18, 1) is None


def test_relatives_are_by_unit_batch_and_n_and_above_one_where_the_contender_is_faster():
    known = {
        **cells(unit=[made([4.0])], fast=[made([1.0])]),
        ("unit", 64, 1): [made([3.0])],
        ("fast", 64, 1): [made([6.0])],
        ("fast", 99, 1): [made([6.0])],
    }
    found = list(relatives({"unit": ["fast", "absent"]}, known, 0.95))
    assert [(each.unit, each.contender, each.heads, each.batch_size) for each in found] == [
        ("unit", "fast", 18, 1), ("unit", "fast", 64, 1),
    ]  # fmt: skip
    assert [each.speedup.value for each in found] == pytest.approx([4.0, 0.5])
